"""The command palette and the keys: everything from anywhere, by keyboard alone, and only what one may do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import PAGE_ONLY, expect_notice, window
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import accounts, tasks

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def house(launch):
    """Give an installation without a scheduler, with some tasks."""
    made = launch(*PAGE_ONLY)
    for name in ("backup-db", "backup-home", "report", HOSTILE):
        made.add(name, "true", every="1h")
    return made


@pytest.fixture
def page(browser, house):
    with window(browser, house) as opened:
        yield opened


def palette(page: Page, text: str = "") -> None:
    """Open it by its keys and type something."""
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    expect(page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    if text:
        page.keyboard.type(text)
        expect(page.get_by_role("dialog").get_by_role("option", name=f"Search everything for “{text}”")).to_be_visible()


def active(page: Page) -> str:
    """Return the text of the choice that Enter takes, found as a screen reader finds it."""
    number = page.get_by_role("dialog").get_by_role("combobox").get_attribute("aria-activedescendant")
    assert number
    option = page.locator(f"#{number}")
    assert option.get_attribute("aria-selected") == "true"
    return option.locator(".wb-palette__title").inner_text()


def test_one_goes_to_a_task_and_back_where_one_was(page: Page) -> None:
    page.goto("/tasks")
    page.get_by_role("link", name="New task").focus()
    palette(page, "report")
    assert active(page) == "report"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="New task")).to_be_focused()

    palette(page, "backup")
    assert active(page) == "backup-db"
    page.keyboard.press("ArrowDown")
    assert active(page) == "backup-home"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert active(page) == "Search everything for “backup”"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="backup-db", level=1)).to_be_visible()


def test_what_is_typed_last_is_what_enter_takes_however_fast(page: Page, house) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("run report")
    page.keyboard.press("Enter")

    page.wait_for_url("**/runs/*")
    expect(page.get_by_role("heading", name="report", level=1)).to_be_visible()
    assert house.rows("SELECT task_name, trigger FROM run ORDER BY id DESC LIMIT 1") == [("report", "manual")]


def test_a_task_is_disabled_and_what_was_chosen_before_comes_first_as_it_is_now(page: Page, house) -> None:
    page.goto("/")
    palette(page, "disable backup-home")
    page.keyboard.press("Enter")
    expect_notice(page, "backup-home is disabled")
    palette(page, "queues")
    page.keyboard.press("Enter")
    page.wait_for_url("**/queues")

    found = house.rows("SELECT id, enabled FROM task WHERE name = 'backup-home'")
    assert [enabled for _id, enabled in found] == [0]
    page.keyboard.press("Control+k")
    before = page.get_by_role("group", name="Chosen before")
    expect(before.get_by_role("option")).to_have_text(["Queues"])
    tasks.set_enabled(house.db, found[0][0], True, now=clock.now(), actor="ann")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(before.get_by_role("option")).to_have_text(["Queues", "Disable backup-home"])


def test_the_scheduler_is_stopped_only_after_a_question_and_the_theme_is_switched_at_once(page: Page) -> None:
    page.goto("/")
    palette(page, "start the")
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Start the scheduler?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    palette(page, "dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_hostile_names_are_text(page: Page) -> None:
    page.goto("/")
    palette(page, "onerror")
    expect(page.get_by_role("dialog").get_by_role("option", name=HOSTILE).first).to_be_visible()
    assert page.locator("dialog img").count() == 0
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=HOSTILE, level=1)).to_be_visible()


def test_a_viewer_is_offered_nothing_that_is_not_theirs(browser, house) -> None:
    name = accounts.add(house.db, "looker", role="viewer", password=None, now=clock.now()).username
    with window(browser, house, logged_in=False) as page:
        page.goto(f"{house.root}/login/link/{accounts.make_link(house.db, name, now=clock.now())}")
        page.goto("/")
        palette(page)
        texts = page.get_by_role("dialog").get_by_role("option").all_inner_texts()
        assert "Tasks" in texts
        assert not [text for text in texts if re.search("New task|scheduler|everything", text)]
        page.keyboard.type("run backup")
        expect(page.get_by_role("dialog").get_by_role("option", name="backup-db")).to_be_visible()
        expect(page.get_by_role("dialog").get_by_role("option", name=re.compile("^Run "))).to_have_count(0)


def test_on_a_phone_it_opens_from_the_header(browser, house) -> None:
    with window(browser, house, viewport={"width": 360, "height": 740}) as page:
        page.goto("/runs")
        page.get_by_role("link", name="Search", exact=True).click()
        page.get_by_role("dialog").get_by_role("combobox").fill("backup-db")
        page.get_by_role("dialog").get_by_role("option", name="backup-db").first.click()
        expect(page.get_by_role("heading", name="backup-db", level=1)).to_be_visible()


def test_rows_are_walked_and_opened_by_keys(page: Page) -> None:
    page.goto("/tasks")
    first = page.locator("#tasks tbody tr").first.get_by_role("link").first
    expect(first).to_be_visible()
    page.keyboard.press("j")
    expect(first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(first).to_be_focused()
    page.evaluate("jQuery('#tasks').DataTable().ajax.reload(() => { window.drawn = true; }, false)")
    wait_until(lambda: page.evaluate("window.drawn === true"), 20, "the rows to be drawn anew")
    expect(first).to_be_focused()
    page.keyboard.press("e")
    page.wait_for_url("**/edit")
    page.go_back()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/tasks/\d+$"))


def test_the_search_of_the_header_has_a_key_where_the_page_has_none(page: Page) -> None:
    page.goto("/heartbeats")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search everything")).to_be_focused()
    page.keyboard.type("backup")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=backup")


def test_all_keys_are_listed_by_what_they_are_for(page: Page) -> None:
    page.goto("/tasks")
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    for heading in ("Go to", "On this page", "Rows", "Everywhere"):
        expect(listed.get_by_role("heading", name=heading)).to_be_visible()
    for words in ("Next row", "Row before", "Open the row", "Edit what is in the row", "Ctrl-K", "Search on this page"):
        expect(listed).to_contain_text(words)
