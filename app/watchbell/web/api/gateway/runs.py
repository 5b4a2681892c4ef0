"""Runs of jobs, and the numbers of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify

from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound
from watchbell.services import runs, tasks
from watchbell.services.runs import RunDeleted, RunFilter
from watchbell.store.runs import Run
from watchbell.web import current, run_list
from watchbell.web.api import output_texts, parsing
from watchbell.web.api.gateway import schemas, words
from watchbell.web.api.gateway.family import blueprint
from watchbell.web.db import database


@blueprint.route("/runs")
@blueprint.query(schemas.RunsAsked)
@blueprint.answers(200, schemas.Run(many=True))
def list_runs(asked: dict[str, Any]) -> Response:
    """List runs, newest first, with the beginnings of what they have written."""
    chosen = RunFilter(states=words.FAILED if asked["failed_only"] else ())
    name, limit = asked.get("job_name"), asked["limit"]
    if name:
        return _listed(runs.list_rows_by_name(database(), name, chosen, limit=limit))
    return _listed(runs.list_rows(database(), chosen, limit=limit))


@blueprint.route("/runs/<run_id>")
@blueprint.errors(
    _404="There is no such run.",
    _410="The run was there; it is older than runs are kept.",
    _422="This is not a number.",
)
@blueprint.answers(200, schemas.Run)
def get_run(run_id: str) -> Response:
    """Get a run with all that is kept of what it has written."""
    found = _require(parsing.path_id("run_id", run_id))
    output = output_texts.whole(found.id)
    return jsonify(words.run(found, output, now=current.now(), zone=current.zone()))


@blueprint.route("/runs/job/<job_name>")
@blueprint.query(schemas.JobRunsAsked)
@blueprint.errors(_404="There is no such job.")
@blueprint.answers(200, schemas.Run(many=True))
def list_runs_of_job(asked: dict[str, Any], job_name: str) -> Response:
    """List the runs of a job that is there, newest first."""
    try:
        task = tasks.find_by_name(database(), job_name)
    except NotFound:
        raise NotFound(f"Job '{job_name[:100]}' not found") from None
    return _listed(runs.list_rows(database(), RunFilter(task_id=task.id), limit=asked["limit"]))


@blueprint.route("/runs/stats/today")
@blueprint.answers(200, schemas.Today)
def today() -> dict[str, int]:
    """Count the runs of today."""
    counts = runs.count_by_state(database(), since=run_list.day_start(current.now(), current.zone()))
    return {
        "total_runs_today": sum(counts.get(state.value, 0) for state in words.STATUSES),
        "successful_runs_today": counts.get(RunState.SUCCEEDED.value, 0),
        "failed_runs_today": counts.get(RunState.FAILED.value, 0) + counts.get(RunState.LOST.value, 0),
        "timeout_runs_today": counts.get(RunState.TIMED_OUT.value, 0),
        "running_count": len(runs.list_in_flight(database())),
    }


def _require(run_id: int) -> Run:
    try:
        return runs.get(database(), run_id)
    except RunDeleted:
        raise
    except NotFound:
        raise NotFound(f"Run {run_id} not found") from None


def _listed(rows: Sequence[Run]) -> Response:
    output = output_texts.excerpts([row.id for row in rows])
    now, zone = current.now(), current.zone()
    return jsonify([words.run(row, output.get(row.id, {}), now=now, zone=zone) for row in rows])
