"""When a task is due: the kinds of schedule, the door that checks them, and the one function that finds the next moment.

Nothing here reads a clock; what is "now" or "after" is an argument.
"""

from __future__ import annotations

from watchbell.domain.schedule.describe import describe
from watchbell.domain.schedule.door import LIMIT_FIELDS, Calendars, build_schedule, fields_of_limits, no_calendars
from watchbell.domain.schedule.dst import Transition, next_transitions
from watchbell.domain.schedule.interval import parse_interval
from watchbell.domain.schedule.model import (
    CalendarRule,
    DSTRule,
    Occurrence,
    Schedule,
    ScheduleKind,
    from_json,
    to_json,
)
from watchbell.domain.schedule.moment import parse_moment
from watchbell.domain.schedule.plan import next_occurrence, occurrences
from watchbell.domain.schedule.words import EVERY_WORDS
from watchbell.domain.schedule.zones import valid_zones

__all__ = [
    "EVERY_WORDS",
    "LIMIT_FIELDS",
    "CalendarRule",
    "Calendars",
    "DSTRule",
    "Occurrence",
    "Schedule",
    "ScheduleKind",
    "Transition",
    "build_schedule",
    "describe",
    "fields_of_limits",
    "from_json",
    "next_occurrence",
    "next_transitions",
    "no_calendars",
    "occurrences",
    "parse_interval",
    "parse_moment",
    "to_json",
    "valid_zones",
]
