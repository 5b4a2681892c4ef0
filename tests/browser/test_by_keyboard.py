"""Everything without a mouse: the way to the content, a visible focus, the form, dialogs, menus and shortcuts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.installations import expect_notice

#: Whether an element shows that it has the focus.
OUTLINED = (
    "e => [e, e.closest('.wb-kind')].some(x => x && getComputedStyle(x).outlineStyle !== 'none'"
    " && parseFloat(getComputedStyle(x).outlineWidth) >= 2) || getComputedStyle(e).boxShadow !== 'none'"
)


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_the_first_tab_leads_past_the_frame(page: Page) -> None:
    page.goto("/tasks/new")
    page.get_by_role("heading", level=1).click()
    page.goto("/runs")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/new", "/runs", "/queues", "/pause", "/log"])
def test_the_focus_can_be_seen_wherever_tab_leads(page: Page, installation, path) -> None:
    if not installation.rows("SELECT 1 FROM task"):
        installation.add("something", "true", every="1h")
    page.goto(path)
    unseen = []
    for _ in range(45):
        page.keyboard.press("Tab")
        # At once, since what has the focus may be gone a moment later, such as the row of a run that ends.
        found = page.evaluate(
            f"(e => e && e !== document.body && [({OUTLINED})(e), e.outerHTML])(document.activeElement)"
        )
        if not found:
            break
        if not found[0]:
            unseen.append(found[1][:120])

    assert unseen == []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the field of this name has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page).get_attribute("name") == name:
            return
    pytest.fail(f"Tab does not lead to {name}")


def test_a_task_is_made_by_keyboard_alone(page: Page) -> None:
    page.goto("/tasks")
    page.keyboard.press("n")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by keyboard")
    tab_to(page, "command")
    page.keyboard.type("echo typed")
    tab_to(page, "kind")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Every so often")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Every", exact=True).and_(page.locator("#every"))).to_be_focused()
    page.keyboard.type("15")
    page.keyboard.press("Enter")

    expect_notice(page, "by keyboard is saved.")
    expect(page.locator(".wb-answer")).to_contain_text(re.compile("every 15 minutes", re.IGNORECASE))


def test_escape_closes_a_question_and_gives_the_focus_back(page: Page, installation) -> None:
    page.goto("/runs")
    pill = page.locator(".wb-pill > summary")
    pill.focus()
    page.keyboard.press("Enter")
    stop = page.locator(".wb-pill .wb-panel").get_by_role("button", name="Stop")
    stop.focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name=re.compile("Stop the scheduler"))
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(stop).to_be_focused()
    page.keyboard.press("Escape")
    expect(pill).to_be_focused()
    expect(stop).to_be_hidden()


def test_what_was_done_is_taken_back_by_a_key(page: Page, installation) -> None:
    task = installation.add("back by a key", "true", every="1h")
    page.goto(f"/tasks/{task.id}")
    page.get_by_label("More", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    expect_notice(page, "back by a key is deleted.")
    # The scripts of the page that has just been shown come last.
    page.wait_for_load_state()
    page.keyboard.press("u")

    expect_notice(page, "back by a key is there again")


def test_the_shortcuts_are_listed_work_and_can_be_switched_off(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in ("Overview", "Tasks", "Next runs", "Runs", "Heartbeats", "Log", "New task", "Scheduler panel"):
        expect(listed).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(listed).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page).to_have_url(re.compile("/heartbeats$"))
    # The address is there before the page's scripts are, which do not hear what is pressed before.
    page.wait_for_load_state()
    page.keyboard.press("s")
    expect(page.locator(".wb-pill .wb-panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".wb-pill .wb-panel")).to_be_hidden()

    page.keyboard.press("?")
    listed.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(listed).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("/heartbeats$"))
