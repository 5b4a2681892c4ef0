"""Scripts and their executions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Response, jsonify

from watchbell.errors import NotFound
from watchbell.services import metrics, runs, scripts
from watchbell.store.samples import Measured
from watchbell.web import current
from watchbell.web.api import output_texts, parsing
from watchbell.web.api.output_texts import OutputText
from watchbell.web.api.script_metrics import asked as ask
from watchbell.web.api.script_metrics import schemas, words
from watchbell.web.api.script_metrics.family import blueprint
from watchbell.web.db import database

#: The outputs of so many runs are in memory at a time.
_AT_ONCE = 200


@blueprint.route("/scripts")
@blueprint.answers(200, schemas.Script(many=True))
def list_scripts() -> Response:
    """List all scripts that were ever executed, the one that was executed last first."""
    return jsonify([words.script(found, current.zone()) for found in scripts.list_all(database())])


@blueprint.route("/executions")
@blueprint.query(schemas.ExecutionsAsked)
@blueprint.answers(200, schemas.ListedExecution(many=True))
def list_executions(asked: dict[str, Any]) -> Response:
    """List executions, newest first, with the beginnings of what they have written."""
    return _listed(
        metrics.list_runs(
            database(),
            task_ids=ask.task_ids(asked),
            limit=asked["limit"],
            offset=asked["offset"],
            exit_code=asked["exit_code"],
        )
    )


@blueprint.route("/executions/failed")
@blueprint.query(schemas.FailedAsked)
@blueprint.answers(200, schemas.ListedExecution(many=True))
def list_failed(asked: dict[str, Any]) -> Response:
    """List executions that did not succeed, newest first."""
    chosen = {"limit": asked["limit"], "offset": asked["offset"], "failed": True}
    return _listed(metrics.list_runs(database(), task_ids=ask.task_ids(asked), **chosen))


@blueprint.route("/execution/<execution_id>")
@blueprint.errors(
    _404="There is no such execution.",
    _410="The execution was there; it is older than runs are kept.",
    _422="This is not a number.",
)
@blueprint.answers(200, schemas.Execution)
def get_execution(execution_id: str) -> Response:
    """Get an execution with all that is kept of its output, and all its metrics."""
    run = _require(parsing.path_id("execution_id", execution_id))
    output = output_texts.whole(run.run_id)
    path = scripts.paths_of(database(), [run.task_id]).get(run.task_id, run.task_name)
    is_cut = any(text.is_truncated for text in output.values())
    return jsonify(
        {**words.execution(run, path, output, current.zone()), "truncated": is_cut, "metrics": words.metrics(run)}
    )


def _require(run_id: int) -> Measured:
    found = metrics.find_run(database(), run_id)
    if found is None:
        # One that was deleted is told of as such; one that goes on, or never began, is no execution yet.
        runs.get(database(), run_id)
        raise NotFound(f"Execution {run_id} is not over, or was never begun")
    return found


def _listed(found: Sequence[Measured]) -> Response:
    paths = scripts.paths_of(database(), (run.task_id for run in found))
    zone = current.zone()
    return jsonify(
        [words.execution(run, paths.get(run.task_id, run.task_name), output, zone) for run, output in _excerpts(found)]
    )


def _excerpts(found: Sequence[Measured]) -> Iterator[tuple[Measured, Mapping[str, OutputText]]]:
    remaining = iter(found)
    while some := list(itertools.islice(remaining, _AT_ONCE)):
        outputs = output_texts.excerpts([run.run_id for run in some])
        for run in some:
            yield run, outputs.get(run.run_id, {})
