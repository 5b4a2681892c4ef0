"""Taking back what was just done: a task that was deleted is there again, with its runs and all its versions."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from watchbell.errors import Conflict, NotFound
from watchbell.services import tasks
from watchbell.store import runs as run_store
from watchbell.store import tasks as store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: So long a deletion can be taken back.
WITHIN = timedelta(minutes=10)


def restore(db: Database, task_id: int, *, enabled: bool, now: datetime, actor: str) -> Task:
    """Take the deletion of a task back and return it; one that is there already is left as it is.

    Moments that passed meanwhile are not due any more, as with a task that was disabled, and runs that waited stay
    cancelled. Raises NotFound if there never was such a task or it was deleted too long ago, Conflict if another task has
    taken its name or what waited of it is not cancelled yet.
    """
    with db.write() as session:
        task = store.find_task(session, task_id, deleted=True)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        if task.deleted_at is None:
            return task
        if now - task.deleted_at > WITHIN:
            minutes = int(WITHIN.total_seconds() // 60)
            raise NotFound(
                f"{task.name} was deleted more than {minutes} minutes ago, and that cannot be undone any more"
            )
        taken = store.find_task_by_name(session, task.name)
        if taken is not None:
            raise Conflict(f"another task is called {task.name!r} by now; rename it, then undo")
        if run_store.list_waiting(session, task_id, 1):
            raise Conflict(f"the runs of {task.name} that waited are still being cancelled; try again in a moment")
        definition = dataclasses.replace(tasks.definition_of(task), enabled=enabled)
        task.deleted_at = None
        task.cursor_at = max(task.cursor_at, now)
        tasks.put_back(session, task, definition, now=now, actor=actor)
        return task
