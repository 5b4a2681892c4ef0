"""The first and the last time of a schedule: outside of them it has no moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from watchbell.errors import InputError

_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?P<time>[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?", re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2), datetime(9000, 1, 1)  # noqa: DTZ001 - local times have no zone here
_EXAMPLES = {"not_before": "2030-01-01", "not_after": "2030-12-31"}


def read_bound(value: object, field: str) -> datetime | None:
    """Return a local time that somebody gave, None for nothing; a day alone is its first second, or its last one.

    Raises InputError on the field.
    """
    example = _EXAMPLES[field]
    if value is None or value == "":
        return None
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(microsecond=0)
    text = value.strip() if isinstance(value, str) else ""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise InputError.of(field, f"{str(value)[:40]!r} is not a day, with or without a time of day", example)
    try:
        local = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError as error:
        raise InputError.of(field, f"{text!r} does not exist ({error})", example) from error
    if not match["time"] and field == "not_after":
        local = datetime.combine(local, time(23, 59, 59))
    if not _EARLIEST <= local < _LATEST:
        raise InputError.of(field, f"{text!r} is not within the years {_EARLIEST.year} to {_LATEST.year - 1}", example)
    return local


def bound_text(local: datetime | None, field: str) -> str:
    """Return a bound as somebody would type it."""
    if local is None:
        return ""
    whole = time(23, 59, 59) if field == "not_after" else time()
    if local.time() == whole:
        return f"{local:%Y-%m-%d}"
    return local.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")


@lru_cache(maxsize=4096)
def first_instant(local: datetime, zone: str) -> datetime:
    """Return from when on there are moments: the first pass of a local time that comes twice."""
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


@lru_cache(maxsize=4096)
def last_instant(local: datetime, zone: str) -> datetime:
    """Return until when there are moments: the last pass of a local time that comes twice, its whole second."""
    return local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC) + timedelta(microseconds=999_999)
