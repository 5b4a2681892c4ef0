"""What the coming time holds by the schedules of all tasks: how many moments on each day, and how much at once in each hour.

Thousands of tasks have few schedules between them, so each is worked out once; and what is worked out is bounded.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain import load
from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import Blackout, Marker, marker
from watchbell.domain.load import Load, Stay
from watchbell.domain.schedule import Schedule
from watchbell.services import blackouts
from watchbell.store import timeline as store
from watchbell.store.session import Database
from watchbell.store.timeline import TaskLine

#: So many tasks are looked at, those that are due next first; so many moments of one schedule, and of all together.
MOST_TASKS = 20_000
MOST_OF_SCHEDULE = 1_500
MOST_MOMENTS = 60_000
MOST_STAYS = 200_000
#: What has not run yet counts so long; what is known to be over sooner takes at least as long as starting a process does.
UNKNOWN_SECONDS = 1.0
LEAST_SECONDS = 0.1
HOURS = 7 * 24
_HOUR = 3600.0
_NAMED = 12
_PILES = 8
_MOST_OF_ITSELF = 10
#: Of what is due more often than so many times an hour, one moment of each minute stands for all of it.
_MOST_OF_HOUR = 60
_MINUTE = 60.0
_USUAL_DAYS = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Coming:
    """The moments of one task in a time."""

    task: TaskLine
    moments: Sequence[datetime]
    #: Whether there are more than were worked out.
    is_cut: bool
    #: Of such a task, for each hour in which it is due: the moments, and the seconds from the first to the next one.
    hourly: Sequence[tuple[Sequence[datetime], float]] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week."""

    #: When it begins; weekday and hour are those of the zone that was asked for.
    at: datetime
    weekday: int
    hour: int
    load: Load


@dataclasses.dataclass(frozen=True, slots=True)
class PileUp:
    """An hour in which far more goes on at once than usual."""

    cell: Cell
    #: When most goes on at once, and what it is: some of the tasks, and how many there are besides.
    at: datetime
    tasks: Sequence[TaskLine]
    others: int
    #: An hour close by that is calmer by half.
    quieter: Cell | None


