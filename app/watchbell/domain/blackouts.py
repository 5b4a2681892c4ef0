"""Blackout windows: stretches of time in which moments of tasks are left out, once or again and again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain.day_calendar import WEEKDAYS
from watchbell.domain.schedule import Occurrence
from watchbell.domain.schedule.zones import zone_named
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, Problem

NAME_LIMIT = 60
DESCRIPTION_LIMIT = 500
FIELDS = ("name", "description", "zone", "starts", "ends", "weekdays", "from_time", "to_time")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", re.ASCII)
_EXAMPLES = {"starts": "2030-12-24 18:00", "ends": "2030-12-27 06:00", "from_time": "22:00", "to_time": "02:00"}
_A_DAY = timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Blackout:
    """One window: either from ``starts`` to ``ends``, or on ``weekdays`` from one time of day to another."""

    name: str
    zone: str
    #: Local times of the zone, the end not included; None for a window that comes again.
    starts: datetime | None = None
    ends: datetime | None = None
    #: The days on which it begins, Monday is 0; empty for every day.
    weekdays: frozenset[int] = frozenset()
    from_time: time | None = None
    #: Not included; one that is not later than the beginning is on the next day.
    to_time: time | None = None
    #: Whose moments it leaves out; empty for those of all tasks.
    task_ids: frozenset[int] = frozenset()
    description: str = ""

    @property
    def note(self) -> str:
        """Return what rows say of moments that it leaves out."""
        return f"blackout {self.name}"

    def concerns(self, task_id: int | None) -> bool:
        """Return whether it leaves out moments of a task; None for a task that is still to be made."""
        return not self.task_ids or task_id in self.task_ids

    def covers(self, at: datetime) -> bool:
        """Return whether an instant lies in it."""
        place = ZoneInfo(self.zone)
        if self.starts is not None and self.ends is not None:
            begin, end = (local.replace(tzinfo=place).astimezone(UTC) for local in (self.starts, self.ends))
            return begin <= at < end
        assert self.from_time is not None
        assert self.to_time is not None
        local = at.astimezone(place)
        clock, day = local.time(), local.date()
        if self.from_time < self.to_time:
            return self._begins_on(day.weekday()) and self.from_time <= clock < self.to_time
        has_begun = self._begins_on(day.weekday()) and clock >= self.from_time
        return has_begun or (self._begins_on((day - _A_DAY).weekday()) and clock < self.to_time)

    def is_over(self, now: datetime) -> bool:
        """Return whether it never comes again."""
        return self.ends is not None and self.ends.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC) <= now

    def _begins_on(self, weekday: int) -> bool:
        return not self.weekdays or weekday in self.weekdays


#: What puts a note on the moments of a task that are left out.
Marker = Callable[[Occurrence], Occurrence]


def marker(blackouts: Iterable[Blackout], task_id: int | None) -> Marker:
    """Return what leaves out those moments of a task that lie in a window."""
    own = [one for one in blackouts if one.concerns(task_id)]
    return (lambda occurrence: _marked(own, occurrence)) if own else as_it_is


def as_it_is(occurrence: Occurrence) -> Occurrence:
    """Leave nothing out."""
    return occurrence


def _marked(own: Sequence[Blackout], occurrence: Occurrence) -> Occurrence:
    if occurrence.is_left_out:
        return occurrence
    found = next((one for one in own if one.covers(occurrence.due_at)), None)
    return dataclasses.replace(occurrence, note=found.note, is_left_out=True) if found else occurrence


def build_blackout(fields: Mapping[str, object], *, default_zone: str, task_ids: Collection[int] = ()) -> Blackout:
    """Return a window from what a person gave; raises InputError that tells all problems."""
    problems = [
        Problem(name[:40], "this is not a field of a blackout", "name") for name in fields if name not in FIELDS
    ]
    given = {name: str(value).strip() for name, value in fields.items() if isinstance(value, str)}
    values: dict[str, object] = {"task_ids": frozenset(task_ids)}
    for name, read in _READERS.items():
        try:
            values[name] = read(name, given.get(name, ""))
        except InputError as error:
            problems += error.problems
    try:
        values["zone"] = zone_named(given.get("zone") or default_zone).key
    except InputError as error:
        problems += error.problems
    try:
        values["weekdays"] = _weekdays(fields.get("weekdays"))
    except InputError as error:
        problems += error.problems
    if not problems:
        problems += _contradictions(values)
    if problems:
        raise InputError(*problems)
    return Blackout(**values)  # type: ignore[arg-type]


def _contradictions(values: Mapping[str, object]) -> list[Problem]:
    once = [name for name in ("starts", "ends") if values[name] is not None]
    again = [name for name in ("from_time", "to_time") if values[name] is not None]
    if once and (again or values["weekdays"]):
        return [
            Problem(
                once[0], "give either the beginning and the end of one window, or times of day for one that comes again"
            )
        ]
    if len(once) == 1 or len(again) == 1 or not (once or again):
        missing = next(
            (name for pair in (("starts", "ends"), ("from_time", "to_time")) for name in pair
             if name not in (once or again) and (pair[0] in (once or again) or pair[1] in (once or again))), "starts",
        )  # fmt: skip
        return [Problem(missing, "this is needed", _EXAMPLES[missing])]
    if once and values["starts"] >= values["ends"]:  # type: ignore[operator]
        return [Problem("ends", "it ends before it begins", None)]
    return []


def _text(limit: int, *, required: bool = False) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if required and not text:
            raise InputError.of(name, "must not be empty", "release-freeze")
        if len(text) > limit or not is_visible(text) or (required and "/" in text):
            raise InputError.of(name, f"must be at most {limit} printable characters", "release-freeze")
        return text

    return read


def _local(name: str, text: str) -> datetime | None:
    if not text:
        return None
    if not _LOCAL.fullmatch(text):
        raise InputError.of(name, f"{text[:40]!r} is not a day and a time", _EXAMPLES[name])
    try:
        found = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError as error:
        raise InputError.of(name, f"{text!r} does not exist ({error})", _EXAMPLES[name]) from error
    if not 1970 < found.year < 9000:
        raise InputError.of(name, f"{text!r} is not within the years 1971 to 8999", _EXAMPLES[name])
    return found


def _time(name: str, text: str) -> time | None:
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise InputError.of(name, f"{text[:20]!r} is not a time of day", _EXAMPLES[name])
    return time(int(match[1]), int(match[2]))


def _weekdays(value: object) -> frozenset[int]:
    parts = value if isinstance(value, list | tuple) else str(value or "").replace(",", " ").split()
    names = {str(part).strip().lower()[:3] for part in parts if str(part).strip()}
    if unknown := sorted(names - set(WEEKDAYS)):
        raise InputError.of("weekdays", f"{unknown[0]!r} is not one of {', '.join(WEEKDAYS)}", "sat, sun")
    return frozenset(WEEKDAYS.index(name) for name in names)


_READERS: dict[str, Callable[[str, str], object]] = {
    "name": _text(NAME_LIMIT, required=True),
    "description": _text(DESCRIPTION_LIMIT),
    "starts": _local,
    "ends": _local,
    "from_time": _time,
    "to_time": _time,
}


def fields_of(found: Blackout) -> dict[str, object]:
    """Return a window as somebody would type it."""
    return {
        "name": found.name,
        "description": found.description,
        "zone": found.zone,
        "starts": found.starts.isoformat(sep=" ", timespec="minutes") if found.starts else "",
        "ends": found.ends.isoformat(sep=" ", timespec="minutes") if found.ends else "",
        "weekdays": [name for number, name in enumerate(WEEKDAYS) if number in found.weekdays],
        "from_time": f"{found.from_time:%H:%M}" if found.from_time else "",
        "to_time": f"{found.to_time:%H:%M}" if found.to_time else "",
    }
