"""Tasks that were deleted, for as long as they can come back."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.domain.task_fields import NAME_LIMIT
from watchbell.services import deleted_tasks, undoing
from watchbell.web import current
from watchbell.web.api import fields, parsing
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, task_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.tasks import NO_TASK, shown
from watchbell.web.db import database


class DeletedTask(fields.Schema):
    """A task that was deleted and can be restored."""

    id = fields.Whole(required=True)
    name = fields.Text(required=True)
    deleted_at = fields.Moment(required=True)
    deleted_by = fields.Text(required=True)
    gone_at = fields.Moment(required=True, metadata={"description": "From then on it cannot be restored."})
    name_is_taken = fields.Flag(required=True, metadata={"description": "Whether another task has its name by now."})
    owner = fields.Text(required=True)
    team = fields.Text(required=True)
    sentence = fields.Text(required=True, metadata={"description": "Its schedule in words."})
    command = fields.Text(required=True)
    tags = fields.Many(fields.Text(), required=True)
    version = fields.Whole(required=True)


class DeletedTasks(fields.Schema):
    """The tasks that can be restored, the newest deletion first."""

    items = fields.Many(fields.Nested(DeletedTask), required=True)


class Restoring(fields.Schema):
    """How it comes back."""

    name = fields.Text(
        load_default="",
        validate=fields.long(0, NAME_LIMIT),
        metadata={"description": "Another name, as where its own is taken; empty for its own.", "example": ""},
    )


@blueprint.route("/deleted-tasks")
@blueprint.answers(200, DeletedTasks)
def list_deleted_tasks() -> Response:
    """List the tasks that were deleted within 30 days, the newest deletion first."""
    found = deleted_tasks.list_all(database(), now=current.now())
    return answers.answer({"items": list(map(deleted_tasks.told, found))})


@blueprint.route("/deleted-tasks/<number:task_id>/restore", methods=["POST"])
@blueprint.body(Restoring)
@idempotent()
@blueprint.errors(_404=NO_TASK, _409="Its name is taken, or it was deleted more than 30 days ago.")
@blueprint.answers(200, task_schemas.Task)
def restore_task(given: dict[str, Any], task_id: str) -> Response:
    """Take the deletion of a task back; one that is there already is left as it is.

    It starts by itself again if it did so when it was deleted. Moments that passed meanwhile are not due any more.
    """
    number = parsing.path_id("task_id", task_id)
    return shown(
        undoing.restore(database(), number, now=current.now(), actor=current.actor(), name=given["name"].strip())
    )
