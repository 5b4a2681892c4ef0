"""What routes of tasks take and answer with of their parameters, runbooks, links and parents."""

from __future__ import annotations

from typing import Any

from watchbell.domain.chains import On
from watchbell.domain.parameters import ParameterType
from watchbell.web.api import fields

PLAIN_VALUE: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]}
SETS: dict[str, Any] = {
    "description": "Named sets of values, to be chosen from when somebody runs it.",
    "example": {"yesterday": {"day": "2026-11-29"}},
}
LINE_VALUES: dict[str, Any] = {
    "description": "What single lines of the schedule give of its parameters: a cron text, a moment, or `*` for all lines.",
    "example": {"0 3 * * sun": {"target": "live"}},
}
MOMENT_VALUES: dict[str, Any] = {
    "description": "What the line of the schedule gives of the parameters; the others have their defaults.",
    "example": {"target": "live"},
}
RUNBOOK: dict[str, Any] = {
    "description": "What to do about it, in Markdown.",
    "example": "Restart it, then run it again.",
}
LINKS: dict[str, Any] = {"description": "Where more can be found."}
AFTER: dict[str, Any] = {"description": "The tasks that it runs after."}
JOIN: dict[str, Any] = {
    "description": "How many of those have to end as wanted: `all`, `any`, or a number as text.",
    "example": "all",
}


class Link(fields.Schema):
    """Where something about a task can be found."""

    title = fields.Text(load_default="", metadata={"example": "Dashboard"})
    url = fields.Text(
        required=True,
        metadata={"description": "https, http, or a page of this server.", "example": "https://example.org/backup"},
    )


class After(fields.Schema):
    """A task that another one runs after."""

    task = fields.Text(required=True, metadata={"description": "Its name.", "example": "backup-home"})
    on = fields.Word(list(On), load_default=On.SUCCEEDED.value)


class Parameter(fields.Schema):
    """What can be said to each run of a task."""

    name = fields.Text(required=True, metadata={"example": "day"})
    type = fields.Word(list(ParameterType), load_default=ParameterType.TEXT.value)
    default = fields.Shaped(
        PLAIN_VALUE,
        load_default="",
        allow_none=True,
        metadata={"description": "What a run has where nothing is said, so also by schedule.", "example": "2026-11-30"},
    )
    choices = fields.Many(fields.Text(), load_default=list, metadata={"description": "For choice and secret."})
    pattern = fields.Text(load_default="", metadata={"description": "A regular expression for the whole of a text."})
    required = fields.Flag(load_default=False)
    help = fields.Text(load_default="", metadata={"example": "The day to report on."})
    variable = fields.Text(
        load_default="", metadata={"description": "Empty for WATCHBELL_PARAM_ and its name.", "example": "DAY"}
    )


class ToldParameter(fields.Schema):
    """What can be said to each run of a task."""

    name = fields.Text(required=True)
    type = fields.Word(list(ParameterType), required=True)
    default = fields.Text(required=True, metadata={"description": "Empty for none."})
    choices = fields.Many(fields.Text(), required=True)
    pattern = fields.Text(required=True)
    required = fields.Flag(required=True)
    help = fields.Text(required=True)
    variable = fields.Text(required=True)


def line_values() -> fields.Mapped:
    """Return the field of a schedule that says what its lines give, as somebody may send it."""
    plain = fields.Mapped(keys=fields.Text(), values=fields.Shaped(PLAIN_VALUE, allow_none=True))
    return fields.Mapped(keys=fields.Text(), values=plain, allow_none=True, metadata={**LINE_VALUES})


def told_line_values() -> fields.Mapped:
    """Return the same field as it is answered."""
    plain = fields.Mapped(keys=fields.Text(), values=fields.Text())
    return fields.Mapped(required=True, keys=fields.Text(), values=plain, metadata={**LINE_VALUES})


class RunWanted(fields.Schema):
    """How a run is asked for."""

    asap = fields.Flag(
        load_default=False,
        metadata={"description": "Ahead of everything that waits; at most one such run of a task waits."},
    )
    parameters = fields.Mapped(
        keys=fields.Text(),
        values=fields.Shaped(PLAIN_VALUE, allow_none=True),
        load_default=dict,
        metadata={
            "description": "Values of its parameters; the defaults of the others.",
            "example": {"day": "2026-11-30"},
        },
    )
    value_set = fields.Text(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The name of a set of the task's values, over which `parameters` go.",
            "example": "yesterday",
        },
    )
    revision = fields.Whole(
        load_default=None,
        allow_none=True,
        validate=fields.between(1, 2**31 - 1),
        metadata={"description": "The version that is run; one that is not in force needs the right to edit."},
    )
