"""When a device may begin: windows of its own day, and moments of its own clock."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from watchbell.errors import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_EXAMPLE = '{"start": "02:00", "end": "04:00", "days": ["sat", "sun"]}'


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A part of some days, by the clock of whoever it is for; one whose end is not behind its start goes past midnight."""

    start: time
    end: time
    #: The days on which it opens, 0 for Monday.
    days: frozenset[int] = frozenset(range(7))


def read_window(given: object, place: str = "schedule.window") -> Window:
    """Return the window that was given; raises InputError."""
    if not isinstance(given, Mapping):
        raise InputError.of(place, "must be an object", _EXAMPLE)
    unknown = sorted(set(given) - {"start", "end", "days"}, key=str)
    if unknown:
        raise InputError.of(f"{place}.{unknown[0]}"[:200], "is not a field here")
    start, end = (_read_time(given.get(name), f"{place}.{name}") for name in ("start", "end"))
    if start == end:
        raise InputError.of(f"{place}.end", "must not be its start; leave the window out for the whole day")
    days = given.get("days")
    if days is None:
        return Window(start, end)
    words = days if isinstance(days, Sequence) and not isinstance(days, str) else ()
    numbers = [DAYS.index(day) if isinstance(day, str) and day in DAYS else None for day in words]
    if not numbers or None in numbers:
        raise InputError.of(f"{place}.days", f"must be a list of {', '.join(DAYS)}", '["sat", "sun"]')
    return Window(start, end, frozenset(number for number in numbers if number is not None))


def opens_at(window: Window, zone: str, now: datetime) -> datetime:
    """Return when a window is open next, which is ``now`` if it is open, in a zone (UTC for one that is not known).

    Where the clock is put forward over the start, it opens when the clock goes on; where an hour comes twice, the first one
    counts for the start and the second for the end.
    """
    place = zone_of(zone)
    today = now.astimezone(place).date()
    for ahead in range(-1, 9):
        day = today + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        begin = moment_of(datetime.combine(day, window.start), zone)
        last = day + timedelta(days=window.end <= window.start)
        end = datetime.combine(last, window.end, place).replace(fold=1).astimezone(UTC)
        if now < end and begin < end:
            return max(begin, now)
    raise AssertionError("a window opens at least once in nine days")


def moment_of(local: datetime, zone: str) -> datetime:
    """Return the moment at which a clock in a zone shows a time; one that is left out comes when the clock goes on."""
    place = zone_of(zone)
    at = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    shown = at.astimezone(place).replace(tzinfo=None)
    if shown == local:
        return at
    # The clock is put forward over it; what both readings of it differ by is the gap.
    later = local.replace(tzinfo=place, fold=1).astimezone(UTC)
    return _first_behind(min(at, later), max(at, later), place, local)


def _first_behind(low: datetime, high: datetime, place: ZoneInfo, local: datetime) -> datetime:
    """Return the first second at which the clock of a place is behind a time that it leaves out."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(place).replace(tzinfo=None) > local:
            high = middle
        else:
            low = middle
    return high


def read_local(given: object, place: str = "schedule.local_time") -> datetime:
    """Return a time of a device's own clock; raises InputError."""
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise InputError.of(
            place, "must be a date and time without an offset, by each device's own clock", "2026-12-01T02:00"
        )
    return moment


def zone_of(name: str) -> ZoneInfo:
    """Return a zone; UTC for a name that says nothing here."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _read_time(given: object, place: str) -> time:
    found = _TIME.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise InputError.of(place, "must be a time of the day, hours and minutes", "02:00")
    return time(int(found[1]), int(found[2]))
