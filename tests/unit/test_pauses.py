"""Pausing everything, a queue or a task, and resuming."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import pauses, runs, tasks, triggers
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


@pytest.mark.parametrize(
    ("scope", "thing", "held"),
    [
        ("everything", "everything", {1, 2, 3}),
        ("queue:backup", "queue backup", {2}),
        ("task:1", "the task", {1}),
    ],
)
def test_what_waits_says_why_it_does_not_start_and_until_when_that_was_so(
    db: Database, scope: str, thing: str, held: set[int]
) -> None:
    task, other = add_task(db), add_task(db, "other")
    add_run(db, task, reason="waits for room")
    add_run(db, other, queue="backup", priority=0)
    add_run(db, other)
    going = add_run(db, task, RunState.RUNNING, reason="mine", queue="backup", priority=0)
    _pause(db, scope, reason="a move")

    def told() -> dict[int, str]:
        return {run_id: runs.get(db, run_id).reason for run_id in (1, 2, 3, going.id)}

    before = {1: "waits for room; ", 2: "", 3: "", going.id: "mine"}
    words = f"{thing} is paused by ann since 2026-11-22 12:00 UTC"
    assert told() == {
        n: f"{text}{words}: a move" if n in held else text.removesuffix("; ") for n, text in before.items()
    }
    _pause(db, scope, actor="bob", reason="a longer move")
    assert all(told()[n].endswith("is paused by bob since 2026-11-22 12:00 UTC: a longer move") for n in held)
    pauses.resume(db, scope, now=NOW + HOUR, actor="ann")
    over = f"{thing} was paused until 2026-11-22 13:00 UTC"
    assert told() == {n: f"{text}{over}" if n in held else text.removesuffix("; ") for n, text in before.items()}


def test_a_run_asked_for_during_a_pause_says_so(db: Database) -> None:
    task = add_task(db, queue="backup")
    for scope in ("everything", "queue:backup", "queue:other", "task:1"):
        _pause(db, scope)

    run = triggers.run_now(db, task.id, now=NOW, actor="bob")

    words = "paused by ann since 2026-11-22 12:00 UTC"
    assert run.reason == f"run by hand by bob; everything is {words}; queue backup is {words}; the task is {words}"


@pytest.mark.parametrize("typed", ["the disk is changed.", "the disk is changed;", " the disk\tis changed ;. "])
def test_a_reason_is_a_clause_without_a_stop_of_its_own(db: Database, typed: str) -> None:
    made = pauses.pause(db, pauses.EVERYTHING, now=NOW, actor="ann", reason=typed)

    assert made.reason == "the disk is changed"
