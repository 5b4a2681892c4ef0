"""Asking for a run by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_task
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import runs, tasks, triggers
from watchbell.store import waiting
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, zone="Europe/Berlin", cron="0 0 * * *")


def _run_now(db: Database, task: Task, *, now=NOW, **options: str) -> Run:
    return triggers.run_now(db, task.id, now=now, actor="bob", **options)


def test_a_run_by_hand_is_queued_and_says_who_asked(db: Database, task: Task) -> None:
    run = _run_now(db, task)

    assert (run.state, run.trigger, run.due_at, run.requested_by) == ("queued", "manual", NOW, "bob")
    assert (run.reason, run.task_version, run.zone, run.may_overlap) == (
        "run by hand by bob",
        1,
        "Europe/Berlin",
        False,
    )
    (event,) = runs.get_detail(db, run.id).events
    assert (event.from_state, event.to_state, event.actor) == (None, "queued", "bob")


def test_asking_twice_makes_two_runs(db: Database, task: Task) -> None:
    assert _run_now(db, task).id != _run_now(db, task).id


def test_the_same_key_answers_with_the_same_run_and_one_transition(db: Database, task: Task) -> None:
    first = _run_now(db, task, key="deploy-7")

    again = _run_now(db, task, now=NOW + timedelta(hours=1), key="deploy-7")

    assert (again.id, again.due_at) == (first.id, NOW)
    assert len(runs.get_detail(db, first.id).events) == 1
    assert _run_now(db, task, key="deploy-8").id != first.id


def test_a_key_belongs_to_its_task(db: Database, task: Task) -> None:
    other = add_task(db, "other")

    assert _run_now(db, task, key="k").id != _run_now(db, other, key="k").id


def test_a_key_cannot_be_mistaken_for_an_occurrence(db: Database, task: Task) -> None:
    run = _run_now(db, task, key="cal:2026-11-23T00:00:00/0@Europe/Berlin")

    assert run.occurrence_key.startswith("man:")


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "a\0", "\ud800"], ids=ascii)
def test_a_key_that_is_no_plain_text_is_refused_with_one_that_is(db: Database, task: Task, key: str) -> None:
    with pytest.raises(InputError) as caught:
        _run_now(db, task, key=key)

    (problem,) = caught.value.problems
    assert problem.field == "key"
    assert _run_now(db, task, key=problem.example)


def test_a_disabled_task_may_be_run_by_hand(db: Database, task: Task) -> None:
    tasks.set_enabled(db, task.id, False, now=NOW, actor="ann")

    assert _run_now(db, task).state == "queued"


def test_a_task_whose_runs_may_overlap_may_also_by_hand(db: Database) -> None:
    assert _run_now(db, add_task(db, "many", overlap="allow")).may_overlap


def test_a_task_that_is_not_there_cannot_be_run(db: Database, task: Task) -> None:
    tasks.delete(db, task.id, now=NOW, actor="ann")

    for number in (task.id, 404, 10**40):
        with pytest.raises(NotFound):
            triggers.run_now(db, number, now=NOW, actor="bob")


@pytest.mark.parametrize(("host", "starters"), [("", {"here", "There"}), ("there", {"There"}), ("HERE", {"here"})])
def test_a_run_by_hand_of_a_task_of_another_host_waits_for_its_host(
    db: Database, host: str, starters: set[str]
) -> None:
    run = _run_now(db, add_task(db, "bound", host=host))

    with db.read() as session:
        offered = {
            name: [row.id for row in waiting.list_startable(session, 10, name, now=NOW)] for name in ("here", "There")
        }

    assert run.state == "queued"
    assert offered == {name: [run.id] if name in starters else [] for name in offered}


def test_a_run_by_hand_goes_where_its_task_says_and_is_never_too_late(db: Database) -> None:
    run = _run_now(db, add_task(db, "other", queue="backup", priority=7))

    assert (run.queue, run.priority, run.start_by) == ("backup", 7, None)


def _run_soon(db: Database, task: Task) -> Run:
    return triggers.run_soon(db, task.id, now=NOW, actor="bob")


def test_a_run_as_soon_as_possible_goes_ahead_of_every_priority(db: Database) -> None:
    run = _run_soon(db, add_task(db, "other", every="1h", queue="backup", priority=100))

    assert (run.state, run.trigger, run.queue, run.priority) == ("queued", "asap", "backup", 101)
    assert run.reason == "asked for as soon as possible by bob"


def test_at_most_one_run_as_soon_as_possible_waits(db: Database, task: Task) -> None:
    first = _run_soon(db, task)

    assert _run_soon(db, task).id == first.id
    assert _run_soon(db, add_task(db, "other")).id != first.id
    runs.cancel(db, first.id, now=NOW, actor="bob")
    assert _run_soon(db, task).id != first.id


def test_a_disabled_or_deleted_task_is_not_run_as_soon_as_possible(db: Database, task: Task) -> None:
    tasks.set_enabled(db, task.id, False, now=NOW, actor="ann")
    with pytest.raises(Conflict, match="is disabled"):
        _run_soon(db, task)
    tasks.delete(db, task.id, now=NOW, actor="ann")
    with pytest.raises(NotFound):
        _run_soon(db, task)
