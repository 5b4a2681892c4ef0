"""Lists of tasks and of their versions: page after page, each going on where the one before ended, and all of them in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import tags as tags_of
from watchbell.domain.tags import Branch
from watchbell.errors import InputError, NotFound
from watchbell.store import newest_runs, task_marks
from watchbell.store import tasks as store
from watchbell.store.base import can_hold
from watchbell.store.newest_runs import RunLine
from watchbell.store.session import Database
from watchbell.store.tasks import SORTS, Task, TaskRevision, decoded

#: So many are read in one transaction of a walk.
_AT_ONCE = 500
_MOST_MARKS = 200
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
    team: str | None = None
    #: Those of an owner or of some teams.
    mine: tuple[str, tuple[str, ...]] | None = None
    host: str | None = None
    tag: str | None = None
    queue: str | None = None
    #: States of the newest run, None for tasks that have none yet.
    outcomes: tuple[str | None, ...] | None = None
    ids: tuple[int, ...] | None = None


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


def walk(
    db: Database, chosen: TaskFilter, *, sort: str = "name", descending: bool = False, recent: int = 0
) -> Iterator[tuple[Task, Sequence[RunLine]]]:
    """Yield all tasks of a list in its order, each with its newest runs; nothing is held while they are used."""
    filters, after = dataclasses.asdict(chosen), None
    while True:
        with db.read() as session:
            rows = store.list_tasks(session, sort=sort, descending=descending, limit=_AT_ONCE, after=after, **filters)
            runs = newest_runs.list_lines(session, [task.id for task in rows], recent) if recent else {}
        yield from ((task, runs.get(task.id, ())) for task in rows)
        if len(rows) < _AT_ONCE:
            return
        after = (getattr(rows[-1], SORTS[sort].key), rows[-1].name, rows[-1].id)


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """By what tasks can be told apart, as choices for filters."""

    tags: Sequence[str]
    hosts: Sequence[str]
    owners: Sequence[str]
    teams: Sequence[str]


def list_marks(db: Database) -> Marks:
    """Return the tags, hosts, owners and teams that tasks have, each in order and so many that people can choose from them."""
    with db.read() as session:
        found = task_marks.list_marks(session)
    tags = {str(tag) for stored in {row.tags for row in found} for tag in decoded(stored)}
    rest = ({getattr(row, name) for row in found} - {""} for name in ("host", "owner", "team"))
    return Marks(*(sorted(some, key=str.lower)[:_MOST_MARKS] for some in (tags, *rest)))


#: What the newest run of a task that fails has come to.
FAILING = frozenset({"failed", "timed_out", "lost", "missed"})


def tag_tree(db: Database) -> list[Branch]:
    """Return the outermost tags of all tasks with what lies in them, and how many tasks have each and fail."""
    with db.read() as session:
        found = task_marks.count_tagged(session)
    return tags_of.grow((tags, count, state in FAILING) for tags, state, count in found)


def list_names(db: Database, chosen: TaskFilter, limit: int) -> dict[int, str]:
    """Return the names of the tasks of a list by their ids, up to so many."""
    with db.read() as session:
        return store.list_names(session, limit, **dataclasses.asdict(chosen))


def list_ids(db: Database, **filters: Any) -> tuple[int, ...]:
    """Return the ids of the tasks of a list; the filters are those of store.tasks.list_tasks."""
    with db.read() as session:
        return tuple(store.list_ids(session, **filters))


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
