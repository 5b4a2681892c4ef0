"""The door through which schedules come in from forms, the command line and the API; everything wrong is refused here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from watchbell.domain.day_calendar import DayCalendar
from watchbell.domain.schedule import line_values
from watchbell.domain.schedule.bounds import bound_text, read_bound
from watchbell.domain.schedule.calendar_rule import is_moving
from watchbell.domain.schedule.cron_text import LONGEST_TEXT, read_cron
from watchbell.domain.schedule.interval import checked_interval, parse_interval, unit_named
from watchbell.domain.schedule.model import CalendarRule, DSTRule, Schedule, ScheduleKind
from watchbell.domain.schedule.moment import example_moment, read_moment, refuse_past
from watchbell.domain.schedule.words import Count, read_words
from watchbell.domain.schedule.zones import zone_named
from watchbell.errors import InputError, Problem

#: Which fields say when; filling fields of two kinds is a contradiction.
_FIELDS_OF_KIND = {
    ScheduleKind.CRON: ("cron",),
    ScheduleKind.INTERVAL: ("every", "unit"),
    ScheduleKind.MOMENT: ("at",),
    ScheduleKind.WORDS: ("every_word", "at_time"),
    ScheduleKind.MANUAL: (),
}
_EXAMPLES = {
    ScheduleKind.CRON: ("cron", "30 2 * * *"),
    ScheduleKind.INTERVAL: ("every", "5m"),
    ScheduleKind.MOMENT: ("at", "2030-01-31 09:30"),
    ScheduleKind.WORDS: ("every_word", "day"),
}
#: Which moments count: on which days, from when on and until when.
LIMIT_FIELDS = ("calendar", "calendar_rule", "not_before", "not_after")
FIELDS = (
    "kind",
    "cron",
    "every",
    "unit",
    "at",
    "zone",
    "every_word",
    "at_time",
    "anchor_at",
    "dst",
    *LIMIT_FIELDS,
    line_values.FIELD,
)
#: Of cron texts or moments of one schedule.
MOST_LINES = 20
_MOST_DIGITS = 20
#: Finds the calendar of a name.
Calendars = Callable[[str], DayCalendar | None]


def no_calendars(_name: str) -> DayCalendar | None:
    """Find no calendar, where there are none."""
    return None


def build_schedule(
    fields: Mapping[str, object],
    *,
    now: datetime,
    default_zone: str,
    earlier: Schedule | None = None,
    calendars: Calendars = no_calendars,
) -> Schedule:
    """Return the schedule that the fields describe; raise InputError that tells every problem found.

    Empty fields count as absent, and without a kind the filled fields tell it. `earlier` is the schedule that is being
    replaced: moments that it already has may be past, and an interval that stays the same keeps its anchor.
    """
    given = {name: value for name, value in fields.items() if not _is_empty(value)}
    problems = [
        Problem(name[:40], "this is not a field of a schedule", ", ".join(FIELDS))
        for name in given
        if name not in FIELDS
    ]
    kind, zone, dst = None, "UTC", DSTRule.CRON_LIKE
    with _Collecting(problems):
        kind = _kind(given)
    with _Collecting(problems):
        zone = zone_named(_text(given, "zone") or default_zone).key
    with _Collecting(problems):
        dst = _dst(_text(given, "dst"))
    # What is wrong with the time is told even beside a wrong zone, but without a kind the rest would be guesswork.
    schedule = None
    if kind is not None:
        with _Collecting(problems):
            schedule = _READERS[kind](_Entry(given, now.astimezone(UTC), zone, dst, earlier))
    limits: dict[str, object] = {}
    with _Collecting(problems):
        limits = _limits(given, kind, schedule, earlier, calendars)
    if schedule is not None:
        with _Collecting(problems):
            limits |= _line_values(fields, schedule, earlier, now)
    if schedule is None or problems:
        raise InputError(*problems)
    return dataclasses.replace(schedule, **limits) if limits else schedule  # type: ignore[arg-type]


def _line_values(
    fields: Mapping[str, object], schedule: Schedule, earlier: Schedule | None, now: datetime
) -> dict[str, object]:
    """Return what the lines of a schedule give; where nothing is said of it, what those that are still there gave before."""
    if line_values.FIELD in fields:
        given = fields[line_values.FIELD]
        found = line_values.read(given, schedule, lambda text: read_moment(text, schedule.zone, now))
    else:
        found = line_values.kept_of(earlier, schedule) if earlier is not None else {}
    return {line_values.FIELD: found} if found else {}


def fields_of_limits(schedule: Schedule) -> dict[str, str]:
    """Return which moments of a schedule count, as somebody would type it; empty texts for what it does not say."""
    calendar = schedule.calendar
    return {
        "calendar": calendar.name if calendar is not None else "",
        "calendar_rule": str(schedule.calendar_rule) if calendar is not None else "",
        "not_before": bound_text(schedule.not_before, "not_before"),
        "not_after": bound_text(schedule.not_after, "not_after"),
    }


def _limits(
    given: Mapping[str, object],
    kind: ScheduleKind | None,
    schedule: Schedule | None,
    earlier: Schedule | None,
    calendars: Calendars,
) -> dict[str, object]:
    named = [name for name in ("calendar", "not_before", "not_after") if name in given]
    if named and kind is ScheduleKind.MANUAL:
        raise InputError.of(named[0], "a task that runs only by hand has no moments that could be left out", None)
    problems: list[Problem] = []
    limits: dict[str, object] = {}
    bounds: list[datetime] = []
    for name in ("not_before", "not_after"):
        with _Collecting(problems):
            if (bound := read_bound(given.get(name), name)) is not None:
                limits[name] = bound
                bounds.append(bound)
    if bounds != sorted(bounds):
        problems.append(Problem("not_after", "it ends before it begins", bound_text(bounds[0], "not_before")))
    with _Collecting(problems):
        if name := _text(given, "calendar"):
            limits |= {"calendar": _calendar(name, earlier, calendars), "calendar_rule": _rule(given, schedule)}
    if problems:
        raise InputError(*problems)
    return limits


def _calendar(name: str, earlier: Schedule | None, calendars: Calendars) -> DayCalendar:
    found = calendars(name)
    if found is None and earlier is not None and earlier.calendar is not None and earlier.calendar.name == name:
        return earlier.calendar
    if found is None:
        raise InputError.of("calendar", f"there is no calendar {name[:60]!r}", None)
    return found


def _rule(given: Mapping[str, object], schedule: Schedule | None) -> CalendarRule:
    text = _text(given, "calendar_rule").replace("-", "_") or CalendarRule.LEAVE_OUT
    if text not in list(CalendarRule):
        raise InputError.of("calendar_rule", f"{text[:40]!r} is not one of {', '.join(CalendarRule)}", "leave_out")
    rule = CalendarRule(text)
    if is_moving(rule) and schedule is not None and not _has_times_of_day(schedule):
        raise InputError.of(
            "calendar_rule",
            "only what is due at times of day can be moved to another day",
            CalendarRule.LEAVE_OUT.value,
        )
    return rule


def _has_times_of_day(schedule: Schedule) -> bool:
    """Return whether a person named times, as opposed to a wildcard or a length of time."""
    match schedule.kind:
        case ScheduleKind.CRON:
            return all(read_cron(text).pattern.is_fixed_time for text in schedule.expressions)
        case ScheduleKind.WORDS:
            return not isinstance(read_words(schedule.every_word, schedule.at_time), Count)
        case ScheduleKind.INTERVAL:
            return schedule.unit == "days"
        case _:
            return True


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    """The filled fields and what is needed to understand them."""

    given: Mapping[str, object]
    now: datetime
    zone: str
    dst: DSTRule
    earlier: Schedule | None

    def schedule(self, kind: ScheduleKind, **values: object) -> Schedule:
        return dataclasses.replace(Schedule(kind, zone=self.zone, dst=self.dst), **values)  # type: ignore[arg-type]


class _Collecting:
    """Turns an InputError of the block into problems, so that a person is told all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, InputError):
            return False
        self.problems.extend(error.problems)
        return True


