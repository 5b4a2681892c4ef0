"""Lists of tasks and of their versions for programs: page after page, each going on where the one before ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchbell.errors import InputError, NotFound
from watchbell.store import tasks as store
from watchbell.store.base import can_hold
from watchbell.store.session import Database
from watchbell.store.tasks import SORTS, Task, TaskRevision

#: Where a page ended: the value that the list is sorted by, the name and the id of its last task.
Place = tuple[Any, str, int]
#: What the values of an order are, where they are not texts.
_KINDS: dict[str, type] = {"enabled": bool, "next": datetime, "id": int}


@dataclasses.dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks a list shows; the defaults show all."""

    search: str = ""
    enabled: bool | None = None
    owner: str | None = None
    host: str | None = None
    tag: str | None = None
    queue: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class TaskRows:
    """One page of a list of tasks."""

    tasks: Sequence[Task]
    #: How many there are with the filters.
    total: int
    #: Where the next page begins; None if there is none.
    following: Place | None


def list_page(
    db: Database,
    chosen: TaskFilter,
    *,
    sort: str = "name",
    descending: bool = False,
    after: Place | None = None,
    limit: int = 100,
) -> TaskRows:
    """Return a page of tasks in an order of store.tasks.SORTS, without the cost of skipping over earlier pages."""
    if sort not in SORTS:
        raise InputError.of("sort", f"must be one of {', '.join(SORTS)}", "name")
    filters = dataclasses.asdict(chosen)
    with db.read() as session:
        rows = store.list_tasks(session, sort=sort, descending=descending, limit=limit + 1, after=after, **filters)
        total = store.count_tasks(session, **filters)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return TaskRows(shown, total, (getattr(last, SORTS[sort].key), last.name, last.id) if last is not None else None)


def place(sort: str, value: object, name: object, task_id: object) -> Place:
    """Return a place that comes back from outside; raises InputError if it is none in this order."""
    kind = _KINDS.get(sort, str)
    is_text = isinstance(name, str) and can_hold(name) and (not isinstance(value, str) or can_hold(value))
    if not (is_text and isinstance(task_id, int) and not isinstance(task_id, bool) and can_hold(task_id)):
        raise InputError.of("after", "is no place in a list")
    if kind is datetime and isinstance(value, str):
        value = _moment(value)
    if value is not None and not (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
        raise InputError.of("after", "is no place in this order")
    return value, str(name), task_id


def _moment(text: str) -> object:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo is not None else text


def list_revisions(
    db: Database, task_id: int, *, before: int | None = None, limit: int = 100
) -> Sequence[TaskRevision]:
    """Return the definitions that a task has had, the newest first; raises NotFound, not for one that was deleted."""
    with db.read() as session:
        if store.find_task(session, task_id, deleted=True) is None:
            raise NotFound(f"there is no task {task_id}")
        return store.list_newest_revisions(session, task_id, limit, before)
