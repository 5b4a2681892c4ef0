"""What is made of runs after their end: once of each, whatever happens in between, and it outlives the runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_task
from tests.unit.turning import MINUTE, due_task, result_of, turn, verdict_at
from watchbell.domain.run_state import RunState
from watchbell.services import digest, metrics, retention
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
    while digest.step(db, now=FAR, limit=limit):
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

    assert not digest.is_behind(db)
    assert not digest.step(db, now=FAR, limit=10)


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
