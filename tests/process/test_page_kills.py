"""Kill the web server: neither commands nor their results nor the scheduler depend on it."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import threading
import urllib.error

import pytest

from tests.fault.scale import LONG
from tests.process.page import Page
from watchbell import clock
from watchbell.control import pidfile, process
from watchbell.errors import NotRunning
from watchbell.services import triggers

pytestmark = pytest.mark.fault


@pytest.fixture
def house(lab):
    """Return an installation whose scheduler, whoever starts it, is ended with the test."""
    yield lab
    # A test may have stopped it already.
    with contextlib.suppress(NotRunning):
        process.stop(lab.config, lab.db, kill=True)


@pytest.fixture
def open_page(house):
    """Start the page, with or without a scheduler beside it."""
    pages = []

    def open_one(program: str = "dashboard") -> Page:
        pages.append(Page(house, program))
        return pages[-1]

    yield open_one
    for page in pages:
        page.kill()


def press(page, path) -> threading.Thread:
    """Press a button without waiting for the answer, which may never come."""

    def work() -> None:
        # The server is killed while it answers; what counts is what it has done by then.
        with contextlib.suppress(urllib.error.URLError, http.client.HTTPException, OSError):
            page.post(path)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def run_now(lab, task) -> int:
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester").id


def test_the_page_starts_and_stops_a_scheduler_that_outlives_it(house, open_page):
    task = house.add_task("job", 2, 7)
    page = open_page()
    assert "is running" in page.post("/scheduler/start")
    run_id = run_now(house, task)
    house.wait_for_state(run_id, "running")

    page.kill()

    row = house.wait_for_state(run_id, "failed")
    assert (row["exit_code"], row["attempts"]) == (7, 1)
    after = open_page()
    assert "The scheduler is running already" in after.post("/scheduler/start")
    assert "has stopped" in after.post("/scheduler/stop")
    assert not pidfile.is_held(house.config)


def test_page_and_scheduler_are_found_again_after_both_were_killed(house, open_page):
    task = house.add_task("job", 3, 7)
    page = open_page("up")
    house.wait(lambda: house.rows("SELECT 1 FROM scheduler"), "the scheduler")
    run_id = run_now(house, task)
    house.wait_for_state(run_id, "running")
    owner = pidfile.find_owner(house.config)

    page.kill()
    os.kill(owner.pid, signal.SIGKILL)
    again = open_page("up")

    row = house.wait_for_state(run_id, "failed")
    assert (row["exit_code"], row["attempts"], len(house.effect_lines("START"))) == (7, 1, 1)
    assert again.stop() == 0
    assert not pidfile.is_held(house.config)


def test_a_scheduler_that_is_killed_under_the_page_is_started_again(house, open_page):
    task = house.add_task("job", 2, 7)
    open_page("up")
    house.wait(lambda: house.rows("SELECT 1 FROM scheduler"), "the scheduler")
    run_id = run_now(house, task)
    house.wait_for_state(run_id, "running")

    os.kill(pidfile.find_owner(house.config).pid, signal.SIGKILL)

    assert house.wait_for_state(run_id, "failed")["exit_code"] == 7
    house.wait(lambda: len(house.rows("SELECT 1 FROM scheduler")) == 2, "the next scheduler")


@pytest.mark.parametrize("moment", [0.05, 0.3, 0.8] if LONG else [0.3])
def test_a_kill_of_the_page_while_it_starts_the_scheduler_leaves_one_or_none(house, open_page, moment):
    task = house.add_task("job", 0, 7)
    run_id = run_now(house, task)
    page = open_page()
    pressed = press(page, "/scheduler/start")

    pressed.join(moment)
    page.kill()
    pressed.join(20)
    after = open_page()
    after.post("/scheduler/start")

    assert house.wait_for_state(run_id, "failed")["exit_code"] == 7
    assert pidfile.is_held(house.config)
    living = [row for row in house.rows("SELECT * FROM scheduler") if row["stopped_at"] is None]
    assert len(living) == 1
    assert len(house.effect_lines("START")) == 1


def test_a_worker_that_is_killed_while_it_answers_doubles_no_run(house, open_page):
    task = house.add_task("job", 0, 7, overlap="allow")
    chance = random.Random(7)
    page = open_page()
    page.post("/scheduler/start")

    for _ in range(5):
        pressed = press(page, f"/tasks/{task.id}/run")
        pressed.join(chance.uniform(0.0, 0.3))
        for worker in page.workers():
            os.kill(worker, signal.SIGKILL)
        pressed.join(20)
        house.wait(page.is_served, "a new worker")

    page.post(f"/tasks/{task.id}/run")
    house.wait(lambda: not house.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "all runs to end")
    states = house.states()
    print(states)
    assert 1 <= len(states) <= 6
    assert states == ["failed"] * len(states)
    assert len(house.effect_lines("START")) == len(states)
