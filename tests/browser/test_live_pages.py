"""Pages that hear of what happens: without a reload, through a dead server, and where no socket can be had."""

from __future__ import annotations

import re
import sqlite3

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import PAGE_ONLY, window
from watchbell import clock
from watchbell.services import triggers

SERVE = ("-m", "watchbell", "dashboard")


@pytest.fixture(scope="module")
def quiet(launch):
    """Give an installation without a scheduler, in which nothing happens by itself."""
    return launch(*PAGE_ONLY)


@pytest.fixture
def quiet_page(browser, quiet):
    with window(browser, quiet, expected={503}) as page:
        yield page


def expect_link(page: Page, state: str, timeout: float = 20) -> None:
    """Wait until the frame says how the page is connected."""
    expect(page.locator("#live-link")).to_have_attribute("data-link", state, timeout=timeout * 1000)


def test_what_happens_is_on_the_page_at_once_and_without_a_reload(quiet_page: Page, quiet) -> None:
    task = quiet.add("heard", "true")
    quiet_page.goto("/runs")
    expect_link(quiet_page, "connected")
    expect(quiet_page.locator("#live-link")).to_have_text("Live")
    # The look that follows the first connection is over when the next one is counted.
    with quiet_page.expect_response("**/runs"):
        pass
    quiet_page.evaluate("window.notReloaded = true")
    run = triggers.run_now(quiet.db, task.id, now=clock.now(), actor="ann")

    # By itself the list looks every thirty seconds.
    expect(quiet_page.locator("#runs-list")).to_contain_text("heard", timeout=4000)
    assert quiet_page.evaluate("window.notReloaded")
    quiet_page.goto(f"/runs/{run.id}")
    expect_link(quiet_page, "connected")
    expect(quiet_page.locator("[data-live-part=run-head] [data-state]").first).to_have_attribute("data-state", "queued")


def test_many_events_at_once_make_a_page_look_once_or_twice(quiet_page: Page, quiet) -> None:
    quiet_page.goto("/")
    expect_link(quiet_page, "connected")
    with quiet_page.expect_response("**/overview/parts*"):
        pass
    looks: list[str] = []
    quiet_page.on("request", lambda request: looks.append(request.url) if "/parts" in request.url else None)
    for number in range(30):
        quiet.add(f"one-of-many-{number}", "true")

    expect(quiet_page.locator("[data-live-part=overview-counters]")).to_contain_text("31", timeout=60_000)
    assert 1 <= len(looks) <= 10


def test_a_server_that_dies_and_comes_back_is_seen_on_the_page_and_nothing_is_missed(quiet_page: Page, quiet) -> None:
    quiet.add("1-made-before", "true")
    quiet_page.goto("/tasks")
    expect_link(quiet_page, "connected")
    quiet_page.evaluate("window.notReloaded = true")
    quiet.server.close()

    expect_link(quiet_page, "reconnecting")
    expect(quiet_page.locator("#live-link")).to_have_text("Reconnecting")
    quiet.add("0-made-meanwhile", "true")
    quiet.restart_server(*SERVE)
    expect_link(quiet_page, "connected", 40)
    expect(quiet_page.locator("#tasks")).to_contain_text("0-made-meanwhile", timeout=10_000)
    expect(quiet_page.locator("#live-state")).to_be_hidden(timeout=70_000)
    assert quiet_page.evaluate("window.notReloaded")


def test_where_no_socket_can_be_had_the_page_says_so_and_looks_by_itself(quiet_page: Page, quiet) -> None:
    quiet_page.route_web_socket(re.compile("/ws"), lambda socket: socket.close(code=1013))
    quiet_page.goto("/runs")
    expect_link(quiet_page, "polling", 40)
    task = quiet.add("looked-for", "true")
    triggers.run_now(quiet.db, task.id, now=clock.now(), actor="ann")

    expect(quiet_page.locator("#runs-list")).to_contain_text("looked-for", timeout=60_000)
    expect_link(quiet_page, "polling")


def test_a_login_that_ends_elsewhere_is_told_on_the_open_page(browser, quiet) -> None:
    with window(browser, quiet, logged_in=False, expected={401}) as page:
        page.goto(quiet.make_link())
        page.goto("/runs")
        expect_link(page, "connected")
        with sqlite3.connect(quiet.home / "watchbell.db", timeout=20) as connection:
            connection.execute(
                "UPDATE session SET ended_at = '2026-01-01 00:00:00.000000' WHERE id = (SELECT max(id) FROM session)"
            )
        connection.close()

        expect(page.locator("#live-state")).to_have_text("You are logged out. Log in in another tab")
