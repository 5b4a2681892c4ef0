"""Why a task ran at a moment, past or to come, or why it did not."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request

from watchbell.errors import InputError
from watchbell.services import tasks, why
from watchbell.services.why import Why
from watchbell.web import current, query
from watchbell.web.db import database

blueprint = Blueprint("task_why", __name__)


@blueprint.get("/tasks/<int:task_id>/why")
def show(task_id: int) -> str | tuple[str, int]:
    """Answer for the moment of the address, the present minute without one; a wrong one is asked for again."""
    task = tasks.get(database(), task_id)
    try:
        answer, problem = _answer(task_id, task.zone), ""
    except InputError as error:
        answer, problem = None, error.problems[0].message
    text = query.text(request.args, "at")
    page = render_template("tasks/why.html", task=task, answer=answer, problem=problem, asked=text)
    return (page, 422) if problem else page


@blueprint.get("/tasks/<int:task_id>/why.json")
def show_json(task_id: int) -> Response:
    return jsonify(why.told(_answer(task_id, tasks.get(database(), task_id).zone)))


def _answer(task_id: int, zone: str) -> Why:
    now = current.now()
    return why.why(database(), task_id, why.read_asked(query.text(request.args, "at"), zone, now), now=now)
