"""Whether a task takes the values that the lines of its schedule give, and what a run of each line is given in all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from watchbell.domain import placeholders
from watchbell.domain.parameters import Parameter, check_value
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind, line_values
from watchbell.domain.schedule.line_values import FIELD
from watchbell.errors import InputError, Problem


def checked(schedule: Schedule, parameters: Sequence[Parameter], template: Sequence[str] | None) -> Schedule:
    """Return a schedule with the values of its lines as they are recorded; raises InputError as a run by hand would.

    ``template`` is the command with the places of parameters in it, if it has any.
    """
    known = {one.name: one for one in parameters}
    problems: list[Problem] = []
    kept: dict[str, Mapping[str, str]] = {}
    for line, values in schedule.line_values.items():
        kept[line] = {}
        for name, value in values.items():
            if name not in known:
                problems.append(_problem(line, name, "is not a parameter of this task", next(iter(known), None)))
                continue
            try:
                kept[line] = {**kept[line], name: check_value(known[name], value)}
            except InputError as error:
                problems.append(_problem(line, name, error.problems[0].message, error.problems[0].example))
        problems += [
            _problem(line, one.field.partition(".")[2], one.message, one.example)
            for one in placeholders.check_values(template or (), parameters, kept[line])
        ]
    if problems:
        raise InputError(*problems)
    return dataclasses.replace(schedule, line_values=kept) if kept else schedule


def always_given(schedule: Schedule) -> frozenset[str]:
    """Return the parameters to which each line of a schedule gives something."""
    if schedule.kind is ScheduleKind.MANUAL or not schedule.line_values:
        return frozenset()
    number = len(line_values.lines_of(schedule))
    each = [{name for name, value in line_values.given_by(schedule, line).items() if value} for line in range(number)]
    return frozenset(set.intersection(*each))


def values_of_lines(schedule: Schedule, parameters: Sequence[Parameter]) -> Sequence[Mapping[str, str]] | None:
    """Return all values of a run of each line, defaults among them; None where no line gives any."""
    if not schedule.line_values:
        return None
    plain = {one.name: one.default for one in parameters}
    number = len(line_values.lines_of(schedule))
    return [{**plain, **line_values.given_by(schedule, line)} for line in range(number)]


def recorded(given: Sequence[Mapping[str, str]] | None, occurrence: Occurrence) -> dict[str, str] | None:
    """Return what the row of an occurrence records of its values; None for the defaults of its version."""
    return dict(given[occurrence.line]) if given and occurrence.line < len(given) else None


def _problem(line: str, name: str, message: str, example: str | None) -> Problem:
    shown = "".join(char if char.isprintable() else "?" for char in f"{line}, {name}"[:80])
    return Problem(FIELD, f"{shown}: {message}", example)
