"""The scheduler's log: searched, filtered, followed, and read back to its first line."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import Installation, answer, expect_notice, window
from watchbell.control import logfile

TRACE = [
    "[2026-11-22 12:00:00] [ERROR] request 7 failed <b>x</b>",
    "Traceback (most recent call last):",
    "ValueError: odd",
]


@pytest.fixture(scope="module")
def house(launch) -> Installation:
    """Give a page without a scheduler, so that nobody but the test writes the log."""
    return launch("-m", "watchbell", "dashboard", "--port", "0")


@pytest.fixture(autouse=True)
def log(house: Installation):
    """Fill the log: a rotated file of 2,500 lines, one of them a traceback's, and 300 newer ones."""
    path = house.config.log_path
    old = [f"[2026-11-21 12:00:00] [INFO] old {n}" for n in range(1247)]
    new = [f"[2026-11-22 12:00:00] [{'WARNING' if n % 100 == 0 else 'INFO'}] new {n}" for n in range(300)]
    logfile.set_aside(path).write_text("\n".join([*old, *TRACE, *old]) + "\n")
    path.write_text("\n".join(new) + "\n")
    return path


@pytest.fixture
def page(browser, house):
    with window(browser, house) as opened:
        yield opened


def lines(page: Page):
    return page.locator("#log .wb-log__line")


def test_older_lines_come_by_scrolling_up_to_the_first_one_and_the_place_stays(page: Page) -> None:
    page.goto("/log")
    expect(lines(page)).to_have_count(200)
    expect(lines(page).last).to_be_in_viewport()
    shown = lines(page).first
    marked = shown.get_attribute("data-place")
    shown.scroll_into_view_if_needed()

    expect(lines(page)).to_have_count(1200)
    expect(page.locator(f"[data-place='{marked}']")).to_be_in_viewport()
    expect(page.get_by_label("Follow")).not_to_be_checked()
    # By the link, which works as well without a mouse.
    older = page.get_by_role("link", name="Show older lines")
    older.click()
    expect(lines(page)).to_have_count(2200)
    older.click()
    expect(lines(page)).to_have_count(2797)
    expect(older).to_be_hidden()
    expect(lines(page).first).to_have_text("[2026-11-21 12:00:00] [INFO] old 0\n")


def test_a_search_goes_from_hit_to_hit_and_looks_through_what_is_older(page: Page) -> None:
    page.goto("/log")
    page.get_by_role("searchbox", name="Search the log").fill("NEW 29")
    said = page.locator("[data-log-hits]")
    expect(said).to_have_text("10 of 10")
    expect(page.locator("mark.wb-log__current")).to_be_in_viewport()
    page.keyboard.press("Shift+Enter")
    expect(said).to_have_text("9 of 10")
    page.get_by_role("button", name="Next hit").click()
    page.get_by_role("button", name="Next hit").click()
    expect(said).to_have_text("1 of 10")
    expect(page).to_have_url(re.compile(r"q=NEW\+29"))

    page.get_by_role("searchbox", name="Search the log").fill("<b>x</b>")
    expect(said).to_have_text("No hit in these lines")
    page.get_by_role("button", name="Previous hit").click()
    expect(said).to_have_text("1 of 1")
    expect(page.locator("mark.wb-log__current")).to_have_text("<b>x</b>")
    expect(page.locator("mark.wb-log__current")).to_be_in_viewport()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_filter_shows_a_traceback_whole_and_can_be_linked_to(browser, house, scripts: bool) -> None:
    with window(browser, house, java_script_enabled=scripts) as page:
        page.goto("/log?level=error")
        expect(lines(page)).to_have_text([re.compile(re.escape(text)) for text in TRACE])
        page.goto("/log")
        page.get_by_role("link", name="Warnings and errors").click()
        expect(lines(page)).to_have_count(6)
        page.get_by_role("searchbox", name="Search the log").fill("odd")
        page.get_by_label("Only hits").check()
        if not scripts:
            page.get_by_role("button", name="Search", exact=True).click()
        expect(page).to_have_url(re.compile("only=1"))
        expect(lines(page)).to_have_text([re.compile(re.escape(text)) for text in TRACE])
        expect(page.locator("mark")).to_have_text("odd")


def test_without_scripts_links_lead_back_to_the_first_line_and_forward_again(browser, house) -> None:
    with window(browser, house, java_script_enabled=False) as page:
        page.goto("/log")
        for count in (1000, 1000, 597):
            page.get_by_role("link", name="Show older lines").click()
            expect(lines(page)).to_have_count(count)
        expect(page.locator("main")).to_contain_text("The log begins here.")
        expect(page.get_by_label("Follow")).to_be_hidden()
        page.get_by_role("link", name="Newest lines").click()
        expect(lines(page).last).to_contain_text("new 299")


def test_following_an_older_part_leads_to_the_newest_lines(page: Page, log) -> None:
    page.goto("/log")
    older = page.get_by_role("link", name="Show older lines").get_attribute("href")
    page.goto(older or "")
    follow = page.get_by_role("switch", name="Follow")
    expect(follow).not_to_be_checked()
    follow.click()

    expect(lines(page).last).to_contain_text("new 299")
    with log.open("a") as file:
        file.write("\n".join(TRACE) + "\n")
    expect(lines(page).last).to_have_text(TRACE[-1] + "\n")
    expect(lines(page).last).to_have_class(re.compile("wb-log__line--error"))
    expect(lines(page).last).to_be_in_viewport()


def test_the_log_is_downloaded_raw_and_cleared_for_good_with_what_was_set_aside(page: Page, log) -> None:
    page.goto("/log")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.path().read_bytes() == logfile.set_aside(log).read_bytes() + log.read_bytes()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("dialog")).to_contain_text("written since 2026-11-21 12:00:00")
    answer(page, "Empty the scheduler's log?", "Empty the log")

    expect_notice(page, "The log is empty now.")
    assert not logfile.set_aside(log).exists()
    expect(page.locator("main")).to_contain_text("The log is empty")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_is_in_reach(browser, house, scheme) -> None:
    with window(browser, house, viewport={"width": 360, "height": 740}, color_scheme=scheme) as page:
        page.goto("/log?q=new")
        for name in ("Previous hit", "Next hit"):
            page.get_by_role("button", name=name).click()
        expect(page.locator("mark.wb-log__current")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
