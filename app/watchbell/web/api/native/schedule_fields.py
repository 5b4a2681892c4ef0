"""By which fields the routes of tasks and schedules take when something is due."""

from __future__ import annotations

from typing import Any

from watchbell.domain.schedule import CalendarRule, DSTRule, ScheduleKind
from watchbell.web.api import fields
from watchbell.web.api.native.parameter_schemas import line_values

_WHOLE_OR_TEXT: dict[str, Any] = {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}
_TEXT_OR_MANY: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]
}
CALENDAR_RULE: dict[str, Any] = {"description": "What becomes of moments on its days.", "example": "leave_out"}
NOT_BEFORE: dict[str, Any] = {"description": "Its first day, or local time.", "example": "2026-12-01"}
NOT_AFTER: dict[str, Any] = {"description": "Its last day, or local time.", "example": "2099-12-31"}


class ScheduleFields(fields.Schema):
    """When a task is due: the fields of one kind, its zone and what happens at clock changes."""

    kind = fields.Word(
        list(ScheduleKind),
        allow_none=True,
        metadata={"description": "Need not be said: the other fields tell it, and none of them means manual."},
    )
    cron = fields.Shaped(
        _TEXT_OR_MANY,
        allow_none=True,
        metadata={"description": "Cron text, or several, in lines or a list.", "example": "30 2 * * *"},
    )
    every = fields.Shaped(
        _WHOLE_OR_TEXT,
        allow_none=True,
        metadata={"description": "A number with its unit in `unit`, or both in one text.", "example": "5m"},
    )
    unit = fields.Text(allow_none=True, metadata={"example": "minutes"})
    at = fields.Shaped(
        _TEXT_OR_MANY,
        allow_none=True,
        metadata={
            "description": "A moment or several; without an offset, in the task's zone.",
            "example": ["2030-01-31T09:30"],
        },
    )
    every_word = fields.Text(allow_none=True, metadata={"example": "weekday"})
    at_time = fields.Text(allow_none=True, metadata={"example": "09:30"})
    anchor_at = fields.Text(
        allow_none=True,
        metadata={"description": "From where an interval counts.", "example": "2026-11-29T00:00:00+00:00"},
    )
    zone = fields.Text(allow_none=True, metadata={"description": "An IANA zone.", "example": "Europe/Berlin"})
    dst = fields.Word(
        list(DSTRule), allow_none=True, metadata={"description": "What happens at clock changes.", "example": "skip"}
    )
    calendar = fields.Text(
        allow_none=True, metadata={"description": "A named calendar; empty or null for none.", "example": ""}
    )
    calendar_rule = fields.Word(list(CalendarRule), allow_none=True, metadata={**CALENDAR_RULE})
    not_before = fields.Text(allow_none=True, metadata={**NOT_BEFORE})
    not_after = fields.Text(allow_none=True, metadata={**NOT_AFTER})
    line_values = line_values()
