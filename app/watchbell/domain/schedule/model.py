"""What a schedule and one of its moments are, and how a schedule is kept as JSON; how moments are found is elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

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
    for name in ("unit", "every_word", "at_time"):
        if text := getattr(schedule, name):
            data[name] = text
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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError.of("schedule", f"this is not a stored schedule ({error})") from error


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


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment.astimezone(UTC)
