"""Pausing everything, a queue or a task, and resuming."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_task
from watchbell.errors import InputError, NotFound
from watchbell.services import pauses, tasks
from watchbell.store.pauses import Pause
from watchbell.store.session import Database

HOUR = timedelta(hours=1)


def _pause(db: Database, scope: str = pauses.EVERYTHING, **options: object) -> Pause:
    return pauses.pause(db, scope, **{"now": NOW, "actor": "ann", **options})  # type: ignore[arg-type]


def test_nothing_is_paused_at_first(db: Database) -> None:
    assert pauses.list_all(db, now=NOW) == []
    assert pauses.find(db, pauses.EVERYTHING, now=NOW) is None


def test_a_pause_is_in_force_until_somebody_resumes(db: Database) -> None:
    _pause(db, reason="  the disk\nis changed ")

    found = pauses.find(db, pauses.EVERYTHING, now=NOW + 100 * HOUR)
    assert found is not None
    assert (found.since, found.until, found.by, found.reason) == (NOW, None, "ann", "the disk is changed")
    assert pauses.resume(db, pauses.EVERYTHING, now=NOW, actor="bob") is True
    assert pauses.resume(db, pauses.EVERYTHING, now=NOW, actor="bob") is False
    assert pauses.list_all(db, now=NOW) == []


def test_a_pause_with_an_end_ends_by_itself(db: Database) -> None:
    _pause(db, until=NOW + HOUR)

    assert len(pauses.list_all(db, now=NOW + HOUR - timedelta(microseconds=1))) == 1
    assert pauses.list_all(db, now=NOW + HOUR) == []
    assert pauses.resume(db, pauses.EVERYTHING, now=NOW + HOUR, actor="bob") is False


def test_pausing_again_changes_reason_and_end_but_not_since_when(db: Database) -> None:
    _pause(db, until=NOW + HOUR, reason="short")

    again = _pause(db, now=NOW + HOUR / 2, actor="bob", reason="longer")

    assert (again.since, again.until, again.by, again.reason) == (NOW, None, "bob", "longer")
    assert len(pauses.list_all(db, now=NOW + 9 * HOUR)) == 1


def test_pausing_again_after_the_end_begins_anew(db: Database) -> None:
    _pause(db, until=NOW + HOUR)

    assert _pause(db, now=NOW + 2 * HOUR).since == NOW + 2 * HOUR


def test_scopes_are_apart_and_everything_comes_first(db: Database) -> None:
    task = add_task(db)
    scopes = [pauses.task_scope(task.id), pauses.queue_scope("backup"), pauses.EVERYTHING]
    for scope in scopes:
        _pause(db, scope)

    assert [pause.scope for pause in pauses.list_all(db, now=NOW)] == ["everything", "queue:backup", f"task:{task.id}"]
    pauses.resume(db, "queue:backup", now=NOW, actor="ann")
    assert [pause.scope for pause in pauses.list_all(db, now=NOW)] == ["everything", f"task:{task.id}"]


@pytest.mark.parametrize("scope", ["", "nothing", "queue:", "queue:Two Words", "queues:x"])
def test_a_scope_that_names_nothing_is_refused(db: Database, scope: str) -> None:
    with pytest.raises(InputError):
        _pause(db, scope)


@pytest.mark.parametrize("scope", ["task:", "task:7", "task:x", "task:-1", "task:01", "task:99999999999999999999999"])
def test_a_task_that_does_not_exist_cannot_be_paused(db: Database, scope: str) -> None:
    add_task(db)
    with pytest.raises(NotFound):
        _pause(db, scope)


@pytest.mark.parametrize(
    ("options", "field"),
    [({"until": NOW}, "until"), ({"reason": "x" * 201}, "reason"), ({"reason": "\x1b[1m"}, "reason")],
)
def test_a_bad_end_or_reason_is_refused(db: Database, options: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        _pause(db, **options)
    assert [problem.field for problem in error.value.problems] == [field]


def test_a_pause_is_told_in_words(db: Database) -> None:
    assert pauses.describe(_pause(db)) == "paused by ann since 2026-11-22 12:00 UTC"
    told = pauses.describe(_pause(db, until=NOW + HOUR, reason="a move"))
    assert told == "paused by ann since 2026-11-22 12:00 UTC until 2026-11-22 13:00 UTC: a move"


def test_the_scheduler_gets_what_is_in_force(db: Database) -> None:
    task = add_task(db)
    _pause(db, pauses.task_scope(task.id), until=NOW + HOUR)
    _pause(db, pauses.queue_scope("backup"), until=NOW + 2 * HOUR)

    holds = pauses.load_holds(db, now=NOW)

    assert (holds.everything, set(holds.tasks), set(holds.queues)) == ("", {task.id}, {"backup"})
    assert holds.until == NOW + HOUR
    assert pauses.load_holds(db, now=NOW + HOUR).tasks == {}


def test_the_pause_of_a_deleted_task_is_gone(db: Database) -> None:
    task = add_task(db)
    _pause(db, pauses.task_scope(task.id))

    tasks.delete(db, task.id, now=NOW, actor="ann")

    assert pauses.list_all(db, now=NOW) == []
