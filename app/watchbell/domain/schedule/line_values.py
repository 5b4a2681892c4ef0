"""Values of parameters that single lines of a schedule give their runs: which lines there are, and how values are said.

A line is a cron text or a moment; an interval, or words, are one line without a name. Values belong to a line by what it
says and not by its number, so that they never come to another one when lines are moved or removed. Where several lines
are due at one moment there is one run, and the first of them, as they were written, gives its values.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.model import Schedule, ScheduleKind
from watchbell.errors import InputError, Problem

FIELD = "line_values"
#: Stands for all lines: what it gives counts where a line says nothing of its own.
ALL_LINES = "*"
EXAMPLE = "0 3 * * sun: target=live"
_LONGEST = 65_536
#: Finds the instant that somebody has typed; raises InputError.
ReadMoment = Callable[[str], datetime]


def lines_of(schedule: Schedule) -> tuple[str, ...]:
    """Return the names of the lines of a schedule, in the order of ``Occurrence.line``."""
    if schedule.kind is ScheduleKind.CRON:
        return schedule.expressions
    if schedule.kind is ScheduleKind.MOMENT:
        return tuple(moment.isoformat() for moment in sorted(schedule.moments))
    return (ALL_LINES,)


def given_by(schedule: Schedule, line: int) -> dict[str, str]:
    """Return the values that a line gives, by the names of parameters."""
    lines = lines_of(schedule)
    own = schedule.line_values.get(lines[line], {}) if line < len(lines) else {}
    return {**schedule.line_values.get(ALL_LINES, {}), **own}


def kept_of(earlier: Schedule, schedule: Schedule) -> dict[str, Mapping[str, str]]:
    """Return those values of an earlier schedule whose lines are still there."""
    if schedule.kind is ScheduleKind.MANUAL:
        return {}
    lines = {ALL_LINES, *lines_of(schedule)}
    return {line: values for line, values in earlier.line_values.items() if line in lines}


def read(value: object, schedule: Schedule, read_moment: ReadMoment) -> dict[str, Mapping[str, str]]:
    """Return the values of lines from an object of objects, or from lines of text as in EXAMPLE.

    Whether the task has such parameters, and takes these values, is for domain.line_checks. Raises InputError on FIELD.
    """
    entries = _entries(value)
    if schedule.kind is ScheduleKind.MANUAL and entries:
        raise InputError.of(FIELD, "a task that runs only by hand has no lines to which they could belong", None)
    lines, found = lines_of(schedule), dict[str, Mapping[str, str]]()
    problems: list[Problem] = []
    for typed, values in entries:
        name = _name_of(typed, schedule, read_moment)
        if name != ALL_LINES and name not in lines:
            example = lines[0] if schedule.kind is ScheduleKind.CRON else ALL_LINES
            problems.append(Problem(FIELD, f"{_shown(typed)} is no line of the schedule", example))
        elif name in found:
            problems.append(Problem(FIELD, f"{_shown(typed)} stands there twice; give all its values at once", EXAMPLE))
        else:
            found[name] = values
    if problems:
        raise InputError(*problems)
    return {name: found[name] for name in (ALL_LINES, *lines) if found.get(name)}


def as_text(schedule: Schedule) -> str:
    """Return the values of lines as somebody would type them, a line of text for each."""
    return "\n".join(f"{_typed(line, schedule)}: {words(values)}" for line, values in schedule.line_values.items())


def words(values: Mapping[str, str]) -> str:
    """Return values as NAME=VALUE, quoted where a blank stands in one."""
    return " ".join(f"{name}={shlex.quote(value) if value else ''}" for name, value in values.items())


def _typed(line: str, schedule: Schedule) -> str:
    if schedule.kind is not ScheduleKind.MOMENT or line == ALL_LINES:
        return line
    return datetime.fromisoformat(line).astimezone(ZoneInfo(schedule.zone)).isoformat()


def _entries(value: object) -> list[tuple[str, Mapping[str, str]]]:
    if value is None or value == "":
        return []
    if isinstance(value, Mapping):
        return [(str(line), _plain(str(line), values)) for line, values in value.items()]
    # Only these two end a line: others may stand in a value.
    texts = value.replace("\r\n", "\n").split("\n") if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise InputError.of(FIELD, "must be an object of values by their lines, or lines of text", EXAMPLE)
    if sum(map(len, texts)) > _LONGEST:
        raise InputError.of(FIELD, f"must be at most {_LONGEST} characters long", EXAMPLE)
    return [_from_text(text) for text in texts if text.strip()]


def _plain(line: str, values: object) -> Mapping[str, str]:
    plain = str | int | float | None
    if not isinstance(values, Mapping) or not all(isinstance(one, plain) for one in values.values()):
        raise InputError.of(FIELD, f"{_shown(line)}: must be an object of values by their names", EXAMPLE)
    return {str(name): _text(one) for name, one in values.items()}


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _from_text(text: str) -> tuple[str, Mapping[str, str]]:
    line, colon, rest = text.strip().partition(": ")
    if not colon:
        line, rest = ALL_LINES, text
    try:
        parts = [word.partition("=") for word in shlex.split(rest)]
    except ValueError:
        raise InputError.of(FIELD, f"{_shown(text)}: a quotation has no end", EXAMPLE) from None
    if not parts or not all(name and equals for name, equals, _value in parts):
        raise InputError.of(FIELD, f"{_shown(text)}: must be a line, a colon, and NAME=VALUE", EXAMPLE)
    return " ".join(line.split()), {name: value for name, _equals, value in parts}


def _name_of(typed: str, schedule: Schedule, read_moment: ReadMoment) -> str:
    if schedule.kind is not ScheduleKind.MOMENT or typed == ALL_LINES:
        return " ".join(typed.split())
    try:
        return read_moment(typed).isoformat()
    except InputError as error:
        raise InputError.of(FIELD, f"{_shown(typed)}: {error.problems[0].message}", EXAMPLE) from None


def _shown(text: str) -> str:
    return "'" + "".join(char if char.isprintable() else "?" for char in text[:40]) + "'"
