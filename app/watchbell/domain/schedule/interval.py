"""Intervals counted from an anchor: reading their text, and their moments by arithmetic instead of stepping."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.dst import next_in_zone
from watchbell.domain.schedule.model import DSTRule, Occurrence, calendar_key, instant_key
from watchbell.errors import InputError

#: The units of an interval and how many seconds the absolute ones have. A day is a calendar day: from one change of the
#: clock to the next it is not always 24 hours.
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_LONGEST_SECONDS = 10 * 366 * 86_400
_EXAMPLE = "5m"
_UNIT_NAMES = {
    "seconds": ("s", "sec", "secs", "second", "seconds"),
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "hours": ("h", "hr", "hrs", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_UNIT_OF = {name: unit for unit, names in _UNIT_NAMES.items() for name in names}
_TEXT = re.compile(r"(?:every\s+)?(?P<count>[0-9]+)?\s*(?P<unit>[a-z]+)", re.ASCII | re.IGNORECASE)
_LONGEST_TEXT = 60
_LONGEST_READ = 1000


def parse_interval(text: str) -> tuple[int, str]:
    """Return count and unit of a text such as 2s, 90 s, 5 min, every 2 hours; raise InputError on the field `every`."""
    return checked_interval(*read_span(text))


def read_span(text: str) -> tuple[int, str]:
    """Return count and unit of any length of time, be it too short or too long for an interval."""
    # Python refuses to read numbers that are longer still.
    match = _TEXT.fullmatch(" ".join(text.split())) if len(text) <= _LONGEST_READ else None
    unit = _UNIT_OF.get(match["unit"].lower()) if match else None
    if match is None or unit is None or (match["count"] is None and len(match["unit"]) == 1):
        raise InputError.of(
            "every", f"{text[:_LONGEST_TEXT]!r} is not a whole number with seconds, minutes, hours or days", _EXAMPLE
        )
    count = int(match["count"] or 1)
    return (count * 7, "days") if unit == "weeks" else (count, unit)


def unit_named(text: str) -> str:
    """Return the unit in its full plural form; raise InputError on the field `unit`."""
    unit = _UNIT_OF.get(text.strip().lower())
    if unit is None or unit not in UNITS:
        raise InputError.of("unit", f"{text[:_LONGEST_TEXT]!r} is not one of {', '.join(UNITS)}", "minutes")
    return unit


def checked_interval(every: int, unit: str, field: str = "every") -> tuple[int, str]:
    """Return the interval; raise InputError unless it is at least 1 and at most ten years."""
    # Beside a word the unit is said already.
    example = _EXAMPLE if field == "every" else "5"
    if every < 1:
        raise InputError.of(field, "an interval is at least 1, or the task would be due without end", example)
    if every > _LONGEST_SECONDS // UNITS[unit]:
        raise InputError.of(field, "an interval is at most ten years", example)
    return every, unit


def next_in_interval(
    every: int, unit: str, anchor_at: datetime, zone: str, rule: DSTRule, after: datetime
) -> Occurrence | None:
    """Return the first moment strictly after the given UTC time; the anchor itself is the first of all."""
    if unit == "days":
        return _next_day(every, anchor_at, zone, rule, after)
    step = timedelta(seconds=every * UNITS[unit])
    steps = 0 if after < anchor_at else (after - anchor_at) // step + 1
    try:
        due_at = anchor_at + steps * step
        local = due_at.astimezone(ZoneInfo(zone))
    except OverflowError:
        return None
    return Occurrence(due_at, instant_key(due_at), local.replace(tzinfo=None, fold=0), local.fold, zone)


@dataclasses.dataclass(frozen=True, slots=True)
class _SameTimeEachDay:
    """The anchor's local time on every n-th day from the anchor's local date."""

    anchor: datetime
    every: int
    is_fixed_time: bool = True

    def first_from(self, local: datetime) -> datetime | None:
        days = max(0, -((self.anchor - local) // timedelta(days=1)))
        steps = -(-days // self.every)
        try:
            return self.anchor + timedelta(days=steps * self.every)
        except OverflowError:
            return None


def _next_day(every: int, anchor_at: datetime, zone: str, rule: DSTRule, after: datetime) -> Occurrence | None:
    anchor = anchor_at.astimezone(ZoneInfo(zone))
    nominal = anchor.replace(tzinfo=None, fold=0)
    if after < anchor_at:
        # The anchor is an instant that somebody chose: it is due even if it lies in the second pass of a fold.
        return Occurrence(
            anchor_at.astimezone(UTC), calendar_key(nominal, anchor.fold, zone), nominal, anchor.fold, zone
        )
    return next_in_zone(_SameTimeEachDay(nominal, every), zone, rule, after)
