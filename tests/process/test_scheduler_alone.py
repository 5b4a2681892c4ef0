"""One scheduler to a data directory, and what happens when two work on one database all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.process.lives import LAB, ROOT, list_processes
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.errors import EXIT_ALREADY_RUNNING
from watchbell.services import tasks, triggers

pytestmark = pytest.mark.fault


def test_a_second_start_is_refused_with_the_owners_pid(lab):
    with lab.running() as life:
        second = subprocess.run(
            [sys.executable, "-m", "watchbell", "--home", str(lab.home), "scheduler", "run"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
            timeout=30,
        )

        assert second.returncode == EXIT_ALREADY_RUNNING
        assert f"PID {life.pid}" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1
        assert not life.ended(0)


@pytest.mark.parametrize("batch", range(4))
def test_of_two_that_start_at_the_same_instant_exactly_one_survives(make_lab, batch):
    labs = [make_lab(f"home-{number}") for number in range(5)]
    pairs = [(lab.start(), lab.start()) for lab in labs]

    for lab, pair in zip(labs, pairs, strict=True):
        lab.wait(lambda pair=pair: any(life.ended(0) for life in pair), "one of the two to give way")
        loser, winner = sorted(pair, key=lambda life: not life.ended(0))
        assert loser.reap() == EXIT_ALREADY_RUNNING
        winner.wait_for_beat()
        assert lab.rows("SELECT pid FROM scheduler")[0]["pid"] == winner.pid
        assert len(lab.rows("SELECT 1 FROM scheduler")) == 1
        winner.kill()


def test_a_start_right_after_a_kill_is_not_refused(lab):
    for _ in range(5):
        life = lab.start()
        life.wait_for_beat()
        life.kill()

    with lab.running():
        assert len(lab.rows("SELECT 1 FROM scheduler")) == 6


@pytest.fixture
def shared(make_lab):
    """Return two installations with data directories of their own and one database."""
    one = make_lab("one")
    return one, make_lab("two", database_url=one.config.database_url)


def test_two_data_directories_on_one_database_never_double_a_start(shared):
    one, two = shared
    made = [one.add_task(f"task-{number}", number * 0.1, "own", every="1s") for number in range(6)]
    oracle = Oracle(one.file, one.effects, (LAB, one.token))
    first = one.start()
    first.wait_for_beat()

    for _ in range(6):
        second = two.start()
        assert not second.ended(1.0), two.scheduler_words()
        second.kill()
        oracle.snapshot()
    last = two.start()
    last.wait_for_beat()
    until = datetime.now(UTC)
    behind = "SELECT count(*) FROM task WHERE cursor_at < ?"
    one.wait(lambda: one.rows(behind, str(until.replace(tzinfo=None)))[0][0] == 0, "both to catch up")
    for task in made:
        tasks.set_enabled(one.db, task.id, False, now=clock.now(), actor="tester")
    one.wait(lambda: not list_processes(one.token), "the commands to end")
    first.stop()
    last.stop()

    # What the killed ones had in the air waits for a scheduler of their own data directory.
    with two.running():
        one.wait(lambda: not one.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "all runs to end")
    assert not oracle.judge(until).all_violations


def test_a_start_from_another_data_directory_leaves_living_runs_alone(shared):
    one, two = shared
    task = one.add_task("job", 3, 7)
    triggers.run_now(one.db, task.id, now=clock.now(), actor="tester")
    first = one.start()
    one.wait_for_state(1, "running")

    second = two.start()
    second.wait_for_beat()

    row = one.wait_for_state(1, "failed", "lost", "succeeded")
    assert (row["state"], row["exit_code"]) == ("failed", 7), row["reason"]
    first.signal(signal.SIGTERM)
    second.signal(signal.SIGTERM)
    assert (first.reap(), second.reap()) == (0, 0)


def test_a_run_that_another_data_directory_left_in_the_air_is_not_started_again(shared):
    one, two = shared
    task = one.add_task("job", 1, 7)
    triggers.run_now(one.db, task.id, now=clock.now(), actor="tester")
    assert one.start("before its start is heard").reap() == -signal.SIGKILL
    assert one.run(1)["state"] == "starting"

    with two.running():
        one.wait(lambda: not list_processes(one.token), "the command to end")
    with one.running():
        one.wait_for_state(1, "failed")

    assert one.run(1)["exit_code"] == 7
    assert len(one.effect_lines("START")) == 1


def test_a_run_is_taken_over_although_the_machine_has_another_name_now(make_lab):
    before = make_lab("home", hostname="old-name")
    task = before.add_task("job", 0.5, 7)
    triggers.run_now(before.db, task.id, now=clock.now(), actor="tester")
    life = before.start()
    before.wait_for_state(1, "running")
    life.kill()

    after = make_lab("home", hostname="new-name")
    with after.running():
        assert after.wait_for_state(1, "failed")["exit_code"] == 7
