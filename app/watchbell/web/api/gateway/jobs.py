"""Jobs: tasks by their names."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.errors import Conflict, NotFound
from watchbell.services import runs, tasks, triggers
from watchbell.store.tasks import Task
from watchbell.web import current
from watchbell.web.api import versions
from watchbell.web.api.gateway import schemas, words
from watchbell.web.api.gateway.family import Disabled, blueprint
from watchbell.web.api.idempotency import idempotent
from watchbell.web.db import database

_NO_JOB = "There is no such job."
_OTHER_VERSION = "The job is not the version that If-Match names any more."
#: Our fields for the gateway's.
_OURS = {"working_dir": "directory", "timeout_seconds": "time_limit_seconds"}


@blueprint.route("/jobs")
@blueprint.query(schemas.JobsAsked)
@blueprint.answers(200, schemas.Job(many=True))
def list_jobs(asked: dict[str, Any]) -> Response:
    """List jobs by their names."""
    enabled = None if asked["include_disabled"] else True
    found = tasks.list_page(database(), enabled=enabled, tag=asked.get("tag") or None).tasks
    busy, zone = runs.list_busy_tasks(database()), current.zone()
    return jsonify([words.job(task, is_running=task.id in busy, zone=zone) for task in found])


@blueprint.route("/jobs/<name>")
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, schemas.Job)
def get_job(name: str) -> Response:
    """Get a job."""
    return _shown(_require(name))


@blueprint.route("/jobs", methods=["POST"])
@blueprint.body(schemas.NewJob)
@idempotent()
@blueprint.errors(_400="The schedule cannot be read.", _409="There is a job of that name.")
@blueprint.answers(201, schemas.Job)
def create_job(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a job."""
    if tasks.is_taken(database(), given["name"]):
        raise Conflict(f"Job '{given['name']}' already exists")
    fields = _to_ours(given)
    task = tasks.create(database(), fields, now=current.now(), actor=current.actor(), defaults=current.defaults())
    return _shown(task), 201


@blueprint.route("/jobs/<name>", methods=["PUT"])
@blueprint.body(schemas.JobChange)
@blueprint.errors(
    _400="The schedule cannot be read.",
    _404=_NO_JOB,
    _409="It has steps, of which this family knows nothing.",
    _412=_OTHER_VERSION,
)
@blueprint.answers(200, schemas.Job)
def update_job(given: dict[str, Any], name: str) -> Response:
    """Change a job."""
    task, fields = _require(name), _to_ours(given)
    _refuse_command_for_steps(task, fields)
    changed = tasks.update(
        database(),
        task.id,
        fields,
        now=current.now(),
        actor=current.actor(),
        defaults=current.defaults(),
        expected_version=versions.expected(),
    )
    return _shown(changed)


@blueprint.route("/jobs/<name>", methods=["DELETE"])
@blueprint.errors(_404=_NO_JOB, _412=_OTHER_VERSION, _422="If-Match names no version.")
@blueprint.answers(204)
def delete_job(name: str) -> None:
    """Delete a job; its runs stay in the history."""
    seen = versions.expected()
    tasks.delete(database(), _require(name).id, now=current.now(), actor=current.actor(), expected_version=seen)


@blueprint.route("/jobs/<name>/enable", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, schemas.Job)
def enable_job(name: str) -> Response:
    """Enable a job; one that is enabled stays so."""
    return _shown(tasks.set_enabled(database(), _require(name).id, True, now=current.now(), actor=current.actor()))


@blueprint.route("/jobs/<name>/disable", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, schemas.Job)
def disable_job(name: str) -> Response:
    """Disable a job; one that is disabled stays so."""
    return _shown(tasks.set_enabled(database(), _require(name).id, False, now=current.now(), actor=current.actor()))


@blueprint.route("/jobs/<name>/trigger", methods=["POST"])
@idempotent()
@blueprint.errors(_400="The job is disabled.", _404=_NO_JOB)
@blueprint.answers(200, schemas.Message)
def trigger_job(name: str) -> dict[str, object]:
    """Run a job at once."""
    task = _require(name)
    if not task.enabled:
        raise Disabled(f"Job '{task.name}' is disabled; enable it before it is triggered")
    run = triggers.run_now(database(), task.id, now=current.now(), actor=current.actor())
    return {"message": f"Job '{task.name}' triggered for immediate execution", "run_id": run.id}


def _require(name: str) -> Task:
    try:
        return tasks.find_by_name(database(), name)
    except NotFound:
        raise NotFound(f"Job '{name[:100]}' not found") from None


def _to_ours(given: dict[str, Any]) -> dict[str, Any]:
    fields = {_OURS.get(name, name): value for name, value in given.items()}
    return {**fields, "kind": "cron"} if "cron" in fields else fields


def _refuse_command_for_steps(task: Task, fields: dict[str, Any]) -> None:
    """Raise Conflict before a command takes the place of steps, of which this family knows nothing."""
    if task.steps and fields.get("command"):
        raise Conflict(
            f"Job '{task.name}' has {len(task.steps)} steps, which a command would delete; change it on its page"
        )


def _shown(task: Task) -> Response:
    versions.note(task.version)
    return jsonify(words.job(task, is_running=task.id in runs.list_busy_tasks(database()), zone=current.zone()))
