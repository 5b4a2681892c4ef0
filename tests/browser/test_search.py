"""Finding things from anywhere: by the field of the header, without scripts, and to the very line of an output."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import window
from watchbell import clock
from watchbell.services import triggers

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def wrote(installation) -> int:
    """Give the number of a run that has written a needle in its 300th line, of a task with a hostile name."""
    task = installation.add(HOSTILE, "seq 299; echo 'a needle <b>in</b> the haystack'; seq 50", tags=["hay"])
    run = triggers.run_now(installation.db, task.id, now=clock.now(), actor="admin")
    installation.wait_for_state(HOSTILE, "succeeded")
    return run.id


@pytest.mark.parametrize("scripts", [True, False])
def test_a_line_of_an_output_is_found_and_shown(browser, installation, wrote, scripts: bool) -> None:
    with window(browser, installation, java_script_enabled=scripts) as page:
        page.goto("/tasks")
        page.get_by_role("searchbox", name="Search everything").fill("NEEDLE haystack")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=NEEDLE+haystack")
        hit = page.locator("#output-found").get_by_role("link", name=re.compile("line 300"))
        expect(hit).to_contain_text("a needle <b>in</b> the haystack")
        expect(page.locator("#output-found mark").first).to_have_text("needle")
        hit.click()

        page.wait_for_url(f"**/runs/{wrote}#L300")
        if scripts:
            expect(page.locator("#L300.wb-line--marked")).to_contain_text("a needle <b>in</b> the haystack")
        else:
            expect(page.locator(".wb-terminal")).to_contain_text("a needle <b>in</b> the haystack")


def test_without_scripts_a_task_is_found_by_its_tag_and_run(browser, installation, wrote) -> None:
    with window(browser, installation, java_script_enabled=False) as page:
        page.goto("/search?q=run+hay")
        page.get_by_role("button", name=f"Run {HOSTILE} now").click()
        page.wait_for_url("**/runs/*")
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()


def test_on_a_phone_the_header_leads_to_the_search(browser, installation, wrote) -> None:
    with window(browser, installation, java_script_enabled=False, viewport={"width": 360, "height": 740}) as page:
        page.goto("/runs")
        page.get_by_role("link", name="Search", exact=True).click()
        expect(page.get_by_role("searchbox", name="Search for")).to_be_focused()
        page.keyboard.type(f"#{wrote}")
        page.keyboard.press("Enter")
        expect(page.locator("#runs-found").get_by_role("link")).to_have_text(f"#{wrote} {HOSTILE}")


def test_when_nothing_is_found_the_page_says_so_and_leads_on(page: Page) -> None:
    page.goto("/search?q=nothing-like-this")

    expect(page.locator(".wb-answer")).to_have_text("Nothing found for “nothing-like-this”.")
    expect(page.get_by_role("link", name="All tasks")).to_be_visible()
