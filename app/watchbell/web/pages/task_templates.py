"""Templates of tasks: their list, keeping a task as one, and deleting one."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.services import task_templates
from watchbell.web import current, starting, twins
from watchbell.web.db import database
from watchbell.web.i18n import _

blueprint = Blueprint("task_templates", __name__)


@blueprint.get("/tasks/templates")
def index() -> str:
    rows = starting.template_rows(task_templates.list_all(database()))
    return render_template("task_templates/index.html", section="tasks", rows=rows, presets=starting.presets())


@blueprint.get("/tasks/templates.json")
def index_json() -> Response:
    return jsonify(starting.template_rows(task_templates.list_all(database())))


@blueprint.get("/tasks/templates.csv")
def index_csv() -> Response:
    rows = starting.template_rows(task_templates.list_all(database()))
    return twins.csv_response("templates", starting.CSV_COLUMNS, rows)


@blueprint.post("/tasks/<int:task_id>/template")
def save(task_id: int) -> AnyResponse:
    made = task_templates.save(database(), task_id, now=current.now(), actor=current.actor())
    flash(_("%(name)s is a template now: new tasks can begin from it.", name=made.name), "success")
    return redirect(url_for("task_templates.index"), 303)


@blueprint.post("/tasks/templates/<int:template_id>/delete")
def delete(template_id: int) -> AnyResponse:
    gone = task_templates.delete(database(), template_id, now=current.now(), actor=current.actor())
    flash(_("The template %(name)s is deleted. Tasks that were made from it stay.", name=gone.name), "success")
    return redirect(url_for("task_templates.index"), 303)
