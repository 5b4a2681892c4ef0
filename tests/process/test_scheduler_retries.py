"""Trying again what has failed, and asking a person about what nobody knows, with a real scheduler and real commands."""

from __future__ import annotations

import contextlib
import os
import signal
from datetime import timedelta

import pytest

from tests.process.asking import all_over, check, moment, run_now
from tests.process.lives import list_processes
from watchbell import clock
from watchbell.services import decisions, runs


def retried(lab, code: int | str, **policies: object) -> int:
    made = {"retries": 3, "retry_delay_seconds": 0, "uncertain": "run_again", **policies}
    return run_now(lab, lab.add_task(f"job-{code}-{len(lab.rows('SELECT 1 FROM task'))}", 0, code, **made))


def test_a_failed_run_is_tried_again_as_often_as_its_task_says(lab):
    always = retried(lab, 7)
    never = retried(lab, 0)
    wanted = retried(lab, 75, retry_on="75-79")
    other = retried(lab, 7, retry_on="75-79")
    excluded = retried(lab, 2, retry_not_on="2")
    absent = retried(lab, 127)
    bounded = retried(lab, 7, retry_delay_seconds=60, retry_total_seconds=5)
    slow = lab.add_task("slow", 60, 0, time_limit_seconds=1, grace_seconds=0, retries=1, retry_delay_seconds=0)
    late = run_now(lab, slow)

    with lab.running():
        lab.wait(lambda: all_over(lab), "all runs to end", 30)

    times = {run: len(lab.effect_lines("START", run)) for run in range(1, 9)}
    assert times == {always: 4, never: 1, wanted: 4, other: 1, excluded: 1, absent: 1, bounded: 1, late: 2}
    assert lab.run(always)["reason"] == "exit code 7; given up after 4 attempts"
    assert lab.run(other)["reason"] == "exit code 7; attempt 1 of 4; policy: this result is not retried"
    assert "no attempt later than 5 s" in lab.run(bounded)["reason"]
    assert (lab.run(late)["state"], lab.run(late)["attempts"]) == ("timed_out", 2)
    waits = lab.rows("SELECT reason FROM run_event WHERE run_id = ? AND to_state = 'retry_wait' ORDER BY id", always)
    assert [row["reason"].partition("; next")[0] for row in waits] == [
        f"attempt {n} of 4: exit code 7" for n in (1, 2, 3)
    ]


def test_an_attempt_that_succeeds_ends_the_tries(lab):
    file = lab.home / "tries"
    task = lab.add("job", f"echo x >> {file}; [ $(wc -l < {file}) -eq 3 ]", retries=5, retry_delay_seconds=0)
    run = run_now(lab, task)
    with lab.running():
        row = lab.wait_for_state(run, "succeeded")
    assert (row["attempts"], row["exit_code"]) == (3, 0)
    assert file.read_text() == "x\n" * 3


def test_the_delay_before_an_attempt_holds_across_a_kill_of_the_scheduler_and_blocks_its_task(lab):
    task = lab.add_task("job", 0, 7, retries=1, retry_delay_seconds=3, uncertain="run_again")
    run = run_now(lab, task)
    life = lab.start()
    row = lab.wait_for_state(run, "retry_wait")
    second = run_now(lab, task)
    life.kill()

    with lab.running():
        lab.wait_for_state(run, "failed")
        lab.wait(lambda: all_over(lab), "the second run to end", 20)

    begins = [moment(a["started_at"]) for a in lab.rows("SELECT * FROM attempt WHERE run_id = ? ORDER BY number", run)]
    assert moment(row["retry_at"]) <= begins[1] < moment(row["retry_at"]) + timedelta(seconds=5)
    first_start_of_second = moment(lab.rows("SELECT * FROM attempt WHERE run_id = ?", second)[0]["started_at"])
    assert first_start_of_second > begins[1]
    check(lab)


def test_a_run_that_waits_for_its_next_attempt_can_be_cancelled(lab):
    run = retried(lab, 7, retry_delay_seconds=3600, retry_max_delay_seconds=3600)
    with lab.running():
        lab.wait_for_state(run, "retry_wait")
        runs.cancel(lab.db, run, now=clock.now(), actor="tester")
        assert lab.run(run)["state"] == "cancelled"
    assert len(lab.effect_lines("START", run)) == 1


def end_all(lab, life) -> None:
    """Kill the scheduler and all that it has started, so that nothing is left that could tell how a command ended."""
    life.kill_with_keeper()
    lab.wait(lambda: not _kill_some(lab), "the commands to be gone")


def _kill_some(lab) -> list[int]:
    found = sorted(list_processes(lab.token))
    for pid in found:
        # It may have ended since it was listed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


@pytest.mark.parametrize("choice", decisions.CHOICES)
def test_where_nobody_knows_whether_it_ran_a_person_is_asked_and_decides_once(lab, choice):
    run = run_now(lab, lab.add_task("job", 30, uncertain="ask"))
    life = lab.start()
    lab.wait_for_state(run, "running")
    end_all(lab, life)

    with lab.running():
        lost = lab.wait_for_state(run, "lost")
        assert lost["decision"] == "open"
        assert "policy: a person decides" in lost["reason"]
        assert [found.id for found in decisions.list_open(lab.db)] == [run]
        answer = decisions.decide(lab.db, run, choice, now=clock.now(), actor="anna")
        if choice == "run_again":
            lab.wait_for_state(answer.id, "running")
            runs.cancel(lab.db, answer.id, now=clock.now(), actor="tester")
            lab.wait_for_state(answer.id, "cancelled")
    assert decisions.count_open(lab.db) == 0
    assert len(lab.effect_lines("START", run)) == 1
    assert len(lab.states()) == (2 if choice == "run_again" else 1)
    assert lab.run(run)["state"] == "lost"
