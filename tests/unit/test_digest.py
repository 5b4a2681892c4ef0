"""What is made of runs after their end: once of each, whatever happens in between, and it outlives the runs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_task
from tests.unit.turning import MINUTE, due_task, result_of, turn, verdict_at
from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound
from watchbell.services import failures, judgements, metrics, retention
from watchbell.services.digest import Digest
from watchbell.services.retention import Rules
from watchbell.store.session import Database

FAR = NOW + timedelta(days=3650)


def end_runs(db: Database, name: str, count: int, *path: RunState) -> int:
    """Let a task have so many runs that have come to their end."""
    task = add_task(db, name)
    for minute in range(count):
        (ticket,) = turn(db, due_task(task, verdict_at(minute))).tickets
        turn(db, results=[result_of(ticket, *path, state=RunState.STARTING)])
    return task.id


def work_off(db: Database, limit: int = 100) -> int:
    steps = 0
    follow = Digest(db, Path())
    while follow.step(now=FAR, limit=limit):
        steps += 1
    return steps


def tallies(db: Database, task_id: int) -> dict:
    (day,) = metrics.list_days(db, since=NOW.date(), until=NOW.date(), task_ids=[task_id])
    return {"runs": day.runs, **day.tallies}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_every_run_is_counted_once_however_the_steps_fall(db: Database, limit: int) -> None:
    task_id = end_runs(db, "a", 5)
    work_off(db, limit)
    other = end_runs(db, "b", 2, RunState.FAILED)
    work_off(db, limit)

    assert work_off(db) == 0
    assert tallies(db, task_id)["runs"] == 5
    assert tallies(db, task_id)["success"][:2] == (5, 5.0)
    assert tallies(db, other)["success"][:2] == (2, 0.0)
    assert tallies(db, other)["user_time_seconds"] == (2, 1.0, 0.5, 0.5, 0.5)


def test_nothing_is_written_while_nothing_has_ended(db: Database) -> None:
    end_runs(db, "a", 1)
    work_off(db)

    assert not Digest(db, Path()).is_behind()
    assert not Digest(db, Path()).step(now=FAR, limit=10)


def test_what_a_day_came_to_is_still_known_when_its_runs_are_gone(db: Database, tmp_path) -> None:
    task_id = end_runs(db, "a", 4)
    work_off(db)
    before = tallies(db, task_id)
    prune = retention.Pass(db, Rules(runs=1), now=NOW + MINUTE, output_root=tmp_path)
    while prune.step().more:
        pass

    assert len(metrics.list_runs(db, limit=10)) == 1
    assert tallies(db, task_id) == before


def test_days_are_deleted_when_they_are_years_old(db: Database, tmp_path) -> None:
    end_runs(db, "a", 1)
    work_off(db)
    prune = retention.Pass(db, Rules(), now=NOW + timedelta(days=4 * 366), output_root=tmp_path)
    while prune.step().more:
        pass

    assert metrics.list_days(db, since=NOW.date(), until=NOW.date()) == []


def end_one(
    db: Database, task, minute: int, *path: RunState, seconds: float = 20, stderr: bytes = b"", **values
) -> int:
    """Let a task have one run that took so long, and return its id."""
    (ticket,) = turn(db, due_task(task, verdict_at(minute))).tickets
    result = result_of(ticket, *path, state=RunState.STARTING)
    started = NOW + minute * MINUTE
    code = int(result.path[-1] is not RunState.SUCCEEDED)
    ended = started + timedelta(seconds=seconds)
    attempt = {**result.attempt, "new_started_at": started, "new_ended_at": ended, "new_exit_code": code}
    output = {"attempt_id": ticket.attempt_id, "stream": "stderr", "size": len(stderr), "head_size": 0, "dropped": 0,
              "lines": 1, "content": stderr, "file": None, **values}  # fmt: skip
    turn(db, results=[dataclasses.replace(result, attempt=attempt, outputs=[output] if stderr or values else [])])
    return ticket.run_id


def test_a_run_that_was_not_as_usual_says_so_and_why(db: Database) -> None:
    task = add_task(db)
    usual = [end_one(db, task, minute, seconds=20 + minute % 3) for minute in range(20)]
    fast = end_one(db, task, 20, seconds=2)
    before = judgements.of_run(db, fast)
    work_off(db)

    stored = judgements.of_run(db, fast)
    assert stored.verdict == before.verdict == "fast"
    assert judgements.reason_of(stored).startswith("took 2 s; usually ")
    assert judgements.of_run(db, usual[-1]).verdict == "usual"
    assert judgements.of_run(db, usual[0]).verdict == "unknown"
    assert judgements.of_run(db, 999).verdict == "unknown"


def test_a_failed_run_is_not_judged(db: Database) -> None:
    task = add_task(db)
    for minute in range(20):
        end_one(db, task, minute)
    failed = end_one(db, task, 20, RunState.FAILED, seconds=900)
    work_off(db)

    assert judgements.of_run(db, failed).verdict == "unknown"


def test_the_same_failure_is_counted_across_tasks(db: Database) -> None:
    task, other = add_task(db), add_task(db, "other")
    first = end_one(db, task, 0, RunState.FAILED, stderr=b"no route to host 10.0.0.1\n")
    end_one(db, other, 1, RunState.FAILED, stderr=b"no route to host 10.0.0.7\n")
    else_ = end_one(db, task, 2, RunState.FAILED, stderr=b"disk full\n")
    third = end_one(db, task, 3, RunState.FAILED, stderr=b"no route to host 10.0.0.9\n")
    fine = end_one(db, task, 4)
    assert failures.of_run(db, third) is None, "nobody has looked yet"
    work_off(db)

    found = failures.of_run(db, third)
    assert found is not None
    assert (found.number, found.times, found.tasks, found.first_run_id) == (3, 3, 2, first)
    assert found.text == "no route to host <n>"
    assert failures.words(found) == "3rd time in 2 tasks, first at revision 1"
    alone = failures.of_run(db, else_)
    assert alone is not None
    assert failures.words(alone) == "first time, at revision 1"
    assert failures.of_run(db, fine) is None
    assert [group.text for group in failures.list_groups(db)] == ["no route to host <n>", "disk full"]


def test_a_note_comes_back_with_the_next_failure_also_when_the_first_runs_are_gone(db: Database, tmp_path) -> None:
    task = add_task(db)
    run = end_one(db, task, 0, RunState.FAILED, stderr=b"disk full\n")
    work_off(db)
    group = failures.of_run(db, run)
    assert group is not None
    failures.set_note(db, group.group_id, "empty the cache", now=NOW, by="ann")
    again = end_one(db, task, 1, RunState.FAILED, stderr=b"disk full\n")
    work_off(db)
    prune = retention.Pass(db, Rules(runs=1), now=NOW + timedelta(days=1000), output_root=tmp_path)
    while prune.step().more:
        pass

    found = failures.of_run(db, again)
    assert found is not None
    assert (found.number, found.note, found.note_by, found.first_run_id) == (2, "empty the cache", "ann", run)
    with pytest.raises(NotFound):
        failures.set_note(db, 999, "x", now=NOW, by="ann")


def test_the_end_of_a_long_error_output_is_read_from_its_file(db: Database, tmp_path) -> None:
    (tmp_path / "1.1.err").write_bytes(b"x\n" * 50_000 + b"disk full\n")
    run = end_one(db, add_task(db), 0, RunState.FAILED, content=None, file="1.1.err")
    gone = end_one(db, add_task(db, "b"), 1, RunState.FAILED, content=None, file="2.1.err")
    follow = Digest(db, tmp_path)
    while follow.step(now=FAR, limit=50):
        pass

    found, lost = failures.of_run(db, run), failures.of_run(db, gone)
    assert found is not None
    assert found.text == "x\ndisk full"
    assert lost is not None
    assert lost.text == "exit code <n>"
