"""The pages of the fleet in a browser: they follow what devices do, ask before harm, and say while one types what comes of it."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser import full_fleet
from tests.browser.installations import PAGE_ONLY, answer, expect_notice, window


@pytest.fixture(scope="module")
def house(launch):
    """Give an installation without a scheduler, in which nothing happens by itself."""
    return launch(*PAGE_ONLY)


@pytest.fixture
def page(browser, house):
    with window(browser, house) as opened:
        yield opened


def test_an_execution_follows_its_devices_and_is_taken_back_after_a_question(page: Page, house) -> None:
    uuids = full_fleet.add_devices(house, 3)
    job = full_fleet.give(house, "update", uuids)
    page.goto(f"/fleet/executions/{job}")
    expect(page.locator("#live-link")).to_have_attribute("data-link", "connected")
    page.evaluate("window.notReloaded = true")
    full_fleet.hold(house, uuids[0])
    full_fleet.end(house, job, uuids[0])
    full_fleet.hold(house, uuids[2])

    # By itself the page looks every thirty seconds while the socket stands.
    expect(page.locator(".wb-order__sentence")).to_have_text("1 of 3 done", timeout=8000)
    expect(page.locator("#devices tbody tr").nth(2)).to_contain_text("in progress", timeout=8000)
    expect(page.locator("#map title", has_text="pi-0: succeeded")).to_have_count(1)
    assert page.evaluate("window.notReloaded")
    page.locator("#map a").first.focus()
    page.get_by_label("More").click()
    page.get_by_role("button", name="Cancel everywhere").click()
    answer(page, "Take update back from all devices", "Take it back everywhere")
    expect_notice(page, "told to stop")
    expect(page.locator("#devices [data-state=cancelled]")).to_have_count(2)


def test_the_form_of_a_schedule_says_what_comes_of_it_while_one_types(page: Page, house) -> None:
    page.goto("/fleet/schedules/new")
    page.get_by_label("Name").fill("Nightly")
    page.get_by_label("What is done").select_option("")
    page.get_by_label("Document").fill(json.dumps(full_fleet.DOCUMENT))
    expect(page.get_by_label("Cron text")).to_be_hidden()
    page.get_by_label("Repeats").select_option("cron")
    page.get_by_label("Cron text").fill("61 2 * * *")
    page.get_by_label("Ends after so many").focus()
    expect(page.locator("#cron-error")).to_be_visible()
    page.get_by_label("Cron text").fill("30 2 * * *")

    expect(page.locator("#trial")).to_contain_text("At 02:30")
    expect(page.locator("#trial li")).to_have_count(5)
    expect(page.locator("#cron-error")).to_be_hidden()
    page.get_by_role("button", name="Create schedule").click()
    expect_notice(page, "whenever it is due")
