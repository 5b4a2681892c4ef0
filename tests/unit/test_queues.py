"""Queues: what is in them, and how many of each may run."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import pauses, queues
from watchbell.services.queues import QueueView
from watchbell.store.session import Database

pytestmark = pytest.mark.on_both


def _set(db: Database, name: str = "backup", max_running: int | None = 2, comment: str = "") -> None:
    queues.set_bounds(db, name, max_running=max_running, comment=comment, now=NOW, actor="ann")


def _view(db: Database, name: str = "backup") -> QueueView:
    return next(view for view in queues.list_all(db, now=NOW) if view.name == name)


def test_the_default_queue_is_always_there(db: Database) -> None:
    assert queues.list_all(db, now=NOW) == [QueueView("default", None, "", None, 0, 0, 0)]


def test_a_queue_counts_what_waits_what_is_in_flight_and_its_tasks(db: Database) -> None:
    task = add_task(db, queue="backup")
    add_task(db, "other")
    states = [*RunState]
    for state in states:
        add_run(db, task, state, queue="backup", priority=0)

    view = _view(db)

    # Queued and retry_wait; claimed, starting, running and cancelling.
    assert (view.queued, view.in_flight, view.tasks) == (2, 4, 1)
    assert _view(db, "default").tasks == 1


def test_a_queue_that_only_a_task_a_run_or_a_pause_names_is_listed(db: Database) -> None:
    add_task(db, "t", queue="of-task")
    add_run(db, add_task(db), queue="of-run", priority=0)
    pauses.pause(db, pauses.queue_scope("of-pause"), now=NOW, actor="ann")

    views = queues.list_all(db, now=NOW)

    assert [view.name for view in views] == ["default", "of-pause", "of-run", "of-task"]
    assert [view.name for view in views if view.pause] == ["of-pause"]


def test_bounds_are_set_changed_and_taken_away(db: Database) -> None:
    _set(db, comment=" one tape drive ")
    assert (_view(db).max_running, _view(db).comment) == (2, "one tape drive")
    _set(db, max_running=None)
    assert (_view(db).max_running, _view(db).comment) == (None, "")
    assert pauses.load_holds(db, now=NOW).bounded == frozenset()
    _set(db, max_running=7)
    assert pauses.load_holds(db, now=NOW).bounded == {"backup"}

    queues.remove(db, "backup", now=NOW, actor="ann")

    assert [view.name for view in queues.list_all(db, now=NOW)] == ["default"]
    with pytest.raises(NotFound):
        queues.remove(db, "backup", now=NOW, actor="ann")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "Two Words"}, "name"),
        ({"name": ""}, "name"),
        ({"max_running": 0}, "max_running"),
        ({"max_running": 100_001}, "max_running"),
        ({"comment": "\x07"}, "comment"),
    ],
)
def test_bad_bounds_are_refused(db: Database, values: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        _set(db, **values)  # type: ignore[arg-type]
    assert [problem.field for problem in error.value.problems] == [field]
