"""What the values of a metric tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, jsonify

from watchbell.domain.analysis import anomaly, baseline
from watchbell.services import metrics
from watchbell.web import current
from watchbell.web.api.script_metrics import asked as ask
from watchbell.web.api.script_metrics import schemas, words
from watchbell.web.api.script_metrics.family import blueprint


@blueprint.route("/analysis/trend")
@blueprint.query(schemas.TrendAsked)
@blueprint.answers(200, schemas.Analysis)
def analyse(asked: dict[str, Any]) -> Response:
    """Tell a metric's trend, anomalies, regression and percentiles; of more than 10,000 executions the newest count."""
    found = ask.numbers(ask.measured(asked), asked["metric_name"])
    if not found:
        return jsonify({"error": words.NO_DATA, **ask.named(asked)})
    told = words.analysis(
        found,
        method=anomaly.Method(asked["method"]),
        threshold=asked["threshold"],
        regression_percent=asked["regression_threshold"],
    )
    return jsonify({**ask.named(asked), "period_days": asked["days"], **told})


@blueprint.route("/analysis/baseline")
@blueprint.query(schemas.BaselineAsked)
@blueprint.answers(200, schemas.Baseline)
def baseline_of(asked: dict[str, Any]) -> Response:
    """Tell what a metric usually is, by one of four methods."""
    found = metrics.values(ask.measured(asked), asked["metric_name"])
    since = current.now() - timedelta(days=baseline.RECENT_DAYS)
    recent = [value for run, value in found if run.at >= since]
    method, percent = baseline.Method(asked["method"]), asked["percentile"]
    told = words.base_of(method, [value for _run, value in found], recent, percent=percent, days=asked["days"])
    return jsonify({**ask.named(asked), **told})
