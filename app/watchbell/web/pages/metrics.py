"""Metrics: what the numbers of runs tell, of one task or of all, with its twins."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from watchbell.services import scripts, task_lists
from watchbell.services.task_lists import TaskFilter
from watchbell.web import metric_asked, metric_page, twins
from watchbell.web.db import database

blueprint = Blueprint("metrics", __name__)

#: So many names of tasks are offered while one is typed.
_OFFERED = 200


@blueprint.get("/metrics")
def index() -> str:
    asked = metric_asked.read(request.args)
    runs = metric_asked.runs_of(asked)
    return render_template(
        "metrics/index.html",
        **metric_page.context(runs, asked),
        is_known=not asked.task or bool(runs) or bool(scripts.task_ids(database(), asked.task)),
        cards=metric_page.cards(),
        tasks=sorted(task_lists.list_names(database(), TaskFilter(), _OFFERED).values()),
    )


@blueprint.get("/metrics.csv")
def index_csv() -> Response:
    asked = metric_asked.read(request.args)
    return twins.csv_response(
        "metrics", metric_page.CSV_COLUMNS, metric_page.twin_rows(metric_asked.runs_of(asked), asked)
    )


@blueprint.get("/metrics.json")
def index_json() -> Response:
    asked = metric_asked.read(request.args)
    return twins.json_response(metric_page.twin_rows(metric_asked.runs_of(asked), asked))
