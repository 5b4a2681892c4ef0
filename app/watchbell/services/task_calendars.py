"""The calendars that schedules carry, and the rows that they come from."""

from __future__ import annotations

import dataclasses

from watchbell.domain.day_calendar import DayCalendar
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import InputError
from watchbell.store import day_calendars as store
from watchbell.store.day_calendars import NamedCalendar
from watchbell.store.session import Session
from watchbell.store.tasks import Task


def to_calendar(row: NamedCalendar) -> DayCalendar:
    """Return a calendar as a schedule carries it."""
    return DayCalendar(row.name, row.days, row.weekdays)


def differs(task: Task, wanted: DayCalendar) -> bool:
    """Return whether a stored task carries a calendar that is another one than it is now."""
    kept = (task.schedule.get("calendar"), task.schedule.get("calendar_days"), task.schedule.get("calendar_weekdays"))
    return kept != (wanted.name, wanted.days, wanted.weekdays)


def with_calendar(definition: TaskDefinition, wanted: DayCalendar) -> TaskDefinition:
    """Return a definition whose schedule carries a calendar."""
    return dataclasses.replace(definition, schedule=dataclasses.replace(definition.schedule, calendar=wanted))


def refreshed(session: Session, definition: TaskDefinition, base: TaskDefinition | None = None) -> TaskDefinition:
    """Return a definition with its calendar as it is now, whatever an older version of it or a file had.

    Raises InputError on ``calendar`` for one that is not there.
    """
    carried = definition.schedule.calendar
    if carried is None:
        return definition
    row = store.find_calendar_by_name(session, carried.name)
    if row is None and base is not None and base.schedule.calendar == carried:
        # It was removed while the task was deleted; the task keeps what it had.
        return definition
    if row is None:
        raise InputError.of("calendar", f"there is no calendar {carried.name!r}", None)
    wanted = to_calendar(row)
    return definition if wanted == carried else with_calendar(definition, wanted)
