"""The pictures in a browser: looked at in each look, walked with the keys, zoomed with the mouse, and without scripts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.installations import expect_notice, window
from tests.browser.test_every_page import LOOKS, judge_all, require_order
from tests.database import add_run
from watchbell import clock
from watchbell.domain.run_state import RunState

HOSTILE = '"><img src=x onerror=alert(1)> {{7*7}}'
PATHS = (
    "/",
    "/timeline",
    "/timeline?by=host",
    "/timeline?range=7d",
    "/runs/calendar",
    "/next-runs/calendar",
    "/next-runs/load",
)


@pytest.fixture(scope="module")
def house(installation):
    """Fill a past in which everything has ended somehow, and a future with a pile-up."""
    now = clock.now()
    nightly = installation.add("nightly-backup", "true", cron="0 2 * * *")
    for number in range(5):
        installation.add(f"also-at-night-{number}", "true", cron="0 2 * * *")
    busy = installation.add("busy", "true", every="1h")
    hostile = installation.add(HOSTILE, "true", every="3h")
    ends = [
        state for state in RunState if state.name in {"FAILED", "TIMED_OUT", "LOST", "MISSED", "SKIPPED", "CANCELLED"}
    ]
    past = [
        (now - timedelta(minutes=7 * n), busy, RunState.SUCCEEDED if n % 30 else RunState.FAILED, 1, "")
        for n in range(1, 91)
    ]
    for hours, state in enumerate(ends, 1):
        past += [(now - timedelta(hours=hours), task, state, 20, HOSTILE) for task in (nightly, hostile)]
    # Lists rely on it that what was made later has the higher number.
    for at, task, state, minutes, reason in sorted(past, key=lambda run: run[0]):
        ended_at = at + timedelta(minutes=minutes)
        add_run(installation.db, task, state, due_at=at, created_at=at, started_at=at, ended_at=ended_at, reason=reason)
    installation.add("in-steps", "", steps=[
        {"name": "fetch", "command": "true"}, {"name": HOSTILE, "command": "false", "continue_on_failure": True},
        {"name": "load", "command": "true"},
    ])  # fmt: skip
    return installation


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pictures_are_in_order_in_every_look(browser, house, scheme, width) -> None:
    steps = house.rows("SELECT id FROM task WHERE name = 'in-steps'")[0][0]
    nightly = house.rows("SELECT id FROM task WHERE name = 'nightly-backup'")[0][0]
    with window(
        browser, house, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as page:
        require_order(judge_all(page, [*PATHS, f"/tasks/{steps}", f"/tasks/{nightly}"]))


def test_dragging_over_the_timeline_zooms_and_the_address_says_so(browser, house) -> None:
    with window(browser, house) as page:
        page.goto("/timeline")
        box = page.locator(".wb-timeline__plot").bounding_box()
        middle = box["y"] + box["height"] - 4
        page.mouse.move(box["x"] + box["width"] * 0.3, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.4, middle, steps=5)
        expect(page.locator(".wb-timeline__chosen")).to_be_visible()
        page.mouse.up()
        page.wait_for_url(re.compile(r"[?&]from=.*&to="))
        plot = page.locator(".wb-timeline__plot")
        hours = (int(plot.get_attribute("data-to")) - int(plot.get_attribute("data-from"))) / 3_600_000
        assert hours == pytest.approx(4.8, abs=0.2)
        page.get_by_role("link", name="Zoom out").click()
        page.get_by_role("link", name="Now", exact=True).click()
        expect(page.locator(".wb-picture__now")).to_be_attached()


def test_a_click_where_nothing_is_drawn_asks_why(browser, house) -> None:
    with window(browser, house) as page:
        page.goto("/timeline?q=nightly-backup&range=7d")
        # At its left edge none of these tasks had been made.
        page.locator(".wb-timeline__gap").click(position={"x": 20, "y": 14})
        expect(page).to_have_url(re.compile(r"/tasks/\d+/why\?at=20\d\d-\d\d-\d\dT\d\d:\d\d:00Z"))
        expect(page.locator("#answer")).to_contain_text("was made later")


def test_the_keyboard_walks_from_mark_to_mark_and_into_a_run(browser, house) -> None:
    with window(browser, house) as page:
        page.goto("/timeline?q=nightly-backup")
        stop = page.locator("svg a[tabindex='0']")
        expect(stop).to_have_count(1)
        stop.focus()
        before = stop.locator("title").text_content()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.querySelector('title').textContent") != before
        expect(stop).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/runs/\d+"))


def test_without_scripts_links_zoom_and_the_table_leads_to_runs(browser, house) -> None:
    with window(browser, house, java_script_enabled=False) as page:
        page.goto("/timeline")
        page.get_by_role("link", name="Zoom in").click()
        expect(page).to_have_url(re.compile("from=.*&to="))
        page.get_by_role("link", name="Earlier").click()
        page.get_by_role("link", name="± 24 h").click()
        page.get_by_text("Show as table").click()
        page.locator("details table a[href^='/runs/']").first.click()
        expect(page).to_have_url(re.compile(r"/runs/\d+"))


def test_a_day_of_the_calendar_leads_to_its_runs(browser, house) -> None:
    with window(browser, house) as page:
        page.goto("/runs/calendar")
        page.locator("svg a.wb-day--bad").last.click()
        expect(page).to_have_url(re.compile(r"/runs\?.*from="))
        expect(page.locator("table tbody tr").first).to_be_visible()


def test_a_muted_failure_needs_no_attention_until_it_is_unmuted(browser, house) -> None:
    with window(browser, house) as page:
        page.goto("/")
        row = page.locator("#attention tr").filter(has_text="nightly-backup")
        expect(row).to_be_visible()
        row.get_by_role("button", name="Mute nightly-backup").click()
        expect_notice(page, "nightly-backup is muted")
        expect(row).to_have_count(0)
        page.get_by_text("1 muted failure").click()
        page.get_by_role("button", name="Unmute nightly-backup").click()
        expect(row).to_be_visible()


def test_what_runs_shows_its_last_line_and_can_be_stopped_from_the_first_page(browser, house) -> None:
    gate = house.gate("held")
    task = house.add("held", f"echo first; echo half way there; {gate.wait}")
    with window(browser, house) as page:
        page.goto(f"/tasks/{task.id}")
        page.get_by_role("button", name="Run now").click()
        house.wait_for_state("held", "running")
        page.goto("/")
        row = page.locator("#running tr").filter(has_text="held")
        expect(row).to_contain_text("half way there")
        row.get_by_role("button", name=re.compile("Stop #")).click()
        page.get_by_role("dialog").get_by_role("button", name="Stop it").click()
        house.wait_for_state("held", "cancelled")
