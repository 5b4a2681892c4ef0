"""The scheduler stopped, started, killed and hanging, as somebody with the page open sees it."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import (
    PAGE_ONLY,
    answer,
    expect_notice,
    expect_run,
    expect_scheduler,
    run_number,
    terminal,
    window,
)
from tests.waiting import wait_until

BAR = ".wb-alarm"


def press_start(page: Page) -> None:
    page.locator(BAR).get_by_role("button", name="Start").click()


def start_long_run(page: Page, installation, name: str, command: str) -> int:
    task = installation.add(name, command)
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    expect(terminal(page)).to_contain_text("begun", timeout=20_000)
    return run_number(page)


@pytest.fixture(scope="module")
def lonely(launch):
    """Give an installation whose page is served without anybody watching over the scheduler."""
    return launch(*PAGE_ONLY)


@pytest.fixture
def lonely_page(browser, lonely):
    with window(browser, lonely) as page:
        page.goto("/")
        expect_scheduler(page, re.compile("running|stopped"))
        if page.locator(BAR).is_visible():
            press_start(page)
        expect_scheduler(page, "running")
        yield page


def test_stopping_asks_and_then_says_what_does_not_happen_until_it_is_started(page: Page, installation) -> None:
    page.goto("/tasks")
    expect_scheduler(page, "running")
    page.locator(".wb-pill > summary").click()
    panel = page.locator(".wb-pill .wb-panel")
    expect(panel).to_contain_text(str(installation.scheduler_pid()))
    panel.get_by_role("button", name="Stop").click()
    answer(page, f"Stop the scheduler (pid {installation.scheduler_pid()})?", "Stop the scheduler")

    expect(page).to_have_url(f"{installation.root}/tasks")
    expect_scheduler(page, "stopped")
    expect(page.locator(BAR)).to_contain_text("The scheduler is stopped: no task starts.")
    page.goto("/runs")
    press_start(page)
    expect_notice(page, "The scheduler is running, pid")
    expect_scheduler(page, "running")
    expect(page.locator(BAR)).to_have_count(0)
    expect(page).to_have_url(f"{installation.root}/runs")


def test_restarting_gives_another_process_and_running_commands_go_on(page: Page, installation) -> None:
    gate = installation.gate("restart")
    start_long_run(page, installation, "outlives", f"echo begun; {gate.wait}; echo ended")
    before = installation.scheduler_pid()
    page.locator(".wb-pill > summary").click()
    page.locator(".wb-pill .wb-panel").get_by_role("button", name="Restart").click()
    answer(page, f"Restart the scheduler (pid {before})?", "Restart the scheduler")

    expect_notice(page, "The scheduler has been restarted")
    assert installation.scheduler_pid() != before
    gate.open()
    expect_run(page, "succeeded")
    expect(terminal(page)).to_contain_text("ended")


def test_a_killed_scheduler_is_started_again_by_up_itself(page: Page, installation) -> None:
    page.goto("/")
    expect_scheduler(page, "running")
    killed = installation.kill_scheduler()
    pill = page.locator("[data-live-part=scheduler-pill]")

    wait_until(lambda: installation.scheduler_pid() != killed, 20, "another scheduler")
    expect(pill).to_contain_text(f"pid {installation.scheduler_pid()}", timeout=15_000)
    expect_scheduler(page, "running")


@pytest.mark.parametrize("ends", ["while nobody watches", "after it was taken over"])
def test_a_run_whose_scheduler_was_killed_gets_its_true_result_after_start(lonely_page, lonely, ends) -> None:
    page, gate = lonely_page, lonely.gate(ends)
    number = start_long_run(page, lonely, f"ends {ends}", f"echo begun; {gate.wait}; echo 'the end'; exit 7")
    lonely.kill_scheduler()
    expect_scheduler(page, "stopped", timeout=15)
    expect(page.locator(BAR)).to_contain_text("no task starts")
    expect_run(page, "running")
    if ends == "while nobody watches":
        gate.open()
        expect(terminal(page)).to_contain_text("the end")
    press_start(page)
    expect_scheduler(page, "running")
    if ends == "after it was taken over":
        expect_run(page, "running")
        gate.open()

    expect_run(page, "failed")
    expect(page.locator("[data-live-part=run-head]")).to_contain_text("exit 7")
    expect(terminal(page)).to_contain_text("the end")
    page.get_by_role("link", name="History of states").click()
    expect(page.locator("[data-live-part=run-history]")).to_contain_text(re.compile("taken over|adopted"))
    assert lonely.rows("SELECT count(*) FROM attempt WHERE run_id = ?", number) == [(1,)]


def test_a_scheduler_that_hangs_is_told_within_fifteen_seconds(lonely_page, lonely) -> None:
    os.kill(lonely.scheduler_pid(), signal.SIGSTOP)
    try:
        expect_scheduler(lonely_page, "stalled", timeout=15 + 5)
        expect(lonely_page.locator(BAR)).to_contain_text("does not respond")
    finally:
        os.kill(lonely.scheduler_pid(), signal.SIGCONT)
    expect_scheduler(lonely_page, "running", timeout=15)
    expect(lonely_page.locator(BAR)).to_have_count(0)


def test_what_is_run_by_hand_while_it_is_stopped_waits_and_says_so(lonely_page, lonely) -> None:
    page = lonely_page
    page.get_by_role("region", name="Scheduler").get_by_role("button", name="Stop").click()
    answer(page, f"Stop the scheduler (pid {lonely.scheduler_pid()})?", "Stop the scheduler")
    expect_scheduler(page, "stopped")
    task = lonely.add("waits", "echo at last")
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    expect_notice(page, re.compile("scheduler"))
    expect_run(page, "queued")
    expect(page.locator(".wb-empty")).to_contain_text("Press Start, and this run begins.")
    press_start(page)

    expect_run(page, "succeeded")
    expect(terminal(page)).to_contain_text("at last")
