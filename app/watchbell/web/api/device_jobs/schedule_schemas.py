"""What the routes about schedules take and answer with."""

from __future__ import annotations

from watchbell.domain.fleet_targets import TARGET_TYPES
from watchbell.services.fleet_schedules import SCHEDULE_TYPES
from watchbell.web.api import fields
from watchbell.web.api.device_jobs.schemas import (
    CREATED_BY,
    FILTER,
    MINUTES,
    MOST_ROWS,
    SECONDS,
    Execution,
    document_field,
)


class SchedulesAsked(fields.Schema):
    """Which schedules."""

    active = fields.Flag(texts=True)


class ScheduleChange(fields.Schema):
    """What is said of a schedule."""

    job_name = fields.Text(metadata={"example": "Hourly Health Check"})
    description = fields.Text(allow_none=True, validate=fields.long(0, 2000))
    job_document = document_field()
    target_type = fields.Word(TARGET_TYPES, metadata={"example": "all"})
    target_devices = fields.Many(fields.Text(), allow_none=True)
    target_filter = fields.Mapped(allow_none=True, metadata=FILTER)
    schedule_type = fields.Word(SCHEDULE_TYPES, metadata={"example": "cron"})
    cron_expression = fields.Text(allow_none=True, validate=fields.long(0, 2000), metadata={"example": "0 * * * *"})
    interval_minutes = fields.Whole(allow_none=True, metadata={"example": 60})
    max_executions = fields.Whole(allow_none=True, validate=fields.between(1, 1_000_000_000))
    timeout_minutes = fields.Whole(allow_none=True, metadata=MINUTES)
    timeout_seconds = fields.Whole(allow_none=True, metadata=SECONDS)
    is_active = fields.Flag()


class NewSchedule(ScheduleChange):
    """A schedule to be made."""

    job_name = fields.Text(required=True, metadata={"example": "Hourly Health Check"})
    job_document = document_field(required=True)
    target_type = fields.Word(TARGET_TYPES, required=True, metadata={"example": "all"})
    schedule_type = fields.Word(SCHEDULE_TYPES, required=True, metadata={"example": "cron"})
    created_by = fields.Text(allow_none=True, validate=fields.long(0, 255), metadata=CREATED_BY)


class Schedule(fields.Schema):
    """An order that is given again and again."""

    id = fields.Whole(required=True)
    schedule_id = fields.Text(required=True)
    job_name = fields.Text(required=True)
    description = fields.Text(required=True, allow_none=True)
    job_document = document_field(required=True)
    target_type = fields.Word(TARGET_TYPES, required=True)
    target_devices = fields.Many(fields.Text(), required=True, allow_none=True)
    target_filter = fields.Mapped(required=True, allow_none=True, metadata=FILTER)
    schedule_type = fields.Word(SCHEDULE_TYPES, required=True)
    cron_expression = fields.Text(required=True, allow_none=True)
    interval_minutes = fields.Whole(required=True, allow_none=True)
    zone = fields.Text(required=True, metadata={"description": "In which its cron text is read."})
    max_executions = fields.Whole(required=True, allow_none=True)
    timeout_minutes = fields.Whole(required=True)
    timeout_seconds = fields.Whole(required=True)
    is_active = fields.Flag(required=True)
    execution_count = fields.Whole(required=True)
    last_execution_at = fields.Moment(required=True, allow_none=True)
    next_execution_at = fields.Moment(required=True, allow_none=True)
    created_by = fields.Text(required=True)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)


class ScheduleList(fields.Schema):
    """Schedules, newest first."""

    schedules = fields.Many(fields.Nested(Schedule), required=True)
    total = fields.Whole(required=True)


class ScheduleTold(fields.Schema):
    """A schedule, and what has happened to it."""

    schedule = fields.Nested(Schedule, required=True)
    message = fields.Text(required=True)


class ScheduleShown(fields.Schema):
    """A schedule."""

    schedule = fields.Nested(Schedule, required=True)


class ScheduleDeleted(fields.Schema):
    """A schedule that is gone."""

    message = fields.Text(required=True)
    scheduleId = fields.Text(required=True)  # noqa: N815 - this is its name on the wire.


class LimitAsked(fields.Schema):
    """How many rows."""

    limit = fields.limit(20, MOST_ROWS)


class ScheduleExecutions(fields.Schema):
    """The orders that a schedule has given, newest first."""

    scheduleId = fields.Text(required=True)  # noqa: N815 - this is its name on the wire.
    executions = fields.Many(fields.Nested(Execution), required=True)
    total = fields.Whole(required=True)


class SchedulerStatus(fields.Schema):
    """Who gives the orders of schedules, and how many of these there are."""

    isRunning = fields.Flag(required=True)  # noqa: N815 - this is its name on the wire.
    activeCronJobs = fields.Whole(required=True)  # noqa: N815 - as above.
    activeIntervalJobs = fields.Whole(required=True)  # noqa: N815 - as above.
    totalScheduledJobs = fields.Whole(required=True)  # noqa: N815 - as above.
    executions = fields.Mapped(
        required=True,
        values=fields.Whole(),
        metadata={"description": "How often each active schedule has given its order."},
    )
