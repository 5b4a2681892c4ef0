"""Reading one moment that a person wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.dst import next_transitions
from watchbell.domain.schedule.zones import zone_named
from watchbell.errors import InputError

_TEXT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?\s?(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_TEXT = 60
#: Near the ends of the calendar a moment has no local time in some zones, and no task was ever due there.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
#: Instead of a date: as soon as it is saved.
NOW = "now"


def parse_moment(text: str, zone: str, now: datetime) -> datetime:
    """Return the moment in UTC, in whole seconds; raise InputError on the field `at` if it is wrong or past.

    A text without an offset is local time in the zone; in a repeated hour it means the first pass.
    """
    moment = read_moment(text, zone, now)
    refuse_past(moment, zone, now)
    return moment


def read_moment(text: str, zone: str, now: datetime) -> datetime:
    """Return the moment in UTC, past or not; the word ``now`` is a moment that is due at once."""
    place = zone_named(zone)
    stripped = text.strip()
    if stripped.lower() == NOW:
        return now.astimezone(UTC)
    if len(text) > _LONGEST_TEXT or not _TEXT.fullmatch(stripped):
        raise InputError.of(
            "at",
            f"{text[:_LONGEST_TEXT]!r} is not a date and a time, with or without an offset",
            example_moment(zone, now),
        )
    try:
        written = datetime.fromisoformat(stripped.replace(" ", "T", 1).replace(" ", "").upper())
        moment = written.replace(tzinfo=written.tzinfo or place).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError.of("at", f"{stripped!r} does not exist ({error})", example_moment(zone, now)) from error
    if not _EARLIEST <= moment < _LATEST:
        raise InputError.of(
            "at",
            f"{stripped!r} is not within the years {_EARLIEST.year} to {_LATEST.year - 1}",
            example_moment(zone, now),
        )
    if written.tzinfo is None:
        _refuse_gap(written, moment, place)
    return moment.replace(microsecond=0)


def refuse_past(moment: datetime, zone: str, now: datetime) -> None:
    """Raise InputError if the moment has passed."""
    if moment < now:
        here = now.astimezone(ZoneInfo(zone))
        raise InputError.of(
            "at",
            f"{moment.astimezone(here.tzinfo):%Y-%m-%d %H:%M:%S} is past; it is now {here:%Y-%m-%d %H:%M:%S}, {zone}",
            example_moment(zone, now),
        )


def example_moment(zone: str, now: datetime) -> str:
    """Return a text that will be accepted: tomorrow at half past nine."""
    return f"{now.astimezone(ZoneInfo(zone)) + timedelta(days=1):%Y-%m-%d} 09:30"


def _refuse_gap(written: datetime, moment: datetime, place: ZoneInfo) -> None:
    # A local time that exists survives the way to UTC and back.
    if moment.astimezone(place).replace(tzinfo=None) == written:
        return
    change = next_transitions(place.key, moment - timedelta(days=2), 1)[0]
    raise InputError.of(
        "at",
        f"{written:%Y-%m-%d %H:%M} does not exist in {place.key}: the clock goes from "
        f"{change.local_before:%H:%M} to {change.local_after:%H:%M}",
        f"{change.local_after:%Y-%m-%d %H:%M}",
    )