def _is_empty(value: object) -> bool:
    return value is None or value in ((), []) or (isinstance(value, str) and not value.strip())


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise InputError.of(name, f"this is a text, not {type(value).__name__}")
    return value.strip()


def _kind(given: Mapping[str, object]) -> ScheduleKind:
    filled = [kind for kind, names in _FIELDS_OF_KIND.items() if any(name in given for name in names)]
    if len(filled) > 1:
        names = [name for kind in filled for name in _FIELDS_OF_KIND[kind] if name in given]
        raise InputError.of("schedule", f"give only one of {' and '.join(names)}: a task has one kind of schedule")
    if "kind" not in given:
        return filled[0] if filled else ScheduleKind.MANUAL
    named = _text(given, "kind")
    if named not in list(ScheduleKind):
        raise InputError.of("kind", f"{named[:40]!r} is not one of {', '.join(ScheduleKind)}", "cron")
    kind = ScheduleKind(named)
    if filled and filled != [kind]:
        name = next(name for name in _FIELDS_OF_KIND[filled[0]] if name in given)
        raise InputError.of("schedule", f"the kind is {kind}, but {name} belongs to the kind {filled[0]}")
    if not filled and kind is not ScheduleKind.MANUAL:
        field, example = _EXAMPLES[kind]
        raise InputError.of(field, "this is needed", example)
    return kind


def _dst(text: str) -> DSTRule:
    named = text.replace("-", "_") or DSTRule.CRON_LIKE
    if named not in list(DSTRule):
        raise InputError.of("dst", f"{text[:40]!r} is not one of {', '.join(DSTRule)}", "cron_like")
    return DSTRule(named)


def _read_cron(entry: _Entry) -> Schedule:
    lines = _lines(entry.given["cron"], "cron", "30 2 * * *")
    problems: list[Problem] = []
    for line in lines:
        with _Collecting(problems):
            read_cron(line)
    if problems:
        raise InputError(*problems)
    return entry.schedule(ScheduleKind.CRON, expressions=tuple(dict.fromkeys(lines)))


