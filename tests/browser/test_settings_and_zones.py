"""The zone in which times are shown: found by the browser, chosen, kept and told; and the page that says every setting."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import Installation, window
from tests.waiting import wait_until
from watchbell.config import SETTINGS


@pytest.fixture(scope="module")
def house(launch) -> Installation:
    """Give a page in UTC with a task in a zone of its own, which has run."""
    made = launch("-m", "watchbell", "up", "--port", "0", WATCHBELL_ZONE="UTC", WATCHBELL_SECRET_KEY="k" * 40)
    made.add("tokyo", "echo done", cron="15 2 * * *", zone="Asia/Tokyo")
    made.add("often", "sleep 1.1", every="2s")
    wait_until(lambda: made.rows("SELECT 1 FROM run WHERE state = 'succeeded'"), 30, "a run")
    return made


def footer(page: Page):
    return page.locator(".wb-footer")


def test_the_first_page_is_shown_in_the_zone_of_the_readers_machine_and_without_scripts_so_from_then_on(
    browser, house: Installation
) -> None:
    with window(browser, house, timezone_id="America/New_York") as page:
        page.goto("/heartbeats")
        expect(footer(page)).to_contain_text("Times are shown in America/New_York, your zone")
        started = datetime.fromisoformat(house.rows("SELECT started_at FROM scheduler")[0][0]).replace(tzinfo=UTC)
        told = started.astimezone(ZoneInfo("America/New_York"))
        expect(page.locator("main")).to_contain_text(f"{told:%Y-%m-%d %H:%M:%S}")
        cookies = page.context.cookies()
    with window(browser, house, java_script_enabled=False) as page:
        page.goto("/heartbeats")
        expect(footer(page)).to_contain_text("Times are shown in UTC, the server's zone")
        page.context.add_cookies([cookie for cookie in cookies if cookie["name"] == "watchbell_zone"])
        page.reload()
        expect(page.locator("main")).to_contain_text(f"{told:%Y-%m-%d %H:%M:%S}")


def test_another_zone_is_chosen_kept_and_given_back(browser, house: Installation) -> None:
    with window(browser, house, timezone_id="Europe/Berlin", expected={422}) as page:
        page.goto("/")
        footer(page).get_by_role("link", name="Times are shown in Europe/Berlin").click()
        page.get_by_label("Zone", exact=True).fill("Sydney")
        expect(page.get_by_label("this one:")).to_be_checked()
        page.get_by_role("button", name="Show times so").click()
        expect(page.locator("#zone-name-error")).to_contain_text("is not the name of a time zone")
        expect(page.locator("#zone-name-help")).to_contain_text("Australia/Sydney")
        page.get_by_label("Zone", exact=True).fill("Australia/Sydney")
        page.get_by_role("button", name="Show times so").click()
        expect(footer(page)).to_contain_text("Times are shown in Australia/Sydney")
        page.goto("/runs")
        expect(footer(page)).to_contain_text("Times are shown in Australia/Sydney")
        expect(page.locator("main time").first).to_have_attribute(
            "title", re.compile(r"\(Australia/Sydney\)\n= [0-9: -]+ UTC")
        )
        page.goto("/settings")
        page.get_by_label("my zone").check()
        page.get_by_role("button", name="Show times so").click()
        expect(footer(page)).to_contain_text("Times are shown in Europe/Berlin, your zone")


def test_hovering_over_a_time_tells_the_readers_zone_utc_and_the_tasks(browser, house: Installation) -> None:
    with window(browser, house, timezone_id="America/New_York") as page:
        page.goto("/next-runs?range=24h")
        row = page.locator("main tr").filter(has_text="tokyo").first
        expect(row.locator("time").first).to_have_attribute(
            "title", re.compile(r"\(America/New_York\)\n= [0-9-]+ 17:15:00 UTC\n= [0-9-]+ 02:15:00 JST \(Asia/Tokyo\)")
        )


def test_on_paper_a_time_is_exact(browser, house: Installation) -> None:
    with window(browser, house, timezone_id="Europe/Berlin") as page:
        page.goto("/runs")
        page.emulate_media(media="print")
        shown = page.locator("main time[data-relative]").first.evaluate("t => getComputedStyle(t, '::after').content")
        assert "(Europe/Berlin)" in shown and "UTC" in shown


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
@pytest.mark.parametrize("scripts", [True, False])
def test_every_setting_is_shown_with_where_it_comes_from_and_no_secret(
    browser, house: Installation, scheme, width, scripts
) -> None:
    viewport = {"width": width, "height": 800}
    with window(browser, house, color_scheme=scheme, viewport=viewport, java_script_enabled=scripts) as page:
        page.goto("/")
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
        rows = page.locator(".wb-settings tbody tr")
        expect(rows).to_have_count(len(SETTINGS))
        key = rows.filter(has_text="WATCHBELL_SECRET_KEY")
        expect(key).to_contain_text("••••••")
        expect(key).to_contain_text("environment")
        expect(rows.filter(has_text="WATCHBELL_PORT")).to_contain_text("argument")
        expect(rows.filter(has_text="WATCHBELL_MAX_RUNNING")).to_contain_text("default")
        expect(page.locator("main")).not_to_contain_text("kkkk")
        expect(page.locator("#about")).to_contain_text("SQLite")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_theme_is_chosen_there_as_well(browser, house: Installation) -> None:
    with window(browser, house) as page:
        page.goto("/settings")
        page.locator("main").get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.reload()
        expect(page.locator("main").get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
