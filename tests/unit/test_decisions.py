"""Deciding about a run of which nobody knows how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import decisions, runs, tasks
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, uncertain="ask", queue="backup", priority=5)


def _lost(db: Database, task: Task, **values: object) -> Run:
    return add_run(db, task, RunState.LOST, reason="unknown", decision="open", **values)


def _decide(db: Database, run: Run, choice: str) -> Run:
    return decisions.decide(db, run.id, choice, now=NOW, actor="bob")


def test_what_is_open_is_listed_newest_first_and_counted(db: Database, task: Task) -> None:
    made = [_lost(db, task) for _ in range(3)]
    add_run(db, task, RunState.LOST)

    assert [run.id for run in decisions.list_open(db)] == [run.id for run in reversed(made)]
    assert [run.id for run in decisions.list_open(db, limit=1)] == [made[2].id]
    assert decisions.count_open(db) == 3


def test_left_as_it_is(db: Database, task: Task) -> None:
    run = _lost(db, task)

    left = _decide(db, run, "leave")

    assert (left.id, left.state, left.reason, left.decision) == (run.id, "lost", "unknown", "leave")
    assert decisions.count_open(db) == 0
    assert len(runs.list_page(db).runs) == 1


def test_run_again_makes_a_linked_run_for_the_same_moment(db: Database, task: Task) -> None:
    due_at = NOW - timedelta(hours=1)
    run = _lost(db, task, due_at=due_at, local_time="2026-11-22 11:00:00", zone="UTC")

    again = _decide(db, run, "run_again")

    assert (again.rerun_of, again.state, again.trigger, again.requested_by) == (run.id, "queued", "manual", "bob")
    assert (again.due_at, again.local_time, again.zone) == (due_at, "2026-11-22 11:00:00", "UTC")
    assert (again.queue, again.priority, again.start_by) == ("backup", 5, None)
    assert again.reason == f"run again by bob, because nobody knows how run #{run.id} ended"
    lost = runs.get(db, run.id)
    assert (lost.state, lost.decision) == ("lost", "run_again")


@pytest.mark.parametrize("first", decisions.CHOICES)
@pytest.mark.parametrize("second", decisions.CHOICES)
def test_a_decision_is_taken_once(db: Database, task: Task, first: str, second: str) -> None:
    run = _lost(db, task)
    _decide(db, run, first)
    before = len(runs.list_page(db).runs)

    with pytest.raises(Conflict, match="already"):
        _decide(db, run, second)
    assert len(runs.list_page(db).runs) == before


def test_what_nobody_asked_about_cannot_be_decided(db: Database, task: Task) -> None:
    with pytest.raises(Conflict, match="nothing is to be decided"):
        _decide(db, add_run(db, task, RunState.LOST), "leave")
    with pytest.raises(NotFound):
        decisions.decide(db, 99, "leave", now=NOW, actor="bob")
    with pytest.raises(InputError):
        _decide(db, _lost(db, task), "open")


def test_a_run_of_a_deleted_task_can_only_be_left(db: Database, task: Task) -> None:
    run = _lost(db, task)
    tasks.delete(db, task.id, now=NOW, actor="ann")

    with pytest.raises(Conflict, match="has been deleted"):
        _decide(db, run, "run_again")
    assert decisions.count_open(db) == 1
    assert _decide(db, run, "leave").decision == "leave"
