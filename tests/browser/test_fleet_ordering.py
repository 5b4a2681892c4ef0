"""Making a template and giving an order in a browser: the editor follows what is typed, and an order is given once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.installations import PAGE_ONLY, Installation, window
from tests.browser.test_every_page import judge
from tests.fleet import add_device
from watchbell import clock
from watchbell.services import devices, fleet_jobs, job_library

LONG = "a device with a <b>long</b> name " + "that-goes-on-" * 8


@pytest.fixture(scope="module")
def installation(launch) -> Installation:
    made: Installation = launch(*PAGE_ONLY)
    uuids = [add_device(made.db, f"pi-{number:02}", tags={"site": "north"}) for number in range(60)]
    add_device(made.db, LONG, type="fridge")
    devices.put_group(made.db, "kitchens", uuids[:3], now=clock.now(), actor="ann")
    return made


def test_the_editor_of_templates_follows_what_is_typed_in_both_views(page: Page, installation: Installation) -> None:
    page.goto("/fleet/templates/new")
    page.get_by_label("Name", exact=True).fill("made in a browser")
    page.get_by_role("button", name="Add a step").press("Enter")
    expect(page.locator("#step-2-name")).to_be_focused()
    page.keyboard.type("look")
    page.locator("#step-2-command").fill("docker ps | grep {{NAME}}")
    expect(page.locator("#panel")).to_contain_text("line for the shell docker ps | grep {{NAME}}")
    page.get_by_role("button", name="Move step 2 up").click()
    expect(page.locator("#step-1-name")).to_have_value("look")

    page.get_by_role("button", name="JSON", exact=True).click()
    text = page.get_by_label("Document as JSON")
    expect(text).to_have_value(re.compile(r'"name": "look"'))
    right = text.input_value()
    text.fill(right.replace('"runCommand"', '"runNothing"', 1))
    expect(page.locator("#panel .wb-problem")).to_contain_text("steps.0.type")
    expect(page.locator(".wb-source__wrong")).to_have_count(1)
    page.locator("#panel .wb-problem a").first.click()
    expect(text).to_be_focused()
    assert "runNothing" in page.evaluate("getSelection().toString()")
    assert judge(page) == []
    text.fill(right)
    expect(page.locator("#panel .wb-problem")).to_have_count(0)
    page.get_by_role("button", name="Create template").click()

    expect(page.get_by_role("heading", level=1, name="made in a browser")).to_be_visible()
    (made,) = [one for one in job_library.list_templates(installation.db) if one.name == "made in a browser"]
    assert [step["name"] for step in made.document["steps"]] == ["look", "disk"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_an_order_is_put_together_looked_at_and_given_once(
    browser: Browser, installation: Installation, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 800}
    before = len(fleet_jobs.list_page(installation.db, limit=50))
    with window(browser, installation, color_scheme=scheme, viewport=size, reduced_motion="reduce") as page:
        page.goto("/fleet/execute")
        page.get_by_label("Template", exact=True).select_option(label="maintenance: health-check")
        expect(page.get_by_label("SERVICE_NAME")).to_be_visible()
        page.get_by_label("Name of the job").fill("check")
        page.get_by_label("Search devices").fill("site=north pi-0")
        page.keyboard.press("Enter")
        expect(page.get_by_text("10 active devices")).to_be_visible()
        page.get_by_role("button", name="Choose all that were found").click()
        expect(page.get_by_text("10 devices are chosen")).to_be_visible()
        page.get_by_text("In waves").first.click()
        page.locator("#rollout").select_option("careful")
        assert judge(page) == []
        page.get_by_role("button", name="Look at it first").click()
        expect(page.locator(".wb-answer")).to_contain_text("in 3 waves: 1, 1, 8")
        assert judge(page) == []
        page.get_by_role("button", name="Execute on 10 devices").click()
        dialog = page.get_by_role("dialog", name="Give “check” to 10 devices?")
        # Twice as fast as anybody presses: the second comes before the first was answered.
        dialog.get_by_role("button", name="Execute on 10 devices").evaluate(
            "button => { button.click(); button.click(); }"
        )
        expect(page).to_have_url(re.compile(r"/fleet/executions/[0-9a-f-]{36}$"))

    assert len(fleet_jobs.list_page(installation.db, limit=50)) == before + 1
