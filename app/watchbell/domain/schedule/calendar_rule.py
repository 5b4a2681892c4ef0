"""What a calendar does to the moments of a schedule: some are left out, or moved to another day.

A moment that is left out stays where it was and says why: it still becomes a row. One that is moved keeps its name,
which is its local time before the move; only the instant at which it is due is another one. So whatever a calendar is
changed to, a moment that has its row gets no second one. Of several that would come to the same instant one is due
there, the nearest, and none at all where the schedule is due at that instant anyway; the others are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain.day_calendar import DayCalendar
from watchbell.domain.schedule.bounds import first_instant, last_instant
from watchbell.domain.schedule.model import CalendarRule, Occurrence, Schedule
from watchbell.domain.short_memory import remembers

#: So many days farther nobody looks for one that is free.
MOST_DAYS = 31
_A_DAY = timedelta(days=1)
_LEAST = timedelta(microseconds=1)
#: More than any two offsets of a zone differ.
_MARGIN = timedelta(hours=27)
#: The next moment of a schedule without its calendar.
Base = Callable[[Schedule, datetime], Occurrence | None]


def next_by_rule(schedule: Schedule, after: datetime, base: Base) -> Occurrence | None:
    """Return the first moment strictly after an instant, as the calendar of the schedule has it."""
    calendar = schedule.calendar
    assert calendar is not None
    if schedule.calendar_rule in _MOVES:
        return _next_moved(schedule, calendar, after, base)
    found = base(schedule, after)
    return None if found is None else keep_or_leave_out(schedule.calendar_rule, calendar, found)


_MOVES = {CalendarRule.NEXT: _A_DAY, CalendarRule.PREVIOUS: -_A_DAY}


def is_moving(rule: CalendarRule) -> bool:
    """Return whether moments are moved by a rule."""
    return rule in _MOVES


def keep_or_leave_out(rule: CalendarRule, calendar: DayCalendar, found: Occurrence) -> Occurrence:
    """Return a moment as it is on a calendar that moves none: as it was, or left out with the reason."""
    label = calendar.find(found.local)
    if rule is CalendarRule.ONLY:
        note = "" if label is not None else f"{_day(found.local)} is no day of calendar {calendar.name}"
    else:
        note = "" if label is None else _is_day(found.local, calendar, label)
    return dataclasses.replace(found, note=note, is_left_out=True) if note else found


def _is_day(local: datetime, calendar: DayCalendar, label: str) -> str:
    if label:
        return f"{_day(local)} is a day of calendar {calendar.name} ({label})"
    return f"{_day(local)} is a day of calendar {calendar.name}"


def _day(local: datetime) -> str:
    return f"{local:%Y-%m-%d}"


def _next_moved(schedule: Schedule, calendar: DayCalendar, after: datetime, base: Base) -> Occurrence | None:
    """Return the first of the moments as they are after all moves; only near days of the calendar is more than one looked at."""
    place = ZoneInfo(schedule.zone)
    is_later = schedule.calendar_rule is CalendarRule.NEXT
    start = _block_start(calendar, after, place) if is_later else after
    best: Occurrence | None = None
    last: datetime | None = None
    while (found := base(schedule, start)) is not None:
        start = found.due_at
        if last is not None and found.due_at > last:
            break
        moved = _moved(schedule, found, base)
        if moved.due_at > after and (best is None or moved.due_at < best.due_at):
            best = moved
            # Later ones can only come before this if they are moved back to it over the days that follow it.
            last = moved.due_at if is_later else _block_end(calendar, moved.due_at, place)
    return best


def _block_start(calendar: DayCalendar, after: datetime, place: ZoneInfo) -> datetime:
    """Return from where moments may have been moved beyond an instant: from before the days of the calendar that lead to it."""
    today = after.astimezone(place).date()
    day = today
    while (today - day).days <= MOST_DAYS and calendar.touches(day - _A_DAY):
        day -= _A_DAY
    if day == today and not calendar.touches(today):
        return after
    return min(after, _midnight(day, place) - _MARGIN)


def _block_end(calendar: DayCalendar, due_at: datetime, place: ZoneInfo) -> datetime:
    """Return until when moments may have been moved back to an instant."""
    today = due_at.astimezone(place).date()
    day = today + _A_DAY
    while (day - today).days <= MOST_DAYS and calendar.touches(day):
        day += _A_DAY
    return _midnight(day, place) + _MARGIN


def _midnight(day: date, place: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), place).astimezone(UTC)


def _length(schedule: Schedule, _found: Occurrence, _base: Base) -> int:
    return len(schedule.calendar.days) if schedule.calendar is not None else 0


@remembers(16_384, _length)
def _moved(schedule: Schedule, found: Occurrence, base: Base) -> Occurrence:
    """Return a moment where the calendar puts it."""
    calendar = schedule.calendar
    assert calendar is not None
    label = calendar.find(found.local)
    if label is None:
        return found
    passed: list[datetime] = []
    target = found.local + _MOVES[schedule.calendar_rule]
    while calendar.find(target) is not None:
        passed.append(target)
        target += _MOVES[schedule.calendar_rule]
        if len(passed) >= MOST_DAYS:
            return _left_out(found, calendar, label, f"no day within {MOST_DAYS} days is free to move to")
    due_at = _instant(target, schedule.zone)
    if due_at is None:
        return _left_out(found, calendar, label, f"{target:%H:%M} does not exist on {target:%Y-%m-%d}")
    if not _is_within(schedule, due_at):
        return _left_out(
            found, calendar, label, f"{target:%Y-%m-%d} is not between the first and the last day of the task"
        )
    if _is_due_at(schedule, due_at, base):
        return _left_out(found, calendar, label, f"the task is due at {target:%Y-%m-%d %H:%M} anyway")
    if found.fold or any(_is_named(schedule, one, base) for one in passed):
        return _left_out(found, calendar, label, f"another moment is moved to {target:%Y-%m-%d %H:%M} already")
    because = f", {label}" if label else ""
    note = f"moved from {found.local:%Y-%m-%d %H:%M} by calendar {calendar.name}{because}"
    return dataclasses.replace(found, due_at=due_at, note=note)


def _is_within(schedule: Schedule, due_at: datetime) -> bool:
    zone = schedule.zone
    if schedule.not_before is not None and due_at < first_instant(schedule.not_before, zone):
        return False
    return schedule.not_after is None or due_at <= last_instant(schedule.not_after, zone)


def _left_out(found: Occurrence, calendar: DayCalendar, label: str, why: str) -> Occurrence:
    return dataclasses.replace(found, note=f"{_is_day(found.local, calendar, label)}; {why}", is_left_out=True)


def _instant(local: datetime, zone: str) -> datetime | None:
    """Return the instant of a local time, the first of two; None for one that does not exist."""
    place = ZoneInfo(zone)
    instant = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    return instant if instant.astimezone(place).replace(tzinfo=None, fold=0) == local else None


def _is_due_at(schedule: Schedule, instant: datetime, base: Base) -> bool:
    found = base(schedule, instant - _LEAST)
    return found is not None and found.due_at == instant


def _is_named(schedule: Schedule, local: datetime, base: Base) -> bool:
    """Return whether the schedule has a moment of a local time, be it one that the clock leaves out."""
    instant = _instant(local, schedule.zone)
    if instant is not None:
        return _is_due_at(schedule, instant, base)
    start = local.replace(tzinfo=ZoneInfo(schedule.zone)).astimezone(UTC) - _MARGIN
    found = base(schedule, start)
    while found is not None and found.due_at < start + 2 * _MARGIN:
        if found.local == local:
            return True
        found = base(schedule, found.due_at)
    return False
