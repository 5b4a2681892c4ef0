"""Rows of Task_Scheduler: scripts and when they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, jsonify

from watchbell.errors import InputError, NotFound
from watchbell.services import tasks, triggers
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web import current
from watchbell.web.api import versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.parsing import path_id
from watchbell.web.api.task_dashboard import schemas, words
from watchbell.web.api.task_dashboard.family import blueprint
from watchbell.web.db import database

_NO_TASK = "There is no such task."
_OTHER_VERSION = "The task is another version by now."
#: Columns that the server sets itself: a row may be sent back as it was read.
_SET_BY_US = frozenset({"ID", "InsertedAt", "InsertedBy", "InsertedHost"})


@blueprint.route("/tasks")
@blueprint.query(schemas.Whose)
@blueprint.answers(200, schemas.Task(many=True))
def list_tasks(asked: dict[str, str]) -> Response:
    """List the tasks of a user on a host, enabled ones first."""
    host = asked.get("host") or current.config().hostname
    # One's own are also those of one's teams.
    whose = {"owner": asked["user"]} if asked.get("user") else {"mine": current.mine()}
    found = tasks.list_page(database(), **whose).tasks
    # A task that names no host runs here as well.
    return _listed(task for task in found if task.host.lower() in {"", host.lower()})


@blueprint.route("/tasks/all")
@blueprint.answers(200, schemas.Task(many=True))
def list_all_tasks() -> Response:
    """List the tasks of all users, enabled ones first."""
    return _listed(tasks.list_page(database()).tasks)


@blueprint.route("/task/<task_id>")
@blueprint.errors(_400="This is not a number.", _404=_NO_TASK)
@blueprint.answers(200, schemas.Task)
def get_task(task_id: str) -> Response:
    """Get a task."""
    task = _require(task_id)
    versions.note(task.version)
    return jsonify(_rows([task])[0])


@blueprint.route("/task", methods=["POST"])
@blueprint.body(schemas.NewTask)
@idempotent()
@blueprint.answers(200, schemas.TaskMade)
def create_task(given: dict[str, Any]) -> dict[str, object]:
    """Make a task; its name is the script's, with a number behind it if that is taken."""
    fields = words.fields_of(given, None, python=current.config().python)
    fields["name"] = given["ScriptName"]
    with database().write() as session:
        here = database().within(session)
        task = tasks.create(
            here, fields, now=current.now(), actor=current.actor(), defaults=current.defaults(), rename=True
        )
        _run_soon(here, task, given)
    return {"success": True, "message": f"Task {task.name} created", "id": task.id}


@blueprint.route("/task/<task_id>", methods=["PUT"])
@blueprint.body(schemas.TaskChange)
@blueprint.errors(_404=_NO_TASK, _409="It collides with what is there.", _412=_OTHER_VERSION)
@blueprint.answers(200, schemas.Done)
def update_task(given: dict[str, Any], task_id: str) -> dict[str, object]:
    """Change a task."""
    before = _require(task_id)
    if not given.keys() - _SET_BY_US:
        raise InputError.of("body", "has no fields to update", '{"Enable": false}')
    with database().write() as session:
        task = _change(database().within(session), before, given)
    return {"success": True, "message": f"Task {task.name} updated"}


@blueprint.route("/task/<task_id>", methods=["DELETE"])
@blueprint.errors(_400="This is not a number.", _404=_NO_TASK, _412=_OTHER_VERSION)
@blueprint.answers(200, schemas.Done)
def delete_task(task_id: str) -> dict[str, object]:
    """Delete a task; its runs stay in the history."""
    seen = versions.expected()
    task = tasks.delete(
        database(), _require(task_id).id, now=current.now(), actor=current.actor(), expected_version=seen
    )
    return {"success": True, "message": f"Task {task.name} deleted"}


def _require(text: str) -> Task:
    try:
        return tasks.get(database(), path_id("ID", text))
    except NotFound:
        raise NotFound("Task not found") from None


def _change(db: Database, before: Task, given: Mapping[str, Any]) -> Task:
    fields = words.fields_of(given, before, python=current.config().python)
    task = tasks.update(
        db,
        before.id,
        fields,
        now=current.now(),
        actor=current.actor(),
        defaults=current.defaults(),
        expected_version=versions.expected(),
    )
    _run_soon(db, task, given)
    return task


def _run_soon(db: Database, task: Task, given: Mapping[str, Any]) -> None:
    """Do what ToRunAsap asks for."""
    if given.get("ToRunAsap"):
        if not task.enabled:
            raise InputError.of("ToRunAsap", "cannot be asked for a task that is not enabled", "false")
        triggers.run_soon(db, task.id, now=current.now(), actor=current.actor())
    elif "ToRunAsap" in given:
        triggers.forget_soon(db, task.id, now=current.now(), actor=current.actor())


def _listed(found: Iterable[Task]) -> Response:
    return jsonify(_rows(sorted(found, key=lambda task: (not task.enabled, task.owner.lower(), task.name.lower()))))


def _rows(found: Iterable[Task]) -> list[dict[str, object]]:
    soon, hostname, zone = triggers.list_soon(database()), current.config().hostname, current.zone()
    return [words.task_row(task, is_soon=task.id in soon, hostname=hostname, zone=zone) for task in found]
