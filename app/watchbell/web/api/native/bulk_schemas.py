"""What the routes that change many tasks at once take and answer with."""

from __future__ import annotations

from marshmallow import validate

from watchbell.services import bulk
from watchbell.web.api import fields
from watchbell.web.api.native.simulation_schemas import Simulation
from watchbell.web.api.native.task_schemas import TAGS, TaskFilters


class BulkOrder(fields.Schema):
    """One thing to be done with many tasks: with all of them or with none."""

    action = fields.Word(list(bulk.Action), required=True)
    ids = fields.Many(
        fields.Whole(),
        validate=validate.Length(1, bulk.MOST_TASKS, error=f"must be 1 to {bulk.MOST_TASKS} ids"),
        metadata={"description": "Exactly these tasks.", "example": [7, 8]},
    )
    filter = fields.Nested(TaskFilters, metadata={"description": "Or all that a list with these filters shows."})
    tags = fields.Many(fields.Text(), load_default=list, metadata={"description": "For tag and untag.", **TAGS})
    reason = fields.Text(load_default="", metadata={"description": "For pause."})
    until = fields.Moment(load_default=None, allow_none=True, metadata={"description": "For pause."})
    dry_run = fields.Flag(load_default=False, metadata={"description": "Only say what would be done."})


class BulkDone(fields.Schema):
    """What was done with one task, or would be."""

    task_id = fields.Whole(required=True)
    name = fields.Text(required=True)
    outcome = fields.Text(
        required=True, metadata={"description": "unchanged if it was so already.", "example": "enabled"}
    )
    run_id = fields.Whole(required=True, allow_none=True)


class BulkResult(fields.Schema):
    """What was done with each task, or would be."""

    dry_run = fields.Flag(required=True)
    items = fields.Many(fields.Nested(BulkDone), required=True)
    simulation = fields.Nested(
        Simulation,
        required=True,
        allow_none=True,
        metadata={"description": "What it would do to the runs of the next 30 days; null unless it was asked for."},
    )
