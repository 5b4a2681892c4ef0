"""Taking back what was just done: a task that was deleted is there again, with its runs and all its versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime

from watchbell.domain.permissions import Right
from watchbell.domain.task_fields import read_name
from watchbell.errors import Conflict, NotAllowed, NotFound
from watchbell.services import deleted_tasks, links, ownership, quotas, task_sets, tasks, teams
from watchbell.services.bulk_parts import Part, unheard
from watchbell.store import audit
from watchbell.store import runs as run_store
from watchbell.store import tasks as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

#: So many are restored in one transaction, during which nobody else can write.
_AT_ONCE = 100


def find_deleted(db: Database, task_id: int) -> Task:
    """Return a task that was deleted; raises NotFound for one that is there or never was."""
    with db.read() as session:
        task = store.find_task(session, task_id, deleted=True)
        if task is None or task.deleted_at is None:
            raise NotFound(f"there is no task {task_id}")
        return task


def restore(db: Database, task_id: int, *, now: datetime, actor: str, name: str = "") -> Task:
    """Take the deletion of a task back, under another name if one is given, and return it; one that is there stays as it is.

    It starts by itself if it did so when it was deleted. Moments that passed meanwhile are not due any more, as with a task
    that was disabled, and runs that waited stay cancelled. Raises NotFound if there never was such a task, Conflict if it is
    gone for good, if another task has taken its name or what waited of it is not cancelled yet, and InputError for a bad name.
    """
    with db.write() as session:
        task = store.find_task(session, task_id, deleted=True)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        return _restore(session, task, now=now, actor=actor, name=name)


def list_deleted(db: Database, moment: datetime) -> Sequence[int]:
    """Return the ids of the tasks that were deleted together, at one moment."""
    with db.read() as session:
        return store.list_deleted(session, moment)


def restore_all(
    db: Database, ids: Sequence[int], *, now: datetime, actor: str, tell: Callable[[int], None] = unheard
) -> list[Part]:
    """Take back the deletion of several tasks and return what has become of each, telling how many are through.

    Where one of them cannot come back, the others do nevertheless.
    """
    done: list[Part] = []
    for start in range(0, len(ids), _AT_ONCE):
        done += _restore_some(db, ids[start : start + _AT_ONCE], now=now, actor=actor)
        tell(len(done))
    return done


def _restore_some(db: Database, ids: Sequence[int], *, now: datetime, actor: str) -> list[Part]:
    done: list[Part] = []
    with db.write() as session:
        for task_id in ids:
            task = store.find_task(session, task_id, deleted=True)
            if task is None or task.deleted_at is None:
                continue
            try:
                _restore(session, task, now=now, actor=actor)
                done.append(Part(task.id, task.name, "restored"))
            except (Conflict, NotAllowed) as error:
                # What refuses has written nothing.
                done.append(Part(task.id, task.name, "", error.message))
    return done


def _restore(session: Session, task: Task, *, now: datetime, actor: str, name: str = "") -> Task:
    if task.deleted_at is None:
        return task
    if deleted_tasks.is_gone(task, now):
        raise Conflict(
            f"{task.name} was deleted more than {deleted_tasks.KEPT_FOR.days} days ago and does not come back"
        )
    name = read_name("name", name) if name else task.name
    ownership.require(session, Right.EDIT, task)
    quotas.require_room(session, task.owner)
    if store.find_task_by_name(session, name) is not None:
        raise Conflict(f"another task is called {name!r} by now; rename it, or restore this one under another name")
    if run_store.list_waiting(session, task.id, 1):
        raise Conflict(f"the runs of {task.name} that waited are still being cancelled; try again in a moment")
    links.require_may_return(session, task)
    stored = tasks.definition_of(task)
    # What it shares with others may have been changed while it was away.
    definition = task_sets.refreshed(session, stored, stored)
    definition = dataclasses.replace(definition, name=name, enabled=_started(session, task.id))
    if not teams.is_there(session, task.team):
        # The team was deleted after it.
        definition = dataclasses.replace(definition, team="")
    task.deleted_at = None
    task.cursor_at = max(task.cursor_at, now)
    tasks.put_back(session, task, definition, now=now, actor=actor)
    return task


def _started(session: Session, task_id: int) -> bool:
    """Return whether a task started by itself when it was deleted; False if nobody wrote that down."""
    noted = audit.list_before(session, limit=1, action="task.delete", subject=f"task:{task_id}")
    return any(entry.detail.get("enabled") is True for entry in noted)