@dataclasses.dataclass(frozen=True, slots=True)
class LoadMap:
    """The coming week, hour by hour."""

    cells: Sequence[Cell]
    piles: Sequence[PileUp]
    tasks: int
    #: Some of the tasks that are due again before they are over, and so go on all the time; whether tasks were left out.
    dense: Sequence[TaskLine]
    is_cut: bool

    @property
    def highest(self) -> int:
        """Return the most that goes on at once."""
        return max((cell.load.peak for cell in self.cells), default=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """One day to come."""

    day: date
    moments: int
    #: Whether there are more, of tasks that are due too often to be counted.
    is_cut: bool
    #: Some of what comes, the seldomest first: when and what.
    some: Sequence[tuple[datetime, TaskLine]]


def change_mark(db: Database) -> tuple[int, tuple[Blackout, ...]]:
    """Return a mark that changes when any task does; what is forecast stays true for the same mark and hour."""
    with db.read() as session:
        return store.newest_change(session), blackouts.read(session)


def week(db: Database, *, now: datetime, zone: ZoneInfo) -> LoadMap:
    """Return the load of the coming week, from the hour that has begun on, in a zone's weekdays and hours."""
    start = now.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    until = start + timedelta(hours=HOURS)
    coming, is_cut = _coming(db, after=now, until=until, by_hour=True)
    with db.read() as session:
        usual = store.list_usual_seconds(session, now - _USUAL_DAYS)
    groups = _groups(coming, usual)
    stays: list[Stay] = []
    for number, group in enumerate(groups):
        stays += _stays(number, group, start)
        if len(stays) > MOST_STAYS:
            is_cut = True
            break
    loads = load.load_of(stays, HOURS, _HOUR)
    cells = [_cell(start + timedelta(hours=n), found, zone) for n, found in enumerate(loads)]
    piles = [_pile(n, cells, stays, groups, start) for n in load.pile_ups(loads)[:_PILES]]
    dense = [task for group in groups if _is_endless(group) for task in group.tasks][:_NAMED]
    return LoadMap(cells, piles, len(coming), dense, is_cut)


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """Tasks that are due at the same moments and usually take as long, to the second or, below one, to the tenth."""

    coming: Coming
    seconds: float
    tasks: list[TaskLine]


def _groups(coming: Sequence[Coming], usual: Mapping[int, float]) -> list[_Group]:
    """Return the groups, those that are seldom due first: if all are too many, what is left out is the same in each hour."""
    found: dict[tuple[int, float], _Group] = {}
    for one in coming:
        seconds = usual.get(one.task.id, UNKNOWN_SECONDS)
        seconds = max(round(seconds, 0 if seconds >= 1 else 1), LEAST_SECONDS)
        # Tasks with one schedule share what was worked out of it.
        group = found.setdefault((id(one.moments), seconds), _Group(one, seconds, []))
        group.tasks.append(one.task)
    return sorted(found.values(), key=lambda group: group.coming.is_cut)


def days(db: Database, *, first: date, count: int, now: datetime, zone: ZoneInfo) -> list[Day]:
    """Return so many days of a zone and what comes on each, from now on."""
    start = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    last = first + timedelta(days=count)
    until = datetime(last.year, last.month, last.day, tzinfo=zone).astimezone(UTC)
    coming, is_cut = _coming(db, after=max(start, now), until=until)
    numbers: collections.Counter[date] = collections.Counter()
    named: dict[date, list[tuple[datetime, TaskLine]]] = {}
    cut_from = min((one.moments[-1].astimezone(zone).date() for one in coming if one.is_cut), default=None)
    for one in sorted(coming, key=lambda one: (len(one.moments), one.task.name)):
        seen: set[date] = set()
        for moment in one.moments:
            day = moment.astimezone(zone).date()
            numbers[day] += 1
            if day not in seen and len(named.setdefault(day, [])) < _NAMED:
                named[day].append((moment, one.task))
                seen.add(day)
    found = []
    for day in (first + timedelta(days=n) for n in range(count)):
        too_many = is_cut or (cut_from is not None and day >= cut_from)
        found.append(Day(day, numbers[day], too_many and day >= now.astimezone(zone).date(), named.get(day, ())))
    return found


def minutes(db: Database, *, start: datetime, count: int) -> tuple[list[int], bool]:
    """Return how many moments come in each of so many minutes, and whether there are more than were worked out."""
    coming, is_cut = _coming(db, after=start - timedelta(microseconds=1), until=start + timedelta(minutes=count))
    counts = [0] * count
    # Tasks with one schedule share what was worked out of it.
    shared = collections.Counter(id(one.moments) for one in coming)
    for number, one in {id(one.moments): one for one in coming}.items():
        for moment in one.moments:
            place = int((moment - start).total_seconds() // 60)
            if 0 <= place < count:
                counts[place] += shared[number]
        if one.is_cut and one.task.schedule.get("kind") == "interval":
            for place, more in enumerate(_beyond(one.moments, start, count)):
                counts[place] += more * shared[number]
        else:
            is_cut |= one.is_cut
    return counts, is_cut


def _beyond(moments: Sequence[datetime], start: datetime, count: int) -> list[int]:
    """Return how many moments of a steady interval come in each minute behind those that were worked out."""
    step, last = moments[1] - moments[0], moments[-1]
    # How many moments behind the last one have come when each minute begins, the end of the last one included.
    reached = [max(0, -((last - start - timedelta(minutes=place)) // step) - 1) for place in range(count + 1)]
    return [after - before for before, after in itertools.pairwise(reached)]


def _coming(db: Database, *, after: datetime, until: datetime, by_hour: bool = False) -> tuple[list[Coming], bool]:
    """Return the moments of all tasks in a time, and whether tasks were left out because all were too many."""
    if until <= after:
        return [], False
    with db.read() as session:
        lines = store.list_enabled_lines(session, MOST_TASKS + 1)
        windows = blackouts.read(session)
    known: dict[tuple[str, datetime, tuple[Blackout, ...]], Coming] = {}
    found: list[Coming] = []
    worked_out = 0
    for line in lines[:MOST_TASKS]:
        begin = max(line.cursor_at, after)
        own = tuple(one for one in windows if one.concerns(line.id))
        key = (json.dumps(line.schedule, sort_keys=True), begin, own)
        if key not in known:
            if worked_out > MOST_MOMENTS:
                return found, True
            known[key] = _work_out(line, begin, until, marker(own, line.id), by_hour=by_hour)
            worked_out += len(known[key].moments) + 1
        if known[key].moments:
            found.append(dataclasses.replace(known[key], task=line))
    return found, len(lines) > MOST_TASKS


def _work_out(line: TaskLine, begin: datetime, until: datetime, mark: Marker, *, by_hour: bool) -> Coming:
    plan = schedules.from_json(line.schedule)
    # One that is seldom due has no second moment so soon, and is not looked at hour by hour.
    due = list(schedules.occurrences(plan, begin, MOST_OF_SCHEDULE + 1, until))
    found = [one.due_at for one in due if not mark(one).is_left_out]
    if len(due) <= MOST_OF_SCHEDULE:
        return Coming(line, found, is_cut=False)
    hourly = _by_hour(plan, begin, until, mark) if by_hour else ()
    return Coming(line, found[:MOST_OF_SCHEDULE], is_cut=True, hourly=hourly)


def _by_hour(plan: Schedule, begin: datetime, until: datetime, mark: Marker) -> list[tuple[Sequence[datetime], float]]:
    found: list[tuple[Sequence[datetime], float]] = []
    start = begin.replace(minute=0, second=0, microsecond=0)
    while start < until:
        end = min(start + timedelta(hours=1), until)
        after = max(start - timedelta(microseconds=1), begin)
        due = schedules.occurrences(plan, after, _MOST_OF_HOUR + 1, end)
        moments = [one.due_at for one in due if one.due_at < end and not mark(one).is_left_out]
        if moments:
            following = moments[1:2] or [one.due_at for one in schedules.occurrences(plan, moments[0], 1, until)]
            gap = (following[0] - moments[0]).total_seconds() if following else _HOUR
            found.append((moments if len(moments) <= _MOST_OF_HOUR else _thinned(moments[0], gap, end), gap))
        start = end
    return found


def _thinned(first: datetime, gap: float, end: datetime) -> list[datetime]:
    """Return the first moment of each minute until an end of what is due each few seconds."""
    step = timedelta(seconds=math.ceil(_MINUTE / gap) * gap)
    return [first + n * step for n in range(math.ceil((end - first) / step))]


def _of_itself(seconds: float, gap: float) -> int:
    """Return how many runs of one task go on at any time: none if it is over long before it is due again."""
    return min(int(seconds / gap + 0.5), _MOST_OF_ITSELF)


def _is_endless(group: _Group) -> bool:
    return any(_of_itself(group.seconds, gap) for _moments, gap in group.coming.hourly)


def _stays(number: int, group: _Group, start: datetime) -> list[Stay]:
    one, seconds, count = group.coming, group.seconds, len(group.tasks)
    if not one.is_cut:
        return [Stay(number, (moment - start).total_seconds(), seconds, count) for moment in one.moments]
    stays = []
    for moments, gap in one.hourly:
        of_itself = _of_itself(seconds, gap)
        if of_itself:
            begin = (moments[0] - start).total_seconds()
            end = (begin // _HOUR + 1) * _HOUR
            stays.append(Stay(number, begin, end - begin, count * of_itself))
        else:
            stays += [Stay(number, (moment - start).total_seconds(), seconds, count) for moment in moments]
    return stays


def _cell(at: datetime, found: Load, zone: ZoneInfo) -> Cell:
    local = at.astimezone(zone)
    return Cell(at, local.weekday(), local.hour, found)


def _pile(n: int, cells: Sequence[Cell], stays: Sequence[Stay], groups: Sequence[_Group], start: datetime) -> PileUp:
    loads = [cell.load for cell in cells]
    there = [task for number in load.at_once(stays, loads[n].at) for task in groups[number].tasks]
    quieter = load.quiet_near(loads, n, 3)
    return PileUp(
        cell=cells[n],
        at=start + timedelta(seconds=loads[n].at),
        tasks=there[:_NAMED],
        others=max(len(there) - _NAMED, 0),
        quieter=None if quieter is None else cells[quieter],
    )
