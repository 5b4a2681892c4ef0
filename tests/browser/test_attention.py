"""What a tab says by itself: its title and icon when something fails, the end of what one has started, and a lost connection."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import window
from tests.browser.test_live_pages import SERVE, expect_link
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import triggers

FAILED = re.compile("favicon-failed")


@pytest.fixture
def page(browser, installation):
    # A server that is away answers nothing, and its proxy might answer 503.
    with window(browser, installation, expected={503}) as opened:
        yield opened


def run_now(installation, task) -> int:
    return triggers.run_now(installation.db, task.id, now=clock.now(), actor="somebody").id


def icon(page: Page):
    return page.locator("link[rel=icon]")


def test_a_failure_is_in_the_title_and_the_icon_until_it_is_solved(page: Page, installation) -> None:
    switch = installation.folder / "switch"
    task = installation.add("breaks", f"test -e {switch}")
    page.goto("/queues")
    expect_link(page, "connected")
    expect(page).to_have_title(re.compile(r"^Queues "))
    run_now(installation, task)

    expect(page).to_have_title(re.compile(r"^\(1 failed\) Queues "), timeout=30_000)
    expect(icon(page)).to_have_attribute("href", FAILED)
    switch.touch()
    run_now(installation, task)
    expect(page).to_have_title(re.compile(r"^Queues "), timeout=30_000)
    expect(icon(page)).not_to_have_attribute("href", FAILED)


def test_what_happens_while_a_tab_waits_for_its_first_answer_is_asked_about_again(page: Page, installation) -> None:
    gate = installation.gate("slow-first-answer")
    switch = installation.folder / "switch-of-the-slow"
    task = installation.add("fails-meanwhile", f"{gate.wait}; test -e {switch}")
    run_now(installation, task)
    held = []

    def hold_the_first(route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route(re.compile(r"/attention\.json"), hold_the_first)
    page.goto("/queues")
    expect_link(page, "connected")
    assert held
    gate.open()
    installation.wait_for_state("fails-meanwhile", "failed")
    # What the page heard of by its socket it cannot have forgotten by now.
    loaded_at = page.evaluate("performance.now()")
    wait_until(lambda: page.evaluate("performance.now()") > loaded_at + 2500, 20, "the event to be old news")
    route, answer = held[0]
    route.fulfill(response=answer)

    expect(page).to_have_title(re.compile(r"^\(1 failed\) Queues "), timeout=15_000)
    switch.touch()
    run_now(installation, task)
    expect(page).to_have_title(re.compile(r"^Queues "), timeout=30_000)


def test_a_failure_that_was_seen_does_not_count_in_any_tab(page: Page, installation) -> None:
    first = installation.add("seen-1", "exit 3")
    second = installation.add("seen-2", "exit 3")
    numbers = [run_now(installation, first), run_now(installation, second)]
    for name in ("seen-1", "seen-2"):
        installation.wait_for_state(name, "failed")
    other = page.context.new_page()
    other.goto("/queues")
    expect(other).to_have_title(re.compile(r"^\(2 failed\) Queues "), timeout=30_000)

    page.goto(f"/runs/{numbers[0]}")
    expect(page).to_have_title(re.compile(r"^\(1 failed\) seen-1"), timeout=30_000)
    expect(other).to_have_title(re.compile(r"^\(1 failed\) Queues "), timeout=30_000)
    page.goto("/")
    expect(page).to_have_title(re.compile(r"^\(1 failed\) Overview "), timeout=30_000)
    expect(page.locator("#attention")).to_contain_text("seen-2")

    def is_seen() -> bool:
        page.keyboard.press("Shift")
        return page.title().startswith("Overview ")

    # Whoever types the moment it appears has not read it yet, and it appears late on a busy machine.
    wait_until(is_seen, 30, "what is shown to count as seen")
    expect(other).to_have_title(re.compile(r"^Queues "), timeout=30_000)
    other.close()


def test_one_is_told_when_what_one_has_started_ends_and_not_of_what_others_do(page: Page, installation) -> None:
    gate = installation.gate("own")
    own = installation.add("started-by-me <b>", f"{gate.wait}; exit 4")
    others = installation.add("started-by-others", "true")
    page.goto(f"/tasks/{own.id}")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/runs/*")
    number = int(page.url.rpartition("/")[2])
    page.goto("/queues")
    expect_link(page, "connected")
    run_now(installation, others)
    installation.wait_for_state("started-by-others", "succeeded")
    gate.open()

    toast = page.locator(".wb-toasts .wb-notice")
    expect(toast).to_have_count(1, timeout=30_000)
    expect(toast).to_contain_text("started-by-me <b> failed.")
    toast.get_by_role("link", name=f"Show run #{number}").click()
    page.wait_for_url(f"**/runs/{number}")
    expect(toast).to_have_count(0)


def test_a_lost_connection_is_told_with_the_next_try_and_tried_at_once_by_a_button(page: Page, installation) -> None:
    page.goto("/queues/edit")
    expect_link(page, "connected")
    expect(page.locator(".wb-lost")).to_have_count(0)
    installation.server.close()

    bar = page.locator(".wb-lost")
    expect(bar).to_contain_text("Connection lost.", timeout=30_000)
    expect(bar).to_contain_text(re.compile(r"Trying again in \d+ s\."), timeout=30_000)
    name = page.get_by_role("textbox", name="Name")
    name.fill("typed while nobody answers")
    page.get_by_role("button", name=re.compile("Create|Save|Add")).first.click()
    expect(page.locator(".wb-toasts")).to_contain_text("what was typed is still here")
    expect(name).to_have_value("typed while nobody answers")
    installation.restart_server(*SERVE)
    bar.get_by_role("button", name="Try now").click()
    expect(bar).to_have_count(0, timeout=15_000)
    expect_link(page, "connected")


def test_where_no_socket_can_be_had_there_is_no_bar(page: Page) -> None:
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close(code=1013))
    page.goto("/queues")
    expect_link(page, "polling", 40)
    expect(page.locator(".wb-lost")).to_have_count(0)
