"""What a rule about the numbers of runs may say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from watchbell.domain import expressions
from watchbell.domain.expressions import Expression, ExpressionError
from watchbell.domain.samples import METRICS
from watchbell.errors import InputError, Problem

NAME_LIMIT = 100
THROTTLE_SECONDS = 300
MOST_THROTTLE_SECONDS = 31 * 86_400
_OWN_NAME = re.compile(r"[a-z][a-z0-9_.]{0,49}")


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    """Worth knowing."""
    WARNING = "warning"
    """Worth a look."""
    CRITICAL = "critical"
    """Somebody has to act."""


@dataclasses.dataclass(frozen=True, slots=True)
class RuleDefinition:
    """All that a person decides about a rule."""

    name: str
    expression: str
    #: None for all tasks.
    task_id: int | None = None
    severity: Severity = Severity.WARNING
    throttle_seconds: int = THROTTLE_SECONDS
    enabled: bool = True


FIELDS = tuple(field.name for field in dataclasses.fields(RuleDefinition))


def build_rule(fields: Mapping[str, object], base: RuleDefinition | None = None) -> RuleDefinition:
    """Return a rule from what a person gave, on top of the one that was there; absent fields stay.

    Which metrics the condition may name, and whether the task is there, is for whoever knows the tasks to check. Raises
    InputError that names every wrong field.
    """
    problems: list[Problem] = []
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            if name not in _READERS:
                raise InputError.of(name[:40], "is not a field of a rule", "expression")
            changes[name] = _READERS[name](value)
        except InputError as error:
            problems += error.problems
    if base is None:
        for name, example in (("name", "hot"), ("expression", expressions.EXAMPLE)):
            if name not in fields:
                problems.append(Problem(name, "is required", example))
    if problems:
        raise InputError(*problems)
    return RuleDefinition(**changes) if base is None else dataclasses.replace(base, **changes)


def read_expression(text: str, *, reads_own: bool, known: Collection[str] = ()) -> Expression:
    """Return the condition of a rule; names that no run can have are refused. Raises InputError of the field expression."""
    found = _parsed(text)
    try:
        if reads_own:
            expressions.check_slips(found, METRICS)
        else:
            expressions.check_names(found, {*METRICS, *known})
    except ExpressionError as error:
        raise InputError.of("expression", str(error), expressions.EXAMPLE) from None
    return found


def _parsed(text: str) -> Expression:
    """Return a condition whose names a run can have, or a command can tell; raises InputError of the field expression."""
    try:
        found = expressions.parse(text)
        for name, position in found.names.items():
            if name not in METRICS and not _OWN_NAME.fullmatch(name):
                raise ExpressionError(f"'{name[:60]}' is no metric, nor can a command tell one of that name", position)
    except ExpressionError as error:
        raise InputError.of("expression", str(error), expressions.EXAMPLE) from None
    return found


def _name(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > NAME_LIMIT or not text.isprintable():
        raise InputError.of("name", f"must be 1 to {NAME_LIMIT} printable characters", "hot")
    if text.isascii() and text.isdigit():
        raise InputError.of("name", "must not be a number only, because rules also have ids", "hot-1")
    return text


def _expression(value: object) -> str:
    if not isinstance(value, str):
        raise InputError.of("expression", "must be a text", expressions.EXAMPLE)
    # Which names there are depends on the tasks that it is for, which is looked at where those are known.
    return _parsed(value).text


def _task_id(value: object) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError.of("task_id", "must be the id of a task, or nothing for all tasks", "12")
    return value


def _severity(value: object) -> Severity:
    try:
        return Severity(str(value).lower())
    except ValueError:
        raise InputError.of("severity", f"must be one of {', '.join(Severity)}", "warning") from None


def _throttle(value: object) -> int:
    text = str(value).strip()
    is_number = not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 10
    if not is_number or int(text) > MOST_THROTTLE_SECONDS:
        raise InputError.of("throttle_seconds", f"must be between 0 and {MOST_THROTTLE_SECONDS} seconds", "300")
    return int(text)


def _enabled(value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError.of("enabled", "must be true or false", "true")
    return value


_READERS = {
    "name": _name,
    "expression": _expression,
    "task_id": _task_id,
    "severity": _severity,
    "throttle_seconds": _throttle,
    "enabled": _enabled,
}
