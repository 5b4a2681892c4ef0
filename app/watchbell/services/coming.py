"""The moments that are to come, page after page, without working out each moment of each task."""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import operator
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import schedule as schedules
from watchbell.domain.schedule import Occurrence, Schedule
from watchbell.services.task_lists import TaskFilter
from watchbell.store import coming as store
from watchbell.store import tasks as task_store
from watchbell.store.coming import PlanLine
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: Where a page ends: a moment, and the name of the task that is due then.
Place = tuple[datetime, str]
_LEAST = timedelta(microseconds=1)
#: How far back from a place is looked at first for the page before it, and by how much farther each time after that.
_FIRST_LOOK = timedelta(seconds=1)
_FARTHER = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Coming:
    """One moment at which a task is due."""

    task: Task
    occurrence: Occurrence
    #: Whether the task is due again within the time, after this last of its moments that are told.
    goes_on: bool = False

    @property
    def place(self) -> Place:
        """Return where a page ends that ends with it."""
        return self.occurrence.due_at, self.task.name


@dataclasses.dataclass(frozen=True, slots=True)
class ComingPage:
    """Some of the moments to come, in their order."""

    moments: Sequence[Coming]
    has_earlier: bool
    has_later: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Which moments are listed: those of some tasks within a time."""

    chosen: TaskFilter
    now: datetime
    until: datetime
    #: How many of each task; None for all.
    each: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Told:
    """A moment of a task, before more is read of the task."""

    place: Place
    task_id: int = dataclasses.field(compare=False)
    occurrence: Occurrence = dataclasses.field(compare=False)
    goes_on: bool = dataclasses.field(compare=False)


def list_page(
    db: Database, span: Span, *, limit: int, after: Place | None = None, before: Place | None = None
) -> ComingPage:
    """Return the first page of what is to come, the one after a place, or the one before it.

    The first page costs the same however many tasks there are; others cost one look at each schedule that is due before them.
    """
    if before is not None:
        found = _before(db, span, before, limit + 1)
        if len(found) > limit:
            return ComingPage(_with_tasks(db, found[-limit:]), has_earlier=True, has_later=True)
        # Nothing is left out before these, so the page is the first one.
        after = None
    found = _after(db, span, after, limit + 1)
    has_earlier = after is not None and after[0] > span.now
    return ComingPage(_with_tasks(db, found[:limit]), has_earlier=has_earlier, has_later=len(found) > limit)


def count_tasks(db: Database, span: Span) -> int:
    """Return how many of the tasks are due within the time."""
    with db.read() as session:
        return store.count_due(session, until=span.until, **_filters(span))


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """Tasks that are due at the same moments, by name: thousands of tasks have few schedules, so each is worked out once."""

    plan: Schedule
    #: From when on it counts, if that is still to come.
    begin: datetime
    lines: Sequence[PlanLine]


def _after(db: Database, span: Span, place: Place | None, limit: int) -> list[_Told]:
    start = span.now if place is None else max(span.now, place[0])
    with db.read() as session:
        lines = store.list_due(session, until=min(start, span.until), **_filters(span))
        # Of those that are not due before, no more can stand on the page than it has rows.
        lines += store.list_due(session, after=start, until=span.until, limit=limit, **_filters(span))
    merged = _merged(span, _grouped(lines, span.now), start - _LEAST, span.until)
    return list(itertools.islice((told for told in merged if place is None or told.place > place), limit))


def _before(db: Database, span: Span, place: Place, limit: int) -> list[_Told]:
    """Return the last moments before a place, looking farther and farther back until there are enough."""
    last = min(place[0], span.until)
    with db.read() as session:
        groups = _grouped(store.list_due(session, until=last, **_filters(span)), span.now)
    back = _FIRST_LOOK
    while True:
        begin = max(span.now, last - back)
        merged = _merged(span, groups, begin, last)
        found = collections.deque(itertools.takewhile(lambda told: told.place < place, merged), maxlen=limit)
        if len(found) == limit or begin == span.now or span.each is not None:
            return list(found)
        back *= _FARTHER


def _grouped(lines: Sequence[PlanLine], now: datetime) -> list[_Group]:
    found: dict[tuple[str, datetime], list[PlanLine]] = {}
    for line in sorted(lines, key=operator.attrgetter("name")):
        found.setdefault((line.schedule, max(line.cursor_at, now)), []).append(line)
    return [
        _Group(schedules.from_json(task_store.decoded(text)), begin, members)
        for (text, begin), members in found.items()
    ]


def _merged(span: Span, groups: Sequence[_Group], begin: datetime, last: datetime) -> Iterator[_Told]:
    """Yield the moments of tasks in their order, working out each only when the one before it has been taken."""
    return heapq.merge(*(_stream(group, begin, last, span) for group in groups))


def _stream(group: _Group, begin: datetime, last: datetime, span: Span) -> Iterator[_Told]:
    for occurrence, goes_on in _told_of(group, begin, last, span):
        for line in group.lines:
            yield _Told((occurrence.due_at, line.name), line.id, occurrence, goes_on)


def _told_of(group: _Group, begin: datetime, last: datetime, span: Span) -> Iterator[tuple[Occurrence, bool]]:
    if span.each is None:
        for occurrence in schedules.occurrences(group.plan, max(group.begin, begin), sys.maxsize, last):
            yield occurrence, False
        return
    # The first few are counted from now on, wherever the page begins.
    moments = schedules.occurrences(group.plan, group.begin, span.each + 1, span.until)
    for number, occurrence in enumerate(itertools.islice(moments, span.each), 1):
        yield occurrence, number == span.each and next(moments, None) is not None


def _with_tasks(db: Database, found: Sequence[_Told]) -> list[Coming]:
    ids = tuple({told.task_id for told in found})
    with db.read() as session:
        tasks = {task.id: task for task in task_store.list_tasks(session, ids=ids)}
    # One that has been deleted in between is not due any more.
    return [Coming(tasks[told.task_id], told.occurrence, told.goes_on) for told in found if told.task_id in tasks]


def _filters(span: Span) -> dict[str, Any]:
    return {**dataclasses.asdict(span.chosen), "enabled": True}
