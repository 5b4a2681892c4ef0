"""Many short runs at once, whose tickets may be ahead of their seats: the bound holds, and stops and kills cost none of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from watchbell import clock
from watchbell.errors import Conflict
from watchbell.services import pauses, runs, triggers

pytestmark = pytest.mark.fault

RUNS = 160
SEATS = 24


@pytest.fixture
def crowded(make_lab):
    lab = make_lab(max_running=SEATS)
    for number in range(RUNS):
        task = lab.add_task(f"job-{number}", 0, 0)
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    return lab


def most_at_once(lab) -> int:
    """Return how many commands lived at a time at the most, by what they have told themselves."""
    now = most = 0
    for line in lab.effects.read_text().splitlines():
        now += 1 if line.split()[5] == "START" else -1
        most = max(most, now)
    return most


def wait_for_all(lab, *states: str) -> None:
    lab.wait(lambda: set(lab.states()) <= set(states), f"all to be {states}", 60)


def assert_each_started_once(lab) -> None:
    started = [int(line[0]) for line in lab.effect_lines("START")]
    assert sorted(started) == [row["id"] for row in lab.rows("SELECT id FROM run ORDER BY id")]
    assert most_at_once(lab) <= SEATS


def test_no_more_commands_run_at_a_time_than_may(crowded):
    with crowded.running():
        wait_for_all(crowded, "succeeded")
    assert_each_started_once(crowded)


def test_a_stop_in_a_crowd_leaves_each_run_to_be_started_once(crowded):
    with crowded.running():
        crowded.wait(lambda: len(crowded.effect_lines("START")) >= RUNS // 3, "a third to start")
    assert "queued" in crowded.states()
    with crowded.running():
        wait_for_all(crowded, "succeeded")
    assert_each_started_once(crowded)


def test_a_kill_in_a_crowd_costs_no_run_its_start_and_its_result(crowded):
    life = crowded.start()
    crowded.wait(lambda: len(crowded.effect_lines("START")) >= RUNS // 3, "a third to start")
    life.kill()

    with crowded.running():
        wait_for_all(crowded, "succeeded")
    started = [int(line[0]) for line in crowded.effect_lines("START")]
    assert sorted(started) == [row["id"] for row in crowded.rows("SELECT id FROM run ORDER BY id")]


def test_a_run_of_a_crowd_that_is_cancelled_is_over_whether_it_had_its_seat_or_not(crowded):
    waiting = [row["id"] for row in crowded.rows("SELECT id FROM run ORDER BY id DESC LIMIT 40")]
    with crowded.running():
        crowded.wait(lambda: crowded.effect_lines("START"), "the first to start")
        for run_id in waiting:
            # It may have ended by itself before it is asked to.
            with contextlib.suppress(Conflict):
                runs.cancel(crowded.db, run_id, now=clock.now(), actor="tester")
        wait_for_all(crowded, "succeeded", "cancelled")
    started = {int(line[0]) for line in crowded.effect_lines("START")}
    never = {row["id"] for row in crowded.rows("SELECT id FROM run WHERE started_at IS NULL")}
    assert not started & never
    assert len(started) == RUNS - len(never)


def test_a_pause_holds_up_what_had_a_ticket_ahead_of_its_seat(make_lab):
    lab = make_lab(max_running=SEATS)
    brief = [lab.add_task(f"brief-{number}", 0, 0, priority=10) for number in range(4 * SEATS)]
    slow = [lab.add_task(f"slow-{number}", 0.9, 0) for number in range(4 * SEATS)]
    for task in [*brief, *slow]:
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")

    def begun() -> list[list[str]]:
        return [line for line in lab.effect_lines("START") if line[3].startswith("slow")]

    with lab.running():
        lab.wait(lambda: len(begun()) >= SEATS, "every seat to be taken for a while", 60)
        pauses.pause(lab.db, "everything", now=clock.now(), actor="anna")
        paused_at = float(Path("/proc/uptime").read_text().split()[0])
        lab.wait(lambda: set(lab.states()) <= {"queued", "succeeded"}, "all that goes on to end", 60)

    late = [line for line in begun() if float(line[7]) > paused_at + 0.5]
    assert late == []
