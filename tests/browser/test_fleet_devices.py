"""Devices in a browser: found, ticked and changed together with a way back, added by hand, and reached by the palette."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import PAGE_ONLY, answer, expect_notice, window
from watchbell import clock
from watchbell.services import device_groups, devices

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def house(launch):
    """Give a page without a scheduler: forty devices, a group that is empty."""
    made = launch(*PAGE_ONLY)
    for number in range(40):
        name = HOSTILE if number == 39 else f"pi-{number:02}"
        found, _secret = devices.add(made.db, {"name": name}, now=clock.now(), actor="admin")
        devices.set_tags(made.db, found.device.uuid, {"ring": str(number % 4)}, now=clock.now(), actor="admin")
    device_groups.create(made.db, "kitchens", now=clock.now(), actor="admin")
    return made


@pytest.fixture
def page(browser, house):
    with window(browser, house) as opened:
        yield opened


def active(house) -> int:
    return int(house.rows("SELECT count(*) FROM device WHERE is_active")[0][0])


def test_devices_are_found_while_one_types_and_changed_together_with_a_way_back(page: Page, house) -> None:
    page.goto("/fleet/devices")
    rows = page.locator("#devices tbody tr")
    expect(rows.filter(has_text=HOSTILE)).to_be_visible()
    page.get_by_label("Search devices").fill("ring=2 pi-0")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"q=ring"))
    page.get_by_label("State").select_option("pending")
    expect(page).to_have_url(re.compile(r"state=pending"))
    page.get_by_role("checkbox", name="Select all rows of this page").check()
    page.get_by_role("button", name="Activate", exact=True).click()

    expect_notice(page, "2 activated.")
    assert active(house) == 2
    page.get_by_role("button", name="Undo").click()
    expect_notice(page, "2 deactivated.")
    assert active(house) == 0

    page.goto("/fleet/devices?order=-name")
    page.get_by_role("checkbox", name="Select pi-38").check()
    page.get_by_role("button", name="Into a group…").click()
    page.get_by_label("Group").fill("kitchens")
    page.get_by_role("button", name="Put into the group").click()
    expect_notice(page, "1 put into the group.")
    expect(rows.filter(has_text="pi-38").get_by_role("link", name="kitchens")).to_be_visible()


def test_a_device_is_added_found_by_the_palette_and_deleted_by_keyboard(page: Page, house) -> None:
    page.goto("/fleet/devices")
    page.keyboard.press("n")
    page.get_by_label("Name").fill("sensor-roof")
    page.get_by_label("Tags").fill("site=roof")
    page.get_by_role("button", name="Add device").click()
    expect_notice(page, "This is the key.")
    assert devices.looks_like_key(page.get_by_label("Key", exact=True).input_value())
    expect(page.get_by_role("button", name="Copy the key")).to_be_visible()

    page.keyboard.press("Control+k")
    page.keyboard.type("site=roof")
    expect(page.get_by_role("dialog").get_by_role("option", name="sensor-roof")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="sensor-roof")).to_be_visible()
    page.get_by_label("More").press("Enter")
    page.get_by_role("button", name="Delete").press("Enter")
    answer(page, "Delete sensor-roof", "Delete")
    expect_notice(page, "sensor-roof is deleted")
    assert house.rows("SELECT count(*) FROM device WHERE name = 'sensor-roof'")[0][0] == 0
