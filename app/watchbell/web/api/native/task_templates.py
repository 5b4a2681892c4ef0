"""Templates of tasks: what a task says, kept so that new ones can begin from it."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.services import task_templates
from watchbell.store.task_templates import TaskTemplate as Template
from watchbell.web import current, shown_variables
from watchbell.web.api import fields, parsing
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, task_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.tasks import NO_TASK, made, to_fields
from watchbell.web.db import database

_NO_TEMPLATE = "There is no such template."
_NO_NUMBER = "This is not a number."


class TaskTemplate(fields.Schema):
    """A template; it is no task and never runs."""

    id = fields.Whole(required=True)
    name = fields.Text(required=True, metadata={"example": "backup-home"})
    saved_at = fields.Moment(required=True)
    saved_by = fields.Text(required=True)
    sentence = fields.Text(required=True, metadata={"description": "Its schedule in words."})
    definition = fields.Shaped({"type": "object"}, required=True)


class TaskTemplateList(fields.Schema):
    """All templates, by name."""

    items = fields.Many(fields.Nested(TaskTemplate), required=True)


@blueprint.route("/task-templates")
@blueprint.answers(200, TaskTemplateList)
def list_task_templates() -> Response:
    """List the templates of tasks, by name."""
    return answers.answer({"items": list(map(_told, task_templates.list_all(database())))})


def _told(template: Template) -> dict[str, Any]:
    told = task_templates.told(template)
    return {**told, "definition": shown_variables.stored(told["definition"])}


@blueprint.route("/tasks/<number:task_id>/template", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_TASK, _409="There are as many templates as there may be.", _422=_NO_NUMBER)
@blueprint.answers(200, TaskTemplate)
def save_task_template(task_id: str) -> Response:
    """Keep what a task says as a template of its name; one that is there already is replaced."""
    number = parsing.path_id("task_id", task_id)
    saved = task_templates.save(database(), number, now=current.now(), actor=current.actor())
    return answers.answer(_told(saved))


@blueprint.route("/task-templates/<number:template_id>/tasks", methods=["POST"])
@blueprint.body(task_schemas.NewTask)
@idempotent()
@blueprint.errors(_404=_NO_TEMPLATE, _409="There is a task of that name.")
@blueprint.answers(201, task_schemas.Task)
def create_task_of_template(given: dict[str, Any], template_id: str) -> Response:
    """Make a task that says what a template says, but for the fields that are named; it belongs to whoever makes it."""
    number = parsing.path_id("template_id", template_id)
    return made(
        task_templates.make_task(
            database(),
            number,
            to_fields(given),
            now=current.now(),
            actor=current.actor(),
            defaults=current.defaults(),
        )
    )


@blueprint.route("/task-templates/<number:template_id>", methods=["DELETE"])
@blueprint.errors(_404=_NO_TEMPLATE, _422=_NO_NUMBER)
@blueprint.answers(204)
def delete_task_template(template_id: str) -> Response:
    """Delete a template; tasks that were made from it stay."""
    number = parsing.path_id("template_id", template_id)
    task_templates.delete(database(), number, now=current.now(), actor=current.actor())
    return answers.nothing()
