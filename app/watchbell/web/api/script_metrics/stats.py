"""The whole database in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Response, jsonify

from watchbell.domain.permissions import Right
from watchbell.domain.run_state import RunState
from watchbell.services import metrics
from watchbell.services.metrics import Totals
from watchbell.web import current
from watchbell.web.api.script_metrics import asked as ask
from watchbell.web.api.script_metrics import schemas, words
from watchbell.web.api.script_metrics.family import blueprint
from watchbell.web.db import database
from watchbell.web.realtime import metric_words

_DECIMALS = 3


@blueprint.route("/stats/database")
@blueprint.answers(200, schemas.DatabaseStats)
def database_stats() -> Response:
    """Count executions, metrics and scripts, and tell the size of the database."""
    found = metrics.overview(database(), Totals(), current.now())
    told = metric_words.database_stats(found)
    if Right.ADMINISTER not in current.user().rights:
        told["database_file"] = Path(found.database_file).name
    return jsonify(told)


@blueprint.route("/stats/execution")
@blueprint.query(schemas.ExecutionStatsAsked)
@blueprint.answers(200, schemas.ExecutionStats)
def execution_stats(asked: dict[str, Any]) -> Response:
    """Tell how the newest executions ended."""
    found = metrics.list_states(database(), limit=asked["limit"])
    good = sum(state == RunState.SUCCEEDED for state in found)
    told = {"total_executions": len(found), "successful": good, "failed": len(found) - good}
    return jsonify({**told, "success_rate": words.rate(good, len(found))})


@blueprint.route("/stats/performance")
@blueprint.query(schemas.PerformanceAsked)
@blueprint.answers(200, schemas.PerformanceStats)
def performance_stats(asked: dict[str, Any]) -> Response:
    """Tell lowest, highest and mean of a metric over some days; of more than 10,000 executions the newest count."""
    found = ask.numbers(ask.measured(asked), asked["metric_name"])
    told: dict[str, float | None] = dict.fromkeys(("min", "max", "avg"))
    if found:
        told = {"min": min(found), "max": max(found), "avg": sum(found) / len(found)}
    rounded = {name: None if value is None else round(value, _DECIMALS) for name, value in told.items()}
    return jsonify({"metric": asked["metric_name"], **rounded, "count": len(found)})
