"""Tasks that were deleted, for as long as they can come back: thirty days, and then they are gone for good."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.store import deleted_tasks as store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: So long a deletion can be taken back.
KEPT_FOR = timedelta(days=30)
MOST = 5000


@dataclasses.dataclass(frozen=True, slots=True)
class DeletedTask:
    """A task that was deleted and can be restored."""

    task: Task
    deleted_at: datetime
    #: From when on it cannot.
    gone_at: datetime
    #: Whether another task has its name by now.
    is_taken: bool

    @property
    def deleted_by(self) -> str:
        """Return who has deleted it."""
        return self.task.updated_by


def list_all(db: Database, *, now: datetime, search: str = "") -> Sequence[DeletedTask]:
    """Return the tasks that can be restored, the newest deletion first; words must stand in their names or commands."""
    with db.read() as session:
        rows = store.list_deleted_since(session, now - KEPT_FOR, search, MOST)
        taken = store.list_taken(session, [task.name for task in rows])
    return [
        DeletedTask(task, task.deleted_at, task.deleted_at + KEPT_FOR, task.name in taken)
        for task in rows
        if task.deleted_at is not None
    ]


def is_gone(task: Task, now: datetime) -> bool:
    """Return whether a task was deleted so long ago that it does not come back."""
    return task.deleted_at is not None and task.deleted_at <= now - KEPT_FOR


def told(one: DeletedTask) -> dict[str, Any]:
    """Return a deleted task as programs read it."""
    task = one.task
    return {
        "id": task.id,
        "name": task.name,
        "deleted_at": one.deleted_at,
        "deleted_by": one.deleted_by,
        "gone_at": one.gone_at,
        "name_is_taken": one.is_taken,
        "owner": task.owner,
        "team": task.team,
        "sentence": task.schedule_words,
        "command": task.command,
        "tags": list(task.tags),
        "version": task.version,
    }
