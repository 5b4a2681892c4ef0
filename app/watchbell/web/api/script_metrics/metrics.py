"""The values of metrics: the latest, their history, what they come to, and files of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, jsonify

from watchbell.domain.samples import value_of, values_of
from watchbell.services import metrics, scripts
from watchbell.store.samples import NO_EXIT_CODE
from watchbell.web import current, twins
from watchbell.web.api.script_metrics import asked as ask
from watchbell.web.api.script_metrics import schemas, words
from watchbell.web.api.script_metrics.family import blueprint
from watchbell.web.db import database

#: The columns of an export.
COLUMNS = ("timestamp", "metric_name", "value", "script_path", "exit_code")
#: Among so many of the newest runs names of metrics are looked for.
_LOOKED_AT = 500


@blueprint.route("/metrics/latest")
@blueprint.query(schemas.LatestAsked)
@blueprint.answers(200, schemas.LATEST)
def latest(asked: dict[str, Any]) -> Response:
    """Tell each metric's latest value, and what it comes to over the newest executions."""
    found = metrics.by_metric(ask.measured(asked, limit=asked["limit"]))
    return jsonify({name: {"latest": listed[-1], **words.aggregate(listed)} for name, listed in found.items()})


@blueprint.route("/metrics/history")
@blueprint.query(schemas.HistoryAsked)
@blueprint.answers(200, schemas.History)
def history(asked: dict[str, Any]) -> Response:
    """List the newest values of a metric in the order of time."""
    zone = current.zone()
    found = metrics.values(ask.measured(asked, limit=asked["limit"]), asked["metric_name"])
    data = [{"timestamp": words.time(run.at, zone), "value": value} for run, value in found]
    return jsonify({**ask.named(asked), "days": asked["days"], "data_points": len(data), "data": data})


@blueprint.route("/metrics/aggregated")
@blueprint.query(schemas.AggregatedAsked)
@blueprint.answers(200, schemas.Aggregated)
def aggregated(asked: dict[str, Any]) -> Response:
    """Tell what each metric comes to over some days; of more than 10,000 executions the newest count."""
    found = metrics.by_metric(ask.measured(asked))
    return jsonify({"metrics": {name: words.aggregate(listed) for name, listed in found.items()}})


@blueprint.route("/metrics/available")
@blueprint.answers(200, schemas.Available)
def available() -> Response:
    """List the names of all metrics that the newest executions have."""
    return jsonify({"available_metrics": list(metrics.by_metric(ask.measured({}, limit=_LOOKED_AT)))})


@blueprint.route("/metrics/export.json")
@blueprint.query(schemas.ExportAsked)
@blueprint.answers(200, schemas.Exported(many=True))
def export_json(asked: dict[str, Any]) -> Response:
    """Export values of the newest executions, in the order of time."""
    return jsonify(list(_rows(asked)))


@blueprint.route("/metrics/export.csv")
@blueprint.query(schemas.ExportAsked)
@blueprint.answers(200, {"type": "string"}, content_type="text/csv")
def export_csv(asked: dict[str, Any]) -> Response:
    """Export the same as a table."""
    return twins.csv_response("metrics-export", COLUMNS, _rows(asked))


def _rows(asked: dict[str, Any]) -> Iterator[dict[str, object]]:
    found = ask.measured(asked, limit=asked["limit"])
    paths = scripts.paths_of(database(), (run.task_id for run in found))
    zone, metric = current.zone(), asked["metric_name"]
    for run in reversed(found):
        one = value_of(run.recorded, metric) if metric else None
        named = values_of(run.recorded) if metric is None else {metric: one} if one is not None else {}
        for name, value in named.items():
            yield {
                "timestamp": words.time(run.at, zone),
                "metric_name": name,
                "value": value,
                "script_path": paths.get(run.task_id, run.task_name),
                "exit_code": NO_EXIT_CODE if run.exit_code is None else run.exit_code,
            }
