"""Templates and handlers."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.services import job_library
from watchbell.web import current
from watchbell.web.api.device_jobs import schemas, words
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.parsing import path_id
from watchbell.web.db import database

_NO_TEMPLATE = "There is no such template."
_TAKEN = "There is one of that name."


@blueprint.route("/jobs/templates")
@blueprint.query(schemas.TemplatesAsked)
@blueprint.answers(200, schemas.TemplateList)
def list_templates(asked: dict[str, Any]) -> Response:
    """List templates by category and name."""
    found = job_library.list_templates(
        database(), category=asked.get("category") or None, is_active=asked.get("active")
    )
    return jsonify(templates=[words.template(one) for one in found], total=len(found))


@blueprint.route("/jobs/templates/<template_id>")
@blueprint.errors(_404=_NO_TEMPLATE)
@blueprint.answers(200, schemas.Template)
def get_template(template_id: str) -> Response:
    """Get a template."""
    return jsonify(words.template(job_library.get_template(database(), path_id("template_id", template_id))))


@blueprint.route("/jobs/templates", methods=["POST"])
@blueprint.body(schemas.NewTemplate)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, schemas.Template)
def create_template(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a template."""
    made = job_library.create_template(
        database(), {**_ours(given), "created_by": words.maker(given)}, now=current.now(), actor=current.actor()
    )
    return jsonify(words.template(made)), 201


@blueprint.route("/jobs/templates/<template_id>", methods=["PUT"])
@blueprint.body(schemas.TemplateChange)
@blueprint.errors(_404=_NO_TEMPLATE, _409=_TAKEN)
@blueprint.answers(200, schemas.Template)
def update_template(given: dict[str, Any], template_id: str) -> Response:
    """Change a template; what was executed stays as it was."""
    number = path_id("template_id", template_id)
    return jsonify(
        words.template(
            job_library.update_template(database(), number, _ours(given), now=current.now(), actor=current.actor())
        )
    )


@blueprint.route("/jobs/templates/<template_id>", methods=["DELETE"])
@blueprint.errors(_404=_NO_TEMPLATE)
@blueprint.answers(200, schemas.Deleted)
def delete_template(template_id: str) -> Response:
    """Delete a template; what was executed stays."""
    number = path_id("template_id", template_id)
    job_library.delete_template(database(), number, now=current.now(), actor=current.actor())
    return jsonify(message="Job template deleted successfully", id=number)


@blueprint.route("/jobs/handlers")
@blueprint.answers(200, schemas.HandlerList)
def list_handlers() -> Response:
    """List the handlers that are in use, by name."""
    found = job_library.list_handlers(database())
    return jsonify(handlers=[words.handler(one) for one in found], total=len(found))


@blueprint.route("/jobs/handlers", methods=["POST"])
@blueprint.body(schemas.NewHandler)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, schemas.Handler)
def create_handler(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a handler."""
    made = job_library.create_handler(
        database(), {**given, "created_by": words.maker(given)}, now=current.now(), actor=current.actor()
    )
    return jsonify(words.handler(made)), 201


def _ours(given: dict[str, Any]) -> dict[str, Any]:
    return {"document" if name == "job_document" else name: value for name, value in given.items()}
