"""What one does with a task, and what is told of its past and its future."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from watchbell.domain import schedule as schedules
from watchbell.errors import InputError, VersionConflict
from watchbell.services import blackouts, pauses, revisions, runs, task_lists, tasks, triggers
from watchbell.services.runs import RunFilter
from watchbell.store.runs import Run
from watchbell.store.tasks import TaskRevision
from watchbell.web import current, shown_variables
from watchbell.web.api import parsing, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import (
    answers,
    parameter_schemas,
    run_schemas,
    schemas,
    task_edit_schemas,
    task_schemas,
    words,
)
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.tasks import NO_TASK, NO_VERSION, STALE, shown, stale
from watchbell.web.db import database
from watchbell.web.run_asking import require_edit

_OUTCOME_COLUMNS = ("id", "state", "due_at", "ended_at", "exit_code", "stands_for")
_OUTCOME_NAMES = ("run_id", *_OUTCOME_COLUMNS[1:])


@blueprint.route("/tasks/<number:task_id>/runs", methods=["POST"])
@blueprint.body(parameter_schemas.RunWanted, required=False)
@idempotent()
@blueprint.errors(
    _404=NO_TASK,
    _409="With `asap`: the task is disabled.",
    _429="So many runs of the task that somebody has asked for wait already.",
)
@blueprint.answers(201, run_schemas.Run)
def run_task(wanted: dict[str, Any], task_id: str) -> Response:
    """Run a task now, also one that is disabled; the answer is the run, which is queued."""
    number, now, actor = parsing.path_id("task_id", task_id), current.now(), current.actor()
    for name in ("parameters", "value_set", "revision"):
        if wanted["asap"] and wanted[name]:
            raise InputError.of(name, "cannot stand beside asap: a run that waits already keeps its own")
    if wanted["asap"]:
        return run_made(triggers.run_soon(database(), number, now=now, actor=actor))
    values = {"given": wanted["parameters"], "value_set": wanted["value_set"]}
    version = _version(number, wanted["revision"])
    return run_made(triggers.run_now(database(), number, now=now, actor=actor, version=version, **values))


def _version(task_id: int, wanted: int | None) -> int | None:
    """Return the version that is asked for; raises NotAllowed for one that is not in force without the right to edit."""
    if wanted is None or wanted == tasks.get(database(), task_id).version:
        return None
    require_edit()
    return wanted


def run_made(run: Run) -> Response:
    """Return a run that was just made, and where it is."""
    response = answers.answer(words.run(run), 201)
    response.headers["Location"] = url_for("native.get_run", run_id=run.id)
    return response


@blueprint.route("/tasks/<number:task_id>/pause", methods=["POST"])
@blueprint.body(schemas.NewPause, required=False)
@idempotent()
@blueprint.errors(_404=NO_TASK)
@blueprint.answers(200, schemas.Pause)
def pause_task(given: dict[str, Any], task_id: str) -> Response:
    """Pause a task: nothing of it starts; what runs goes on, and moments that come are skipped with this reason."""
    scope = pauses.task_scope(parsing.path_id("task_id", task_id))
    return answers.answer(
        words.pause(pauses.pause(database(), scope, now=current.now(), actor=current.actor(), **given))
    )


@blueprint.route("/tasks/<number:task_id>/resume", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_TASK, _422="This is not a number.")
@blueprint.answers(200, schemas.Resumed)
def resume_task(task_id: str) -> Response:
    """Let a task go on; one that is not paused stays so."""
    task = tasks.get(database(), parsing.path_id("task_id", task_id))
    was_paused = pauses.resume(database(), pauses.task_scope(task.id), now=current.now(), actor=current.actor())
    return answers.answer({"was_paused": was_paused})


@blueprint.route("/tasks/<number:task_id>/revisions")
@blueprint.query(schemas.OlderAsked)
@blueprint.errors(_404=NO_TASK)
@blueprint.answers(200, task_schemas.RevisionPage)
def list_revisions(asked: dict[str, Any], task_id: str) -> Response:
    """List what a task has been, the newest version first; also of a task that was deleted."""
    number, limit = parsing.path_id("task_id", task_id), asked["limit"]
    found = task_lists.list_revisions(database(), number, before=asked.get("before"), limit=limit + 1)
    items = [_revision(one) for one in found[:limit]]
    return answers.page(items, ("before", str(found[limit - 1].version)) if len(found) > limit else None)


@blueprint.route("/tasks/<number:task_id>/revisions/<number:version>")
@blueprint.errors(_404="There is no such task, or it has no such version.", _422="This is not a number.")
@blueprint.answers(200, task_schemas.Revision)
def get_revision(task_id: str, version: str) -> Response:
    """Get what a version of a task says; also of a task that was deleted."""
    number = parsing.path_id("version", version)
    found = revisions.find(database(), parsing.path_id("task_id", task_id), number).revision
    return answers.answer(_revision(found))


@blueprint.route("/tasks/<number:task_id>/revisions/<number:version>/differences")
@blueprint.query(task_edit_schemas.AgainstAsked)
@blueprint.errors(_404="There is no such task, or it has no such version.")
@blueprint.answers(200, task_edit_schemas.RevisionDifferences)
def compare_revisions(asked: dict[str, Any], task_id: str, version: str) -> Response:
    """Get the fields in which a version of a task differs from another one, by default the one before it."""
    number, wanted = parsing.path_id("task_id", task_id), parsing.path_id("version", version)
    found = revisions.find(database(), number, wanted, asked.get("against"))
    before = found.against.definition if found.against is not None else {}
    after = found.revision.definition
    # What differs is told of what is concealed, too.
    old, new = (revisions.flat(shown_variables.stored(one)) for one in (before, after))
    changed = [
        {"field": name, "before": old.get(name), "after": new.get(name)} for name in revisions.differing(before, after)
    ]
    against = found.against.version if found.against is not None else None
    return answers.answer({"version": wanted, "against": against, "differences": changed})


def _revision(found: TaskRevision) -> dict[str, Any]:
    plain = {name: getattr(found, name) for name in ("version", "at", "by")}
    return {**plain, "definition": shown_variables.stored(found.definition)}


@blueprint.route("/tasks/<number:task_id>/revisions/<number:version>/restore", methods=["POST"])
@idempotent()
@versions.needed
@blueprint.errors(
    _404="There is no such task, or it has no such version.",
    _409="Another task has the name that it had then.",
    _412=STALE,
    _422="This is not a number.",
    _428=NO_VERSION,
)
@blueprint.answers(200, task_schemas.Task)
def restore_revision(task_id: str, version: str) -> Response:
    """Let a task say again what it said in a version, as a new one; it stays enabled or not."""
    number, wanted, expected = (
        parsing.path_id("task_id", task_id),
        parsing.path_id("version", version),
        versions.required(),
    )
    now, actor = current.now(), current.actor()
    try:
        restored = revisions.restore(database(), number, wanted, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise stale(error, number) from None
    return shown(restored)


@blueprint.route("/tasks/<number:task_id>/next")
@blueprint.query(task_schemas.MomentsAsked)
@blueprint.errors(_404=NO_TASK)
@blueprint.answers(200, task_schemas.Moments)
def list_moments(asked: dict[str, Any], task_id: str) -> Response:
    """List the next moments at which a task is due."""
    task = tasks.get(database(), parsing.path_id("task_id", task_id))
    due = tasks.upcoming(task, after=current.now(), limit=asked["n"])
    found = blackouts.marked(database(), task.id, due)
    return answers.answer(
        {"items": [words.moment(occurrence, schedules.from_json(task.schedule)) for occurrence in found]}
    )


@blueprint.route("/tasks/<number:task_id>/outcomes")
@blueprint.query(task_schemas.OutcomesAsked)
@blueprint.errors(_404=NO_TASK)
@blueprint.answers(200, task_schemas.Outcomes)
def list_outcomes(asked: dict[str, Any], task_id: str) -> Response:
    """List what became of a task's last occurrences, the newest first, as the page draws them."""
    task = tasks.get(database(), parsing.path_id("task_id", task_id))
    found = runs.list_page_rows(database(), _OUTCOME_COLUMNS, RunFilter(task_id=task.id), limit=asked["n"])
    return answers.answer({"items": [dict(zip(_OUTCOME_NAMES, row, strict=True)) for row in found.runs]})
