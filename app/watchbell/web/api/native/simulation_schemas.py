"""What the routes that say what a change would do answer with."""

from __future__ import annotations

from watchbell.web.api import fields
from watchbell.web.api.native.blackouts import BlackoutChange
from watchbell.web.api.native.calendars import CalendarChange
from watchbell.web.api.native.task_schemas import TaskChange

_MOMENT = {"description": "In the zone of the task, with its offset.", "example": "2030-03-04T02:00:00+01:00"}


class RunChange(fields.Schema):
    """One run that comes, goes or moves."""

    task_id = fields.Whole(
        required=True, allow_none=True, metadata={"description": "null for a task that is still to be made."}
    )
    task = fields.Text(required=True)
    zone = fields.Text(required=True)
    before = fields.Moment(required=True, allow_none=True, metadata={"description": "null for one that comes."})
    before_local = fields.Text(required=True, allow_none=True, metadata={**_MOMENT})
    after = fields.Moment(required=True, allow_none=True, metadata={"description": "null for one that goes."})
    after_local = fields.Text(required=True, allow_none=True, metadata={**_MOMENT})


class RunChanges(fields.Schema):
    """How many runs change so, and the first of them."""

    count = fields.Whole(required=True)
    first = fields.Many(fields.Nested(RunChange), required=True)


class Peak(fields.Schema):
    """The most that goes on at once, by what the runs of each task have taken lately."""

    runs = fields.Whole(required=True)
    at = fields.Moment(required=True)
    tasks = fields.Many(fields.Text(), required=True, metadata={"description": "Names of some of them."})
    others = fields.Whole(required=True, metadata={"description": "How many there are besides."})


class Collision(fields.Schema):
    """A minute in which more tasks start together than usual, because of the change."""

    at = fields.Moment(required=True)
    local_time = fields.Text(required=True, metadata={**_MOMENT})
    zone = fields.Text(required=True)
    days = fields.Whole(required=True, metadata={"description": "On how many days it is so at that time of day."})
    before = fields.Whole(required=True, metadata={"description": "How many start in it without the change."})
    after = fields.Whole(required=True)
    tasks = fields.Many(fields.Text(), required=True)
    others = fields.Whole(required=True)


class Simulation(fields.Schema):
    """What a change would do to the runs of the next 30 days, by the times of schedules: spreads and pauses do not count."""

    since = fields.Moment(required=True)
    until = fields.Moment(required=True)
    tasks = fields.Whole(required=True, metadata={"description": "How many tasks get other runs."})
    added = fields.Nested(RunChanges, required=True)
    removed = fields.Nested(RunChanges, required=True)
    moved = fields.Nested(RunChanges, required=True)
    peak_before = fields.Nested(Peak, required=True, allow_none=True)
    peak_after = fields.Nested(Peak, required=True, allow_none=True)
    usual_starts = fields.Number(
        required=True, metadata={"description": "How many tasks start in a usual minute in which any does."}
    )
    collisions = fields.Many(fields.Nested(Collision), required=True)
    compared_until = fields.Moment(
        required=True,
        allow_none=True,
        metadata={"description": "Until when tasks that are due very often were compared, if not to the end."},
    )
    is_cut = fields.Flag(
        required=True, metadata={"description": "Whether other tasks were left out of the load, being too many."}
    )


class TaskPreview(TaskChange):
    """A task as it would be."""

    task_id = fields.Whole(
        load_default=None, allow_none=True, metadata={"description": "The task that is changed; null for a new one."}
    )


class CalendarPreview(CalendarChange):
    """A calendar as it would be."""

    calendar_id = fields.Whole(
        load_default=None, allow_none=True, metadata={"description": "The one that is changed; null for a new one."}
    )


class BlackoutPreview(BlackoutChange):
    """A blackout as it would be."""

    blackout_id = fields.Whole(
        load_default=None, allow_none=True, metadata={"description": "The one that is changed; null for a new one."}
    )
    remove = fields.Flag(load_default=False, metadata={"description": "Say what it would do to remove it."})
