"""Schedules that devices carry: when one is due by a device's own clock, what becomes of its moments, and how it is told.

A device needs nothing but Python for it: of a cron text it is told the days and times that the server has read from it, and
finds the next moment by the same rule as everything else here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from watchbell.domain import catch_up
from watchbell.domain.policies import CatchUp, Policies
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind, next_occurrence
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.dst import next_in_zone
from watchbell.domain.schedule.model import DSTRule
from watchbell.domain.schedule.pattern import CalendarPattern

#: As late as this a moment is begun as if it were on time; behind that it was missed.
LATEST_START = timedelta(minutes=5)
#: So many moments are looked at at once.
MOST_DUE = 2000
KEY_LIMIT = 120
_CALENDAR_KEY = re.compile(r"cal:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)/[01]")
#: Further no zone was ever from UTC, with a change of its clock in between.
_FURTHEST_ZONE = timedelta(hours=26)
_KINDS_OF_YEAR = tuple((leap, weekday) for leap in (False, True) for weekday in range(7))
_OFF = "the device or its agent was off"
_BUSY = "the device was at something else or asleep"
_CHOICES = {
    CatchUp.SKIP: "what was missed is not made up for",
    CatchUp.LAST: "of what was missed the last one is made up for",
    CatchUp.ALL: "what was missed is made up for",
}


class Outcome(StrEnum):
    """What has become of a moment on a device."""

    RUN = "run"
    """The device has begun it; a job of it tells the rest."""
    MISSED = "missed"
    """It has passed and was not begun."""


@dataclasses.dataclass(frozen=True, slots=True)
class KnownDates:
    """Days of the year by what kind of year it is, as they were told."""

    years: Mapping[tuple[bool, int], tuple[int, ...]]

    def days_of(self, leap: bool, weekday: int) -> Sequence[int]:
        """Return the days of a year that begins on a weekday, counted from 0 for 1 January, rising."""
        return self.years[leap, weekday]


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule is due: one of the two."""

    interval: Schedule | None = None
    calendar: CalendarPattern | None = None

    def next_after(self, after: datetime, zone: str) -> Occurrence | None:
        """Return the first moment strictly after an aware time, by the clock of a zone; None for never again."""
        if self.interval is not None:
            return next_occurrence(self.interval, after)
        assert self.calendar is not None
        return next_in_zone(self.calendar, zone, DSTRule.CRON_LIKE, after.astimezone(UTC))


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a moment, or of a counted range that ends with it."""

    key: str
    due_at: datetime
    outcome: Outcome
    reason: str = ""
    stands_for: int = 1


def as_told(schedule: Schedule) -> dict[str, Any]:
    """Return when a schedule of one cron text or an interval is due, as a device is told."""
    if schedule.kind is ScheduleKind.INTERVAL:
        assert schedule.anchor_at is not None
        return {"every": schedule.every, "unit": schedule.unit, "anchor_at": schedule.anchor_at.isoformat()}
    pattern = read_cron(schedule.expressions[0]).pattern
    return {
        "hours": sorted({one // 3600 for one in pattern.times}),
        "minutes": sorted({one // 60 % 60 for one in pattern.times}),
        "is_fixed_time": pattern.is_fixed_time,
        # One bit for each day of each kind of year.
        "days": [f"{sum(1 << day for day in pattern.dates.days_of(*kind)):x}" for kind in _KINDS_OF_YEAR],
    }


def read_told(told: Mapping[str, Any]) -> Timing:
    """Return what ``as_told`` has said; raises KeyError, TypeError and ValueError for what it never says."""
    if "every" in told:
        anchor_at = datetime.fromisoformat(told["anchor_at"])
        return Timing(Schedule(ScheduleKind.INTERVAL, every=int(told["every"]), unit=told["unit"], anchor_at=anchor_at))
    years = dict(zip(_KINDS_OF_YEAR, map(_days, told["days"]), strict=True))
    times = tuple(hour * 3600 + minute * 60 for hour in told["hours"] for minute in told["minutes"])
    return Timing(calendar=CalendarPattern(KnownDates(years), times, bool(told["is_fixed_time"])))


def _days(text: str) -> tuple[int, ...]:
    bits = int(text, 16)
    return tuple(day for day in range(366) if bits >> day & 1)


def key_of(occurrence: Occurrence) -> str:
    """Return the name of a moment, the same in every zone: of a calendar its local time.

    So the moments of devices in many zones are one, and a device that is moved to another zone does not do a night twice.
    """
    return occurrence.key.partition("@")[0]


def has_moment(timing: Timing, key: str, due_at: datetime) -> bool:
    """Return whether a schedule has a moment of that name, in whatever zone, at that time.

    Of a counted range it is asked for the last one; the first may be of what the schedule was before a change.
    """
    name = key.rpartition("..")[2]
    try:
        if timing.interval is not None:
            found = timing.next_after(due_at - timedelta(microseconds=1), "UTC")
            return found is not None and found.due_at == due_at and key_of(found) == name
        match = _CALENDAR_KEY.fullmatch(name)
        if match is None or timing.calendar is None:
            return False
        local = datetime.fromisoformat(match[1])
        far = abs(due_at.astimezone(UTC).replace(tzinfo=None) - local)
        return far <= _FURTHEST_ZONE and timing.calendar.first_from(local) == local
    except (OverflowError, ValueError):
        # No such day, or none that a calendar goes to.
        return False


def judge(
    timing: Timing, zone: str, choice: CatchUp, *, after: datetime, now: datetime, up_since: datetime
) -> list[Verdict]:
    """Return what becomes of the moments of a schedule since it was looked at, oldest first: what was missed comes first.

    ``up_since`` is when the agent began to work. Of very many the rest comes with the next look.
    """
    due = list(islice(_due(timing, zone, after, now), MOST_DUE + 1))
    is_complete, due = len(due) <= MOST_DUE, due[:MOST_DUE]
    policies = Policies(catch_up=choice, latest_start_seconds=int(LATEST_START.total_seconds()))
    found = catch_up.judge(due, None, policies, now=now, up_since=up_since, is_complete=is_complete)
    return [_verdict(one, choice, now, up_since) for one in found]


def _due(timing: Timing, zone: str, after: datetime, now: datetime) -> Iterator[Occurrence]:
    while (found := timing.next_after(after, zone)) is not None and found.due_at <= now:
        yield found
        after = found.due_at


def _verdict(found: catch_up.Verdict, choice: CatchUp, now: datetime, up_since: datetime) -> Verdict:
    due_at = found.occurrence.due_at
    key = key_of(found.occurrence)
    if found.first is not None:
        key = f"{key_of(found.first)}..{key}"
    if not found.is_missed and found.trigger is catch_up.Trigger.SCHEDULE:
        return Verdict(key, due_at, Outcome.RUN)
    reason = f"{_OFF if due_at < up_since else _BUSY}; {_CHOICES[choice]}"
    if not found.is_missed:
        late = int((now - due_at).total_seconds())
        return Verdict(key, due_at, Outcome.RUN, f"begun {late} s late: {reason}")
    return Verdict(key, due_at, Outcome.MISSED, reason, found.stands_for)
