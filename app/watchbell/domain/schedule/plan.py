"""The one next-time function, used by the scheduler, the previews, the services and the tests."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import count, groupby, islice
from operator import attrgetter
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.bounds import first_instant, last_instant
from watchbell.domain.schedule.calendar_rule import is_moving, keep_or_leave_out, next_by_rule
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.dst import next_in_zone, walk_zone
from watchbell.domain.schedule.interval import next_in_interval
from watchbell.domain.schedule.model import Occurrence, Schedule, ScheduleKind, instant_key
from watchbell.domain.schedule.pattern import LAST_YEAR, CalendarPattern
from watchbell.domain.schedule.words import Count, read_words

#: Before this there are no zones, and near the year 1 no room for an offset.
_FIRST_MOMENT = datetime(1800, 1, 1, tzinfo=UTC)
_LAST_MOMENT = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
_LEAST = timedelta(microseconds=1)
_BY_NAME = attrgetter("due_at", "local", "fold")


def next_occurrence(schedule: Schedule, after: datetime) -> Occurrence | None:
    """Return the first moment strictly after the given aware time; None means never again."""
    if after.tzinfo is None:
        raise ValueError(f"{after} has no time zone")
    if after.year >= LAST_YEAR:
        return None
    moment = max(after, _FIRST_MOMENT).astimezone(UTC)
    if schedule.calendar is not None:
        return next_by_rule(schedule, moment, _next_within)
    return _next_within(schedule, moment)


def _next_within(schedule: Schedule, after: datetime) -> Occurrence | None:
    """Return the next moment between the first and the last time of a schedule, whatever its calendar says."""
    if schedule.not_before is None and schedule.not_after is None:
        return _next(schedule, after)
    if schedule.not_before is not None:
        after = max(after, first_instant(schedule.not_before, schedule.zone) - _LEAST)
    found = _next(schedule, after)
    if found is None or schedule.not_after is None:
        return found
    return found if found.due_at <= last_instant(schedule.not_after, schedule.zone) else None


def _next(schedule: Schedule, moment: datetime) -> Occurrence | None:
    match schedule.kind:
        case ScheduleKind.CRON:
            return _next_of_expressions(schedule, moment)
        case ScheduleKind.WORDS:
            return _next_of_words(schedule, moment)
        case ScheduleKind.INTERVAL:
            return _next_of_count(schedule, Count(schedule.every, schedule.unit), moment)
        case ScheduleKind.MOMENT:
            return _next_of_moments(schedule, moment)
        case ScheduleKind.MANUAL:
            return None


def occurrences(schedule: Schedule, after: datetime, limit: int, until: datetime | None = None) -> Iterator[Occurrence]:
    """Yield at most `limit` moments strictly after `after` and not later than `until`."""
    for occurrence in islice(_walk(schedule, after), limit):
        if until is not None and occurrence.due_at > until:
            return
        yield occurrence


def _walk(schedule: Schedule, after: datetime) -> Iterator[Occurrence]:
    """Yield what ``next_occurrence`` returns one after the other; what lies in the days of a pattern is walked along."""
    patterns = _patterns(schedule)
    if patterns is None or is_moving(schedule.calendar_rule) or not _FIRST_MOMENT <= after < _LAST_MOMENT:
        while (found := next_occurrence(schedule, after)) is not None:
            yield found
            after = found.due_at
        return
    moment = after.astimezone(UTC)
    if schedule.not_before is not None:
        moment = max(moment, first_instant(schedule.not_before, schedule.zone) - _LEAST)
    until = None if schedule.not_after is None else last_instant(schedule.not_after, schedule.zone)
    last = None
    for found in _merged([walk_zone(one, schedule.zone, schedule.dst, moment) for one in patterns], schedule):
        if until is not None and found.due_at > until:
            return
        # Two texts may name one instant, and the earlier name is its key.
        if found.due_at != last:
            last = found.due_at
            yield (
                found
                if schedule.calendar is None
                else keep_or_leave_out(schedule.calendar_rule, schedule.calendar, found)
            )


def _merged(walks: Sequence[Iterator[Occurrence]], schedule: Schedule) -> Iterator[Occurrence]:
    """Return the moments of several lines by time and name; where lines give values, each says of which one it is."""
    if len(walks) == 1 or not schedule.line_values:
        return merge(*walks, key=_BY_NAME)
    return _first_of_each(merge(*map(_numbered, walks, count()), key=_BY_NAME))


def _numbered(walk: Iterator[Occurrence], line: int) -> Iterator[Occurrence]:
    return (dataclasses.replace(one, line=line) for one in walk)


def _first_of_each(moments: Iterator[Occurrence]) -> Iterator[Occurrence]:
    """Yield each instant once: by the earlier name, which is its key, and of the first line that is due then."""
    for _due_at, together in groupby(moments, key=lambda one: one.due_at):
        first, *others = together
        yield dataclasses.replace(first, line=min(one.line for one in (first, *others))) if others else first


def _patterns(schedule: Schedule) -> list[CalendarPattern] | None:
    """Return the patterns whose moments are those of a schedule, None for one that counts or names moments."""
    if schedule.kind is ScheduleKind.CRON:
        return [read_cron(text).pattern for text in schedule.expressions]
    if schedule.kind is ScheduleKind.WORDS:
        meaning = read_words(schedule.every_word, schedule.at_time)
        return None if isinstance(meaning, Count) else [meaning]
    return None


def _next_of_expressions(schedule: Schedule, after: datetime) -> Occurrence | None:
    if len(schedule.expressions) == 1:
        return next_in_zone(read_cron(schedule.expressions[0]).pattern, schedule.zone, schedule.dst, after)
    found = [next_in_zone(read_cron(text).pattern, schedule.zone, schedule.dst, after) for text in schedule.expressions]
    # Two texts may name one instant differently (one in a gap, one for real). The earlier name wins, whatever their
    # order, so that an instant has one key.
    first = min(
        (occurrence for occurrence in found if occurrence is not None),
        key=_BY_NAME,
        default=None,
    )
    if first is None:
        return None
    if not schedule.line_values:
        return first
    # Of its values it is the order that decides: the first line that is due then gives them.
    line = next(number for number, one in enumerate(found) if one is not None and one.due_at == first.due_at)
    return dataclasses.replace(first, line=line) if line else first


def _next_of_words(schedule: Schedule, after: datetime) -> Occurrence | None:
    meaning = read_words(schedule.every_word, schedule.at_time)
    if isinstance(meaning, Count):
        return _next_of_count(schedule, meaning, after)
    return next_in_zone(meaning, schedule.zone, schedule.dst, after)


def _next_of_count(schedule: Schedule, count: Count, after: datetime) -> Occurrence | None:
    if schedule.anchor_at is None:
        raise ValueError("a schedule that counts needs the moment from which it counts")
    return next_in_interval(count.every, count.unit, schedule.anchor_at, schedule.zone, schedule.dst, after)


def _next_of_moments(schedule: Schedule, after: datetime) -> Occurrence | None:
    moments = sorted(schedule.moments)
    index = bisect_right(moments, after)
    if index == len(moments):
        return None
    due_at = moments[index].astimezone(UTC)
    local = due_at.astimezone(ZoneInfo(schedule.zone))
    naive = local.replace(tzinfo=None, fold=0)
    return Occurrence(due_at, instant_key(due_at), naive, local.fold, schedule.zone, line=index)
