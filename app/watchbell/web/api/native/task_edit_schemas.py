"""What the route that gives many tasks the same values takes and answers with."""

from __future__ import annotations

from marshmallow import validate

from watchbell.domain.shared_fields import OWN
from watchbell.services import bulk
from watchbell.web.api import fields
from watchbell.web.api.native.simulation_schemas import Simulation
from watchbell.web.api.native.task_schemas import TAGS, TaskChange, TaskFilters


class TaskSeen(fields.Schema):
    """A task, and the version of it that the edit is based on."""

    id = fields.Whole(required=True, metadata={"example": 7})
    version = fields.Whole(
        load_default=None,
        allow_none=True,
        metadata={"description": "As you have seen it; only a dry run goes without.", "example": 3},
    )


class SharedFields(TaskChange):
    """Values that each of the tasks is to have; what is a task's own, as its name and command, is not among them."""

    class Meta(TaskChange.Meta):
        exclude = tuple(sorted(OWN))


class TaskEdit(fields.Schema):
    """The same values for many tasks."""

    tasks = fields.Many(
        fields.Nested(TaskSeen),
        validate=validate.Length(1, bulk.MOST_TASKS, error=f"must be 1 to {bulk.MOST_TASKS} tasks"),
        metadata={"description": "Exactly these tasks, each with the version that you have seen."},
    )
    filter = fields.Nested(
        TaskFilters, metadata={"description": "Or, for a dry run, all that a list with these filters shows."}
    )
    set = fields.Nested(
        SharedFields,
        load_default=dict,
        metadata={
            "description": "Fields of tasks as a task is changed by; those that are absent stay.",
            "example": {"zone": "Europe/Berlin", "time_limit_seconds": 3600},
        },
    )
    add_tags = fields.Many(fields.Text(), load_default=list, metadata={**TAGS})
    remove_tags = fields.Many(fields.Text(), load_default=list, metadata={"example": ["old"]})
    parameter_defaults = fields.Mapped(
        keys=fields.Text(),
        values=fields.Text(),
        load_default=dict,
        metadata={
            "description": "Defaults of parameters, for those of the tasks that declare them.",
            "example": {"day": "yesterday"},
        },
    )
    dry_run = fields.Flag(load_default=False, metadata={"description": "Only say what would change."})


class FieldDifference(fields.Schema):
    """A field that changes."""

    field = fields.Text(required=True, metadata={"example": "schedule.zone"})
    before = fields.Shaped({}, required=True, allow_none=True)
    after = fields.Shaped({}, required=True, allow_none=True)


class AgainstAsked(fields.Schema):
    """What a version is laid against."""

    against = fields.Whole(
        texts=True, validate=fields.between(1, 2**31 - 1), metadata={"description": "Another version.", "example": 1}
    )


class RevisionDifferences(fields.Schema):
    """The fields in which two versions of a task differ."""

    version = fields.Whole(required=True)
    against = fields.Whole(required=True, allow_none=True, metadata={"description": "Null if there is none before it."})
    differences = fields.Many(fields.Nested(FieldDifference), required=True)


class EditedTask(fields.Schema):
    """What changes of one task."""

    task_id = fields.Whole(required=True)
    name = fields.Text(required=True)
    outcome = fields.Word(
        ["changed", bulk.UNCHANGED],
        required=True,
        metadata={"description": "unchanged if it had all of it already.", "example": "changed"},
    )
    version_before = fields.Whole(required=True, metadata={"description": "The version by which it is taken back."})
    version = fields.Whole(
        required=True, metadata={"description": "What it has now; after a dry run still the one before."}
    )
    was_enabled = fields.Flag(required=True, metadata={"description": "Whether it was enabled before."})
    differences = fields.Many(fields.Nested(FieldDifference), required=True)


class EditToUndo(fields.Schema):
    """One task of an edit, as its answer has told of it."""

    task_id = fields.Whole(required=True, metadata={"example": 7})
    version_before = fields.Whole(required=True, metadata={"example": 3})
    version = fields.Whole(required=True, metadata={"example": 4})
    was_enabled = fields.Flag(required=True)


class EditsToUndo(fields.Schema):
    """The tasks of an edit that are to have what they had before."""

    items = fields.Many(
        fields.Nested(EditToUndo),
        required=True,
        validate=validate.Length(1, bulk.MOST_TASKS, error=f"must be 1 to {bulk.MOST_TASKS} tasks"),
    )


class EditUndone(fields.Schema):
    """Which tasks are as they were, and which somebody has changed since."""

    restored = fields.Many(fields.Text(), required=True)
    left = fields.Many(fields.Text(), required=True)


class EditResult(fields.Schema):
    """What changes of each task, or would."""

    dry_run = fields.Flag(required=True)
    changed = fields.Whole(required=True, metadata={"description": "How many of them change."})
    items = fields.Many(fields.Nested(EditedTask), required=True)
    simulation = fields.Nested(
        Simulation,
        required=True,
        allow_none=True,
        metadata={"description": "Of a dry run: what it would do to the runs of the next 30 days."},
    )
