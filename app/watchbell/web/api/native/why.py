"""Why a task ran at a moment, or why it did not."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.domain.run_state import RunState
from watchbell.services import tasks, why
from watchbell.services.why import WhyKind
from watchbell.web import current
from watchbell.web.api import fields, parsing
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database


class WhyAsked(fields.Schema):
    """Which moment."""

    at = fields.words(
        metadata={
            "description": "A moment, past or to come; local time of the task without an offset, the present minute by default.",
            "example": "2026-11-29T02:30",
        }
    )


class WhyRun(fields.Schema):
    """A row of the moment."""

    id = fields.Whole(required=True)
    state = fields.Word(list(RunState), required=True)
    due_at = fields.Moment(required=True)
    reason = fields.Text(required=True)


class Why(fields.Schema):
    """The row of the moment, or why there is none."""

    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)
    at = fields.Moment(required=True)
    kind = fields.Word(list(WhyKind), required=True)
    sentences = fields.Many(fields.Text(), required=True, metadata={"description": "The answer first."})
    runs = fields.Many(fields.Nested(WhyRun), required=True)
    version = fields.Whole(
        required=True, allow_none=True, metadata={"description": "The version of the task that was in force."}
    )
    schedule = fields.Text(required=True, allow_none=True, metadata={"description": "Its schedule in words."})
    before = fields.Moment(required=True, allow_none=True, metadata={"description": "When it was due before."})
    after = fields.Moment(required=True, allow_none=True, metadata={"description": "When it was due next."})


@blueprint.route("/tasks/<number:task_id>/why")
@blueprint.query(WhyAsked)
@blueprint.errors(_404="There is no such task.")
@blueprint.answers(200, Why)
def get_why(asked: dict[str, Any], task_id: str) -> Response:
    """Say why a task ran at a moment, or why it did not."""
    number, now = parsing.path_id("task_id", task_id), current.now()
    zone = tasks.get(database(), number).zone
    moment = why.read_asked(asked.get("at", ""), zone, now)
    return answers.answer(why.told(why.why(database(), number, moment, now=now)))
