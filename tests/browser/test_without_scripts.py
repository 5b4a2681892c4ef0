"""The whole main job in a browser that runs no scripts: links, forms and reloads do it all."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import expect_notice, run_number, window
from tests.waiting import wait_until


@pytest.fixture
def page(browser, installation):
    with window(browser, installation, java_script_enabled=False) as opened:
        yield opened


def reload_until(page: Page, text: str) -> None:
    """Do what a person without scripts does: press reload until it is there."""

    def is_there() -> bool:
        page.reload()
        return page.locator("main").filter(has_text=text).count() > 0

    wait_until(is_there, 20, f"{text!r} to be on the page", interval=0.3)


def test_one_logs_in_by_the_link_and_out_again(browser, installation) -> None:
    with window(browser, installation, logged_in=False, java_script_enabled=False) as page:
        page.goto(installation.make_link())
        page.get_by_role("link", name="Later").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_label("Account of admin").click()
        page.get_by_role("button", name="Log out").click()
        expect_notice(page, "You are logged out.")


def test_a_task_is_previewed_made_run_and_seen(page: Page, installation) -> None:
    page.goto("/tasks")
    page.get_by_role("link", name="New task").first.click()
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("Command", exact=True).fill("echo 'plain <b>output</b>'; echo 'and errors' >&2")
    page.locator("#cron").fill("30 2 * * *")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview .wb-moments li")).to_have_count(10)
    page.get_by_role("button", name="Create task").click()
    expect_notice(page, "plain is saved. Next at")
    page.get_by_role("button", name="Run now").click()
    run_number(page)

    reload_until(page, "succeeded")
    expect(page.locator(".wb-terminal")).to_have_text("plain <b>output</b>\n")
    page.get_by_role("link", name="both").click()
    expect(page.locator(".wb-terminal").nth(1)).to_have_text("and errors\n")
    with page.expect_download() as coming:
        page.get_by_role("link", name="Raw").first.click()
    assert coming.value.path().read_bytes() == b"plain <b>output</b>\n"


def test_on_a_phone_the_question_before_a_stop_leaves_room_for_the_name_of_what_it_stops(
    page: Page, installation
) -> None:
    held = installation.gate("held")
    task = installation.add("held-open", held.wait)
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    run_number(page)
    page.goto("/")
    reload_until(page, "Running now")
    box = page.get_by_role("table", name="Running now").get_by_role("link", name="held-open").bounding_box()
    held.open()

    assert box is not None
    assert box["width"] > 60
    # Of the log, which is longer than its place, the newest lines are seen.
    page.locator("main pre").scroll_into_view_if_needed()
    expect(page.locator("main pre .wb-log__line").last).to_be_in_viewport()


def test_what_is_wrong_stands_at_the_field_and_what_was_typed_stays(page: Page) -> None:
    page.goto("/tasks/new")
    page.get_by_label("Name", exact=True).fill("kept")
    page.locator("#cron").fill("61 * * * *")
    page.get_by_role("button", name="Create task").click()

    expect(page.locator("#cron-error")).to_contain_text("For example")
    expect(page.locator("#command-error")).to_be_visible()
    expect(page.locator("#name")).to_have_value("kept")
    expect(page.locator("#cron")).to_have_value("61 * * * *")


def test_deleting_is_taken_back_by_a_button(page: Page, installation) -> None:
    task = installation.add("goes", "true")
    page.goto(f"/tasks/{task.id}")
    page.locator("summary[aria-label=More]").click()
    page.get_by_role("button", name="Delete").click()

    expect_notice(page, "goes is deleted.")
    page.get_by_role("button", name="Undo").click()
    expect_notice(page, "goes is there again, with its runs and versions.")
    expect(page.get_by_role("heading", name="goes", level=1)).to_be_visible()


def test_lists_are_searched_and_turned_by_links(page: Page, installation) -> None:
    for number in range(30):
        installation.add(f"many-{number:02}", "true")
    page.goto("/tasks")
    page.get_by_role("searchbox", name="Search tasks").fill("many-")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#tasks tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#tasks tbody tr")).to_have_count(5)

    expect(page.locator("#tasks tbody tr").first).to_contain_text("many-25")


def test_the_scheduler_is_stopped_and_started(page: Page) -> None:
    page.goto("/log")
    page.locator(".wb-pill > summary").click()
    panel = page.locator(".wb-pill .wb-panel")
    panel.get_by_label(re.compile("Stop the scheduler")).check()
    panel.get_by_role("button", name="Stop").click()
    expect(page).to_have_url(re.compile("/log$"))
    expect(page.locator(".wb-alarm")).to_contain_text("The scheduler is stopped: no task starts.")
    page.locator(".wb-alarm").get_by_role("button", name="Start").click()

    expect_notice(page, "The scheduler is running, pid")
    expect(page.locator(".wb-alarm")).to_have_count(0)
