"""What the routes about schedules take and answer with."""

from __future__ import annotations

from watchbell.domain.carried import Outcome
from watchbell.domain.fleet_targets import TARGET_TYPES
from watchbell.domain.policies import CatchUp
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

_CARRIED = {
    "description": "Whether devices carry it: each works out by its own clock when it is due, also while the server is away."
}
_CATCH_UP = [one.value for one in CatchUp]
_CATCH_UP_WORDS = {
    "description": "Of one that devices carry: whether what was missed there within a day is not made up for, the last of it "
    "is, or all is.",
    "example": "last",
}


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
    is_carried = fields.Flag(metadata=_CARRIED)
    catch_up = fields.Word(_CATCH_UP, metadata=_CATCH_UP_WORDS)


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
    is_carried = fields.Flag(required=True, metadata=_CARRIED)
    catch_up = fields.Word(_CATCH_UP, required=True, metadata=_CATCH_UP_WORDS)
    version = fields.Whole(required=True, metadata={"description": "Grows with every change but of the description."})
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


class Carrier(fields.Schema):
    """A device that is to carry a schedule, or does so still."""

    device_uuid = fields.Text(required=True)
    device_name = fields.Text(required=True)
    version = fields.Whole(
        required=True, allow_none=True, metadata={"description": "The one that it says it carries; null for none yet."}
    )
    since = fields.Moment(required=True, allow_none=True)
    is_meant = fields.Flag(required=True, metadata={"description": "Whether it is to carry it."})
    is_current = fields.Flag(required=True, metadata={"description": "Whether it carries what it is to carry."})
    seen_at = fields.Moment(required=True, allow_none=True, metadata={"description": "When it was last heard of."})
    zone = fields.Text(required=True, metadata={"description": "By whose clock it is due there; empty for UTC."})


class Carriers(fields.Schema):
    """The devices that carry a schedule, by name."""

    scheduleId = fields.Text(required=True)  # noqa: N815 - this is its name on the wire.
    version = fields.Whole(required=True)
    devices = fields.Many(fields.Nested(Carrier), required=True)
    total = fields.Whole(required=True)


class CarriersAsked(fields.Schema):
    """Which rows."""

    limit = fields.limit(20, MOST_ROWS)
    offset = fields.Whole(texts=True, load_default=0, validate=fields.between(0, 10_000_000))


class MomentsAsked(CarriersAsked):
    """Which moments."""

    outcome = fields.Word([one.value for one in Outcome])


class Moment(fields.Schema):
    """What has become of a moment of a schedule on a device that carries it."""

    device_uuid = fields.Text(required=True)
    device_name = fields.Text(required=True)
    key = fields.Text(required=True, metadata={"example": "cal:2026-12-01T02:00:00/0"})
    due_at = fields.Moment(required=True)
    version = fields.Whole(required=True)
    outcome = fields.Word([one.value for one in Outcome], required=True)
    reason = fields.Text(required=True)
    stands_for = fields.Whole(
        required=True, metadata={"description": "Of so many moments, the last of which it names, it tells at once."}
    )
    job_id = fields.Text(
        required=True, allow_none=True, metadata={"description": "Its order, if it was run and is kept."}
    )
    status = fields.Text(required=True, allow_none=True, metadata={"example": "SUCCEEDED"})
    reported_at = fields.Moment(required=True)


class Moments(fields.Schema):
    """What has become of moments, those that were due last first."""

    scheduleId = fields.Text(required=True)  # noqa: N815 - this is its name on the wire.
    moments = fields.Many(fields.Nested(Moment), required=True)
    total = fields.Whole(required=True)


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
