"""The moments that are to come, page after page, without working out each moment of each task."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import operator
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import marker
from watchbell.domain.schedule import Occurrence, Schedule, from_json
from watchbell.domain.schedule.line_values import given_by
from watchbell.domain.short_memory import remembers
from watchbell.services import blackouts
from watchbell.services.task_lists import TaskFilter
from watchbell.store import coming as store
from watchbell.store import tasks as task_store
from watchbell.store.coming import PlanLine
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: Where a page ends: a moment, and the name of the task that is due then.
Place = tuple[datetime, str]
_LEAST = timedelta(microseconds=1)
#: By how much farther back than before is looked, or less far; how many pages are too many to be looked through, and what is near.
_FARTHER = 8
_MANY_PAGES = 20
_LEAST_LOOK = timedelta(seconds=1)
_TIMES_SHARED, _LEAST_LOT = 8, 50


@dataclasses.dataclass(frozen=True, slots=True)
class Coming:
    """One moment at which a task is due."""

    task: Task
    occurrence: Occurrence
    #: Whether the task is due again within the time, after this last of its moments that are told.
    goes_on: bool = False

    @property
    def values(self) -> Mapping[str, str]:
        """Return what its line of the schedule gives of the parameters."""
        has_any = "line_values" in self.task.schedule
        return given_by(from_json(self.task.schedule), self.occurrence.line) if has_any else {}

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


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """A moment of a task, before more is read of the task."""

    place: Place
    task_id: int
    occurrence: Occurrence
    goes_on: bool


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


class _Group(NamedTuple):
    """Tasks that are due at the same moments, so that each schedule is worked out once."""

    line: PlanLine
    plan: Schedule
    #: From when on it counts: now, or a time that is still to come.
    begin: datetime


class _Moment(NamedTuple):
    """A moment at which the tasks of a group are due; they are in the order of time, and within it in that of the groups."""

    at: datetime
    number: int
    group: _Group
    occurrence: Occurrence
    goes_on: bool


def _after(db: Database, span: Span, place: Place | None, limit: int) -> list[_Told]:
    start = span.now if place is None else max(span.now, place[0])
    with db.read() as session:
        lines = store.list_due(session, now=span.now, until=min(start, span.until), **_filters(span))
        # Of those that are not due before, no more can stand on the page than it has rows.
        lines += store.list_due(session, now=span.now, after=start, until=span.until, limit=limit, **_filters(span))
    moments = _merged(span, _grouped(lines, span.now), start - _LEAST, span.until)
    if place is None:
        return list(itertools.islice(_named(db, span, moments, limit), limit))
    # Where some of each are listed they are counted from now on.
    coming = itertools.dropwhile(lambda moment: moment.at < place[0], moments)
    return list(itertools.islice((told for told in _named(db, span, coming, limit) if told.place > place), limit))


def _before(db: Database, span: Span, place: Place, limit: int) -> list[_Told]:
    """Return the last moments before a place, looking farther back until there are enough, or less far if there are too many."""
    last = min(place[0], span.until)
    with db.read() as session:
        groups = _grouped(store.list_due(session, now=span.now, until=last, **_filters(span)), span.now)
        # About as many moments as this has tasks are due at any time of that length, or more. Twice that, as a second look costs as much as the first one.
        first = store.next_moment(session, limit, after=span.now, until=last, **_filters(span))
    back = max(2 * (first - span.now), _LEAST) if first is not None else last - span.now
    most: int | None = _MANY_PAGES * limit
    while True:
        begin = span.now if span.each is not None else max(span.now, last - back)
        moments = list(itertools.islice(_merged(span, groups, begin, last), most))
        if span.each is None and len(moments) == most:
            back, most = back / _FARTHER, None if back <= _LEAST_LOOK else most
            continue
        found = [told for told in _named(db, span, _tail(moments, place, limit), limit) if told.place < place][-limit:]
        if len(found) == limit or begin == span.now:
            return found
        back, most = back * _FARTHER, None


def _tail(moments: Sequence[_Moment], place: Place, limit: int) -> Sequence[_Moment]:
    """Return the moments among which the last ones before a place are: each stands for a task at least."""
    before = bisect_left(moments, place[0], key=operator.attrgetter("at"))
    if before <= limit:
        return moments
    # Those of one time are in the order of names, of which nothing is known yet.
    return moments[bisect_left(moments, moments[before - limit].at, key=operator.attrgetter("at")) :]


def _grouped(lines: Sequence[PlanLine], now: datetime) -> list[_Group]:
    return [_Group(line, _plan_of(line.schedule), line.begin or now) for line in dict.fromkeys(lines)]


@remembers(4096, len)
def _plan_of(text: str) -> Schedule:
    return schedules.from_json(task_store.decoded(text))


def _merged(span: Span, groups: Sequence[_Group], begin: datetime, last: datetime) -> Iterator[_Moment]:
    """Yield the moments of groups in their order, working out each only when the one before it has been taken."""
    return heapq.merge(*(_stream(number, group, begin, last, span) for number, group in enumerate(groups)))


def _stream(number: int, group: _Group, begin: datetime, last: datetime, span: Span) -> Iterator[_Moment]:
    for occurrence, goes_on in _told_of(group, begin, last, span):
        yield _Moment(occurrence.due_at, number, group, occurrence, goes_on)


def _named(db: Database, span: Span, moments: Iterable[_Moment], wanted: int) -> Iterator[_Told]:
    """Yield the moments of tasks, by time and name, reading the names of some moments at a time."""
    # Many tasks may share a moment, so that fewer than are wanted will do.
    lot = max(wanted // _TIMES_SHARED, _LEAST_LOT)
    names: dict[PlanLine, list[tuple[str, int]]] = {}
    taken: list[_Moment] = []
    for moment in itertools.chain(moments, [None]):
        if taken and (moment is None or (len(taken) >= lot and moment.at != taken[-1].at)):
            unknown = [line for line in dict.fromkeys(one.group.line for one in taken) if line not in names]
            with db.read() as session:
                names |= store.list_named(session, unknown, now=span.now, **_filters(span))
            yield from sorted(_told(taken, names), key=operator.attrgetter("place"))
            taken = []
        if moment is not None:
            taken.append(moment)


def _told(moments: Sequence[_Moment], names: Mapping[PlanLine, Sequence[tuple[str, int]]]) -> Iterator[_Told]:
    for one in moments:
        for name, number in names[one.group.line]:
            yield _Told((one.at, name), number, one.occurrence, one.goes_on)


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
    ids = list({told.task_id for told in found})
    with db.read() as session:
        tasks = {task.id: task for task in store.list_shown(session, ids)}
        windows = blackouts.read(session)
    # One that has been deleted in between is not due any more.
    return [
        Coming(tasks[told.task_id], marker(windows, told.task_id)(told.occurrence), told.goes_on)
        for told in found
        if told.task_id in tasks
    ]


def _filters(span: Span) -> dict[str, Any]:
    return {**dataclasses.asdict(span.chosen), "enabled": True}
