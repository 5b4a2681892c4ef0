"""A database that somebody else holds locked makes the scheduler late, never dead, and costs no occurrence."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from datetime import UTC, datetime

import pytest

from tests.fault.scale import LONG
from tests.process.lives import LAB, list_processes
from tests.process.oracle import Oracle
from tests.process.points import FAIL_NOW
from watchbell import clock
from watchbell.services import runs, tasks, triggers

pytestmark = pytest.mark.fault


@contextlib.contextmanager
def locked(lab, how="BEGIN IMMEDIATE"):
    """Hold the database locked for writers while the block lasts."""
    with contextlib.closing(sqlite3.connect(lab.file, timeout=20, isolation_level=None)) as connection:
        connection.execute(how)
        yield
        connection.execute("ROLLBACK")


def log_of(lab) -> str:
    return lab.config.log_path.read_text()


# A lock of longer than a statement waits is tried with tests/fault/test_f10_f11_f12_database.py each time.
@pytest.mark.parametrize("seconds", [2, *([12] if LONG else [])])
def test_a_lock_makes_the_scheduler_late_and_nothing_is_lost(lab, seconds):
    made = [lab.add_task(f"task-{number}", number * 0.4, 5 + number, every="1s") for number in range(3)]
    made.append(lab.add_task("all", 0, 0, every="1s", catch_up="all"))
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    with lab.running() as life:
        lab.wait(lambda: len(lab.effect_lines("END")) >= 4, "first runs")
        with locked(lab):
            assert not life.ended(seconds)
        until = datetime.now(UTC)
        behind = "SELECT count(*) FROM task WHERE cursor_at < ?"
        lab.wait(lambda: lab.rows(behind, str(until.replace(tzinfo=None)))[0][0] == 0, "the scheduler to catch up", 5)
        for task in made:
            tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "all runs to end")
    verdict = oracle.judge(until)

    assert not verdict.all_violations
    assert verdict.counts["started"] >= seconds
    if seconds > 10:
        # Shorter locks are waited for within one statement, so there is nothing to tell.
        assert "Late: the database is locked" in log_of(lab)
        assert "The database answers again" in log_of(lab)


def test_a_result_that_came_during_a_lock_is_recorded_with_its_own_time(lab):
    task = lab.add_task("job", 0.5, 7)
    with lab.running() as life:
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
        lab.wait(lambda: lab.effect_lines("START"), "the start")
        with locked(lab):
            lab.wait(lambda: not list_processes(lab.token), "the command to end")
            ended = clock.now()
            assert not life.ended(1.5)
        row = lab.wait_for_state(1, "failed")
    assert row["ended_at"] <= ended.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_a_time_limit_holds_while_the_database_is_locked(lab):
    task = lab.add_task("job", 60, 0, time_limit_seconds=1, grace_seconds=1)
    with lab.running():
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
        lab.wait(lambda: lab.effect_lines("START"), "the start")
        with locked(lab):
            lab.wait(lambda: not list_processes(lab.token), "the tree to be ended", 6)
        lab.wait_for_state(1, "timed_out")


def test_a_start_waits_for_a_locked_database(lab):
    task = lab.add_task("job", 0, 7)
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    with locked(lab):
        life = lab.start()
        assert not life.ended(1)

    lab.wait_for_state(1, "failed")
    assert life.stop() == 0


@pytest.mark.parametrize("when", ["starting", "working"])
def test_a_stop_is_heard_while_the_database_is_locked(lab, when):
    life = lab.start()
    if when == "working":
        life.wait_for_beat()
    with locked(lab):
        assert not life.ended(1)
        life.signal(signal.SIGTERM)
        # The end is tried to be written down for a while; the page waits 15 s for it.
        assert life.reap(15) in {0, 1, -signal.SIGTERM}


def test_an_old_reader_neither_stops_nor_bloats_anything(lab):
    lab.add_task("tick", 0, 0, every="1s")
    with contextlib.closing(sqlite3.connect(lab.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM run").fetchone()
        with lab.running():
            lab.wait(lambda: lab.states().count("succeeded") >= 4, "runs beside an old reader")
    assert lab.file.with_name("watchbell.db-wal").stat().st_size < 8 * 1024 * 1024


def test_a_run_by_hand_is_noticed_although_reading_fails_once(lab):
    task = lab.add_task("job", 0, 7)
    life = lab.start("reading changed tasks fails once")
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    lab.wait_for_state(1, "failed")
    (lab.home / FAIL_NOW).touch()

    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")

    lab.wait_for_state(2, "failed", timeout=5)
    assert "Late: the disk of the database is full" in log_of(lab)
    assert life.stop() == 0


def test_a_cancel_is_noticed_although_reading_fails_once(lab):
    task = lab.add_task("job", 60, 7)
    life = lab.start("reading runs to be ended fails once")
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    lab.wait_for_state(1, "running")
    (lab.home / FAIL_NOW).touch()

    runs.cancel(lab.db, 1, now=clock.now(), actor="tester")

    lab.wait_for_state(1, "cancelled", timeout=5)
    assert "Late: the disk of the database is full" in log_of(lab)
    assert life.stop() == 0
