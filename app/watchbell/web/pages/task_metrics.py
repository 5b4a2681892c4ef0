"""What the numbers of one task's runs tell: what is usual, what left that, what a revision has changed; with its twins."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from watchbell.errors import NotFound
from watchbell.services import tasks
from watchbell.web import deleted_task, metric_asked, metric_page, task_metrics, twins
from watchbell.web.db import database

blueprint = Blueprint("task_metrics", __name__)


@blueprint.get("/tasks/<int:task_id>/metrics")
def index(task_id: int) -> str | tuple[str, int]:
    try:
        task = tasks.get(database(), task_id)
    except NotFound:
        return deleted_task.page(task_id)
    asked = metric_asked.read(request.args, of_task=True)
    shown = metric_page.context(metric_asked.runs_of(asked, task.id), asked)
    if shown["found"] is not None:
        shown |= task_metrics.context(task.id, shown["found"])
    return render_template("task_metrics/index.html", task=task, **shown)


@blueprint.get("/tasks/<int:task_id>/metrics.csv")
def index_csv(task_id: int) -> Response:
    asked = metric_asked.read(request.args, of_task=True)
    rows = metric_page.twin_rows(metric_asked.runs_of(asked, tasks.get(database(), task_id).id), asked)
    return twins.csv_response("task-metrics", metric_page.CSV_COLUMNS, rows)


@blueprint.get("/tasks/<int:task_id>/metrics.json")
def index_json(task_id: int) -> Response:
    asked = metric_asked.read(request.args, of_task=True)
    return twins.json_response(
        metric_page.twin_rows(metric_asked.runs_of(asked, tasks.get(database(), task_id).id), asked)
    )