def _lines(value: object, field: str, example: str) -> list[str]:
    """Return the filled lines of a text or a list of texts; several lines are several moments or cron texts."""
    values: list[object] = list(value) if isinstance(value, list | tuple) else [value]
    texts = [text for text in values if isinstance(text, str)]
    if len(texts) != len(values):
        raise InputError.of(field, f"this is a text, not {type(value).__name__}", example)
    if len(texts) > MOST_LINES or sum(map(len, texts)) > MOST_LINES * LONGEST_TEXT:
        raise InputError.of(field, f"this is too long; at most {MOST_LINES} lines are possible", example)
    lines = [" ".join(line.split()) for text in texts for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= MOST_LINES:
        raise InputError.of(field, f"give 1 to {MOST_LINES} lines, not {len(lines)}", example)
    return lines


def _read_interval(entry: _Entry) -> Schedule:
    every, unit = _interval(entry.given)
    anchor_at = _anchor(entry, lambda earlier: (earlier.every, earlier.unit) == (every, unit))
    return entry.schedule(ScheduleKind.INTERVAL, every=every, unit=unit, anchor_at=anchor_at)


def _interval(given: Mapping[str, object]) -> tuple[int, str]:
    written_unit = unit_named(_text(given, "unit")) if "unit" in given else None
    value = given.get("every")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InputError.of("every", "this is a whole number with a unit", "5m")
    text = value.strip()
    if not (text.isascii() and text.isdigit()):
        every, unit = parse_interval(text)
        if written_unit not in {None, unit}:
            raise InputError.of("unit", f"{text!r} is in {unit}, and the unit says {written_unit}", unit)
        return every, unit
    if written_unit is None:
        # The number itself is part of the example only if it can be one.
        count = text.lstrip("0")
        example = f"{count}s" if 0 < len(count) <= 6 else "5m"
        raise InputError.of("every", f"{text[:20]!r} has no unit: seconds, minutes, hours or days", example)
    # Longer numbers are too large, and are cut because Python refuses to read very long ones.
    return checked_interval(int(text.lstrip("0")[:_MOST_DIGITS] or "0"), written_unit)


def _anchor(entry: _Entry, is_same: Callable[[Schedule], bool]) -> datetime:
    """Return the moment from which to count: the given one, that of the same earlier schedule, or now."""
    value = entry.given.get("anchor_at")
    if value is None:
        earlier = entry.earlier
        if earlier is not None and earlier.anchor_at is not None and is_same(earlier):
            return earlier.anchor_at
        return entry.now.replace(microsecond=0)
    return _instant(value, entry, "anchor_at")


def _instant(value: object, entry: _Entry, field: str) -> datetime:
    example = example_moment(entry.zone, entry.now)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InputError.of(field, f"{value} has no time zone", example)
        return value.astimezone(UTC).replace(microsecond=0)
    if not isinstance(value, str):
        raise InputError.of(field, f"this is a date and a time, not {type(value).__name__}", example)
    try:
        return read_moment(value, entry.zone, entry.now)
    except InputError as error:
        raise InputError(*(dataclasses.replace(problem, field=field) for problem in error.problems)) from error


def _read_moments(entry: _Entry) -> Schedule:
    value = entry.given["at"]
    values: list[object] = [value] if isinstance(value, datetime) else []
    if isinstance(value, list | tuple) and any(isinstance(item, datetime) for item in value):
        values = list(value)
    if not values:
        values = list(_lines(value, "at", example_moment(entry.zone, entry.now)))
    kept = entry.earlier.moments if entry.earlier else ()
    problems: list[Problem] = []
    moments = set()
    for item in values:
        with _Collecting(problems):
            moment = _instant(item, entry, "at")
            # A task whose moment has passed can still be renamed: what it had before is not refused now.
            if moment not in kept:
                refuse_past(moment, entry.zone, entry.now)
            moments.add(moment)
    if problems:
        raise InputError(*problems)
    return entry.schedule(ScheduleKind.MOMENT, moments=tuple(sorted(moments)))


def _read_words(entry: _Entry) -> Schedule:
    every_word, at_time = _text(entry.given, "every_word"), _at_time(entry.given)
    meaning = read_words(every_word, at_time)
    anchor_at = None
    if isinstance(meaning, Count):
        anchor_at = _anchor(entry, lambda earlier: (earlier.every_word, earlier.at_time) == (every_word, at_time))
    return entry.schedule(ScheduleKind.WORDS, every_word=every_word, at_time=at_time[:40], anchor_at=anchor_at)


def _at_time(given: Mapping[str, object]) -> str:
    value = given.get("at_time")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(given, "at_time")


def _read_manual(entry: _Entry) -> Schedule:
    return entry.schedule(ScheduleKind.MANUAL)


_READERS: dict[ScheduleKind, Callable[[_Entry], Schedule]] = {
    ScheduleKind.CRON: _read_cron,
    ScheduleKind.INTERVAL: _read_interval,
    ScheduleKind.MOMENT: _read_moments,
    ScheduleKind.WORDS: _read_words,
    ScheduleKind.MANUAL: _read_manual,
}
