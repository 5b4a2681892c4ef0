"""What a schedule and one of its moments are, and how a schedule is kept as JSON; how moments are found is elsewhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from watchbell.domain.day_calendar import DayCalendar
from watchbell.errors import InputError


class ScheduleKind(StrEnum):
    """The ways of saying when a task is due."""

    CRON = "cron"
    """One or several cron texts; the task is due at the union of their moments."""
    INTERVAL = "interval"
    """Every N seconds, minutes, hours or days, counted from an anchor."""
    MOMENT = "moment"
    """At one or several given moments, and then never again."""
    WORDS = "words"
    """An `Every` word with an `AtTime` text."""
    MANUAL = "manual"
    """Only when somebody asks for a run."""


class DSTRule(StrEnum):
    """What happens to local times that a clock change removes or repeats."""

    CRON_LIKE = "cron_like"
    """A fixed time runs once, at the first valid instant or in the first pass; wildcards follow real time."""
    SKIP = "skip"
    """A removed time does not run and a repeated one runs in its first pass."""
    BOTH = "both"
    """A removed time runs as with `cron_like`, and a repeated one runs in both passes."""


class CalendarRule(StrEnum):
    """What a calendar does to moments that fall on its days."""

    LEAVE_OUT = "leave_out"
    """They are left out."""
    ONLY = "only"
    """All others are left out."""
    NEXT = "next"
    """They move to the next day that is not the calendar's, at the same local time."""
    PREVIOUS = "previous"
    """They move to the last day before that is not the calendar's."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When a task is due. Instances from outside come through `build_schedule`, which validates."""

    kind: ScheduleKind
    expressions: tuple[str, ...] = ()
    every: int = 0
    unit: str = ""
    #: Aware UTC in whole seconds. The first moment of an interval is the anchor itself.
    anchor_at: datetime | None = None
    moments: tuple[datetime, ...] = ()
    every_word: str = ""
    at_time: str = ""
    zone: str = "UTC"
    dst: DSTRule = DSTRule.CRON_LIKE
    #: The calendar as it was when the schedule was saved, and again whenever the calendar is.
    calendar: DayCalendar | None = None
    calendar_rule: CalendarRule = CalendarRule.LEAVE_OUT
    #: Local times of the zone, naive; both belong to the schedule.
    not_before: datetime | None = None
    not_after: datetime | None = None
    #: What single lines give their runs of the parameters of the task; see line_values.py.
    line_values: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        # A calendar of many days would be hashed anew with each question.
        return hash((self.kind, self.expressions, self.every, self.unit, self.anchor_at, self.moments, self.every_word,
                     self.at_time, self.zone, self.calendar, self.not_before, self.not_after))  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Occurrence:
    """One moment at which a task is due."""

    due_at: datetime
    #: The identity of the moment. Calendar moments are named by their nominal local time, so that a new release of the
    #: time zone database, which moves the instant, does not make a second moment of it.
    key: str
    #: The nominal local time, naive. In a gap this is a time that the clock never showed.
    local: datetime
    #: 1 in the second pass of a repeated hour.
    fold: int
    zone: str
    #: Why it is left out, or where it was moved from; empty for most.
    note: str = ""
    #: Whether it becomes a row that says so, and is not started.
    is_left_out: bool = False
    #: Which line of a schedule whose lines give values it is of, counted from 0: the first of those that are due then.
    line: int = 0


def calendar_key(local: datetime, fold: int, zone: str) -> str:
    """Return the key of a moment that is named by its local time."""
    return f"cal:{local.isoformat()}/{fold}@{zone}"


def instant_key(due_at: datetime) -> str:
    """Return the key of a moment that is named by its UTC time."""
    return f"utc:{due_at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def to_json(schedule: Schedule) -> dict[str, object]:
    """Return the schedule as plain JSON values, leaving out what its kind does not use."""
    data: dict[str, object] = {"kind": str(schedule.kind), "zone": schedule.zone, "dst": str(schedule.dst)}
    if schedule.expressions:
        data["expressions"] = list(schedule.expressions)
    if schedule.every:
        data["every"] = schedule.every
    if schedule.moments:
        data["moments"] = [moment.isoformat() for moment in schedule.moments]
    if schedule.anchor_at is not None:
        data["anchor_at"] = schedule.anchor_at.isoformat()
    if schedule.calendar is not None:
        data |= {"calendar": schedule.calendar.name, "calendar_rule": str(schedule.calendar_rule)}
        data |= {"calendar_days": schedule.calendar.days, "calendar_weekdays": schedule.calendar.weekdays}
    for name in ("not_before", "not_after"):
        if (bound := getattr(schedule, name)) is not None:
            data[name] = bound.isoformat()
    for name in ("unit", "every_word", "at_time"):
        if text := getattr(schedule, name):
            data[name] = text
    if schedule.line_values:
        data["line_values"] = {line: dict(values) for line, values in schedule.line_values.items()}
    return data


def from_json(data: Mapping[str, object]) -> Schedule:
    """Return the schedule that `to_json` wrote; raise InputError if this is not such a thing."""
    try:
        anchor = data.get("anchor_at")
        return Schedule(
            kind=ScheduleKind(_text(data["kind"])),
            expressions=tuple(_texts(data.get("expressions"))),
            every=_count(data.get("every", 0)),
            unit=_text(data.get("unit", "")),
            anchor_at=None if anchor is None else _instant(_text(anchor)),
            moments=tuple(_instant(text) for text in _texts(data.get("moments"))),
            every_word=_text(data.get("every_word", "")),
            at_time=_text(data.get("at_time", "")),
            zone=_text(data.get("zone", "UTC")),
            dst=DSTRule(_text(data.get("dst", DSTRule.CRON_LIKE))),
            calendar=_calendar(data) if "calendar" in data else None,
            calendar_rule=CalendarRule(_text(data.get("calendar_rule", CalendarRule.LEAVE_OUT))),
            not_before=_local(data.get("not_before")),
            not_after=_local(data.get("not_after")),
            line_values=_values(data.get("line_values")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.of("schedule", f"this is not a stored schedule ({error})") from error


def _calendar(data: Mapping[str, object]) -> DayCalendar:
    days, weekdays = data.get("calendar_days", ""), data.get("calendar_weekdays", "")
    return _shared(_text(data["calendar"]), _text(days), _text(weekdays))


@functools.lru_cache(maxsize=512)
def _shared(name: str, days: str, weekdays: str) -> DayCalendar:
    # One for all tasks that have it: it may be long.
    return DayCalendar(name, days, weekdays)


def _local(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is not a list")
    return [_text(item) for item in value]


def _values(value: object) -> Mapping[str, Mapping[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
        raise TypeError(f"{value!r} is not a mapping of mappings")
    return {line: {name: _text(text) for name, text in values.items()} for line, values in value.items()}


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment.astimezone(UTC)
