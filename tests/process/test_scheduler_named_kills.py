"""Kill the scheduler at one exact point of its work: the next one ends the run with its true result, started once."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from tests.process.lives import list_processes
from tests.waiting import wait_until
from watchbell import clock
from watchbell.execution import Bundles, runtime_root
from watchbell.services import runs, triggers

pytestmark = pytest.mark.fault

#: The output is more than what goes into a row, so that a kept file takes part.
BYTES = 40_000
EXPECTED_OUTPUT = b"run 1\n" + b"x" * BYTES
#: Where a scheduler with one run dies, and how many attempts the run has in the end: the second one is made only where
#: the first is known not to have started. A keeper that was asked may have begun, or find that nobody asks any more.
AT_WORK = {
    "before the ticket is committed": 1,
    "after the ticket is committed": 2,
    "before the keeper is asked": 2,
    "after the keeper is asked": None,
    "before its start is heard": 1,
    "before the pid is committed": 1,
    "after the command has ended": 1,
    "after the output is kept": 1,
    "after the result is collected": 1,
    "before the result is committed": 1,
    "after the result is committed": 1,
    "in the middle of removing its files": 1,
}
#: Where a scheduler dies that finds a run of an earlier life in the air.
AT_ADOPTION = ["before runs are taken over", "after runs are taken over", "in the middle of adopting"]


def by_hand(lab, seconds=0.3) -> None:
    task = lab.add_task("job", seconds, 7, BYTES)
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")


def by_schedule(lab, seconds=0.3) -> None:
    # Moments are whole seconds, and one that is past is refused.
    at = clock.now() + timedelta(seconds=1.2)
    lab.add_task("job", seconds, 7, BYTES, at=at.isoformat())


def output_of(lab, run_id: int, stream: str) -> bytes:
    source = runs.find_output(lab.db, run_id, stream)
    assert source is not None
    if source.kept is None:
        return b""
    return source.kept.content or (lab.config.output_path / source.kept.file).read_bytes()


def assert_true_result(lab, attempts: int | None) -> None:
    """Check the one run there is against what its command did and wrote."""
    row = lab.run(1)
    assert (row["state"], row["exit_code"]) == ("failed", 7), row["reason"]
    assert row["attempts"] in ((attempts,) if attempts else (1, 2))
    assert len(lab.effect_lines("START")) == len(lab.effect_lines("END")) == 1
    assert (output_of(lab, 1, "stdout"), output_of(lab, 1, "stderr")) == (EXPECTED_OUTPUT, b"to stderr\n")
    attempt = lab.rows("SELECT * FROM attempt ORDER BY number DESC")[0]
    assert (attempt["exit_code"], attempt["signal"]) == (7, None)
    assert attempt["started_at"] <= attempt["ended_at"]
    assert not list_processes(lab.token)


def assert_nothing_is_left(lab) -> None:
    bundles = Bundles(runtime_root(lab.home), lab.home / "active", 1)
    assert list(bundles.list()) == []


def die_at(lab, point: str) -> None:
    life = lab.start(point)
    assert life.reap() == -signal.SIGKILL, f"it never came to {point}:\n{lab.scheduler_words()}"


@pytest.mark.parametrize("ask", [by_hand, by_schedule])
@pytest.mark.parametrize("point", AT_WORK)
def test_a_run_survives_a_kill(lab, point, ask):
    ask(lab)
    die_at(lab, point)

    with lab.running():
        wait_until(lambda: lab.rows("SELECT 1 FROM run WHERE ended_at IS NOT NULL"), 20, "the end of the run")
        assert_true_result(lab, AT_WORK[point])
    assert_nothing_is_left(lab)


@pytest.mark.parametrize("seconds", [0, 3], ids=["ended meanwhile", "still going"])
@pytest.mark.parametrize("point", AT_ADOPTION)
def test_a_run_survives_a_kill_of_the_one_that_takes_it_over(lab, point, seconds):
    by_hand(lab, seconds)
    die_at(lab, "before its start is heard")
    die_at(lab, point)
    die_at(lab, point)

    with lab.running():
        lab.wait_for_state(1, "failed")
        assert_true_result(lab, 1)


def test_a_run_survives_a_kill_while_it_goes_on(lab):
    by_hand(lab, 1)
    first = lab.start()
    lab.wait_for_state(1, "running")
    first.kill()

    with lab.running():
        lab.wait_for_state(1, "failed")
        assert_true_result(lab, 1)


def test_a_result_that_came_while_nobody_was_there_is_recorded_with_its_own_time(lab):
    by_hand(lab, 0.5)
    first = lab.start()
    lab.wait_for_state(1, "running")
    first.kill()
    wait_until(lambda: not list_processes(lab.token), 20, "the command to end")
    before = clock.now()

    with lab.running():
        lab.wait_for_state(1, "failed")
        assert_true_result(lab, 1)
    assert lab.run(1)["ended_at"] < before.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_an_attempt_that_was_never_made_claims_no_start(lab):
    by_hand(lab)
    die_at(lab, "before the keeper is asked")

    with lab.running():
        lab.wait_for_state(1, "failed")
    first = lab.rows("SELECT * FROM attempt WHERE number = 1")[0]
    assert (first["started_at"], first["pid"], first["exit_code"]) == (None, None, None)
    assert "never started" in first["reason"]


def test_a_stop_that_is_killed_in_the_middle_loses_nothing(lab):
    by_hand(lab, 0.5)
    life = lab.start("in the middle of stopping")
    lab.wait_for_state(1, "running")
    assert life.stop() == -signal.SIGKILL

    with lab.running():
        lab.wait_for_state(1, "failed")
        assert_true_result(lab, 1)


def test_a_cancel_that_came_while_nobody_was_there_ends_the_command(lab):
    by_hand(lab, 60)
    first = lab.start()
    lab.wait_for_state(1, "running")
    first.kill()
    runs.cancel(lab.db, 1, now=clock.now(), actor="tester")

    with lab.running():
        assert lab.wait_for_state(1, "cancelled")["ended_at"]
    assert not list_processes(lab.token)


def test_a_cancel_of_a_run_that_was_never_started_keeps_it_from_starting(lab):
    by_hand(lab)
    die_at(lab, "before the keeper is asked")
    runs.cancel(lab.db, 1, now=clock.now(), actor="tester")

    with lab.running():
        lab.wait_for_state(1, "cancelled")
    assert lab.effect_lines() == []


def test_a_kill_between_a_cancel_and_its_record_keeps_it_a_cancel(lab):
    by_hand(lab, 60)
    life = lab.start("after the command has ended")
    lab.wait_for_state(1, "running")
    runs.cancel(lab.db, 1, now=clock.now(), actor="tester")
    assert life.reap() == -signal.SIGKILL

    with lab.running():
        row = lab.wait_for_state(1, "cancelled", "failed", "lost")
    assert (row["state"], row["exit_code"]) == ("cancelled", None), row["reason"]
    assert "ended on request: killed by SIGTERM" in row["reason"]


def test_a_kill_between_a_time_limit_and_its_record_keeps_it_a_time_out(lab):
    task = lab.add_task("job", 60, 7, time_limit_seconds=1)
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    die_at(lab, "after the command has ended")

    with lab.running():
        row = lab.wait_for_state(1, "timed_out", "failed", "lost")
    assert row["state"] == "timed_out", row["reason"]
    assert "time limit of 1 s reached" in row["reason"]


def test_a_command_that_ended_before_its_cancel_keeps_its_result(lab):
    by_hand(lab, 0.3)
    die_at(lab, "after the command has ended")
    runs.cancel(lab.db, 1, now=clock.now(), actor="tester")

    with lab.running():
        lab.wait_for_state(1, "failed", "cancelled")
        assert_true_result(lab, 1)


def test_a_chain_goes_on_after_a_kill_between_the_end_of_a_task_and_the_birth_of_the_next(lab):
    by_hand(lab, 0)
    lab.add_task("next", after=[{"task": "job", "on": "failed"}])
    die_at(lab, "before the child of a chain is committed")
    assert len(lab.rows("SELECT 1 FROM run")) == 1

    with lab.running():
        wait_until(lambda: lab.states(state="succeeded"), 20, "the end of the chain")
    assert [tuple(row) for row in lab.rows("SELECT trigger, state, group_id FROM run ORDER BY id")] == [
        ("manual", "failed", None),
        ("chain", "succeeded", 1),
    ]
    assert len(lab.effect_lines("START")) == len(lab.effect_lines("END")) == 2
