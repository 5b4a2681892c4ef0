"""Tasks: lists, definitions, and whether they are enabled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, url_for

from watchbell.domain import policies
from watchbell.errors import InputError, NotFound, Problem, VersionConflict
from watchbell.services import pauses, runs, task_lists, tasks
from watchbell.services.task_lists import Place, TaskFilter
from watchbell.store.tasks import Task
from watchbell.web import current
from watchbell.web.api import parsing, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, task_schemas, words
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.api.parsing import RequestInvalid
from watchbell.web.db import database

NO_TASK = "There is no such task."
_TAKEN = "There is a task of that name."
STALE = "The task is not the version that If-Match names any more; `current` is it as it is now."
NO_VERSION = "If-Match is missing."


@blueprint.route("/tasks")
@blueprint.query(task_schemas.TasksAsked)
@blueprint.answers(200, task_schemas.TaskPage)
def list_tasks(asked: dict[str, Any]) -> Response:
    """List tasks."""
    sort = asked["sort"].removeprefix("-")
    after = _place(asked["after"], sort) if asked.get("after") else None
    found = task_lists.list_page(
        database(),
        filter_of(asked),
        sort=sort,
        descending=asked["sort"].startswith("-"),
        after=after,
        limit=asked["limit"],
    )
    leads_on = ("after", answers.to_cursor(found.following)) if found.following is not None else None
    return answers.page(_told(found.tasks), leads_on, total=found.total)


@blueprint.route("/tasks", methods=["POST"])
@blueprint.body(task_schemas.NewTask)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, task_schemas.Task)
def create_task(given: dict[str, Any]) -> Response:
    """Make a task."""
    task = tasks.create(
        database(), to_fields(given), now=current.now(), actor=current.actor(), defaults=current.defaults()
    )
    return made(task)


@blueprint.route("/tasks/<number:task_id>")
@blueprint.errors(_404=NO_TASK, _422="This is not a number.")
@blueprint.answers(200, task_schemas.Task)
def get_task(task_id: str) -> Response:
    """Get a task."""
    return shown(tasks.get(database(), parsing.path_id("task_id", task_id)))


@blueprint.route("/tasks/<number:task_id>", methods=["PATCH"])
@blueprint.body(task_schemas.TaskChange)
@versions.needed
@blueprint.errors(_404=NO_TASK, _409=_TAKEN, _412=STALE, _428=NO_VERSION)
@blueprint.answers(200, task_schemas.Task)
def update_task(given: dict[str, Any], task_id: str) -> Response:
    """Change a task: what is not named stays as it is."""
    number, expected = parsing.path_id("task_id", task_id), versions.required()
    try:
        changed = tasks.update(
            database(),
            number,
            to_fields(given),
            now=current.now(),
            actor=current.actor(),
            defaults=current.defaults(),
            expected_version=expected,
        )
    except VersionConflict as error:
        raise stale(error, number) from None
    return shown(changed)


@blueprint.route("/tasks/<number:task_id>", methods=["DELETE"])
@versions.needed
@blueprint.errors(_404=NO_TASK, _412=STALE, _422="This is not a number.", _428=NO_VERSION)
@blueprint.answers(204)
def delete_task(task_id: str) -> Response:
    """Delete a task; its runs stay in the history, and those that wait are cancelled."""
    number, expected = parsing.path_id("task_id", task_id), versions.required()
    try:
        tasks.delete(database(), number, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise stale(error, number) from None
    return answers.nothing()


@blueprint.route("/tasks/<number:task_id>/copy", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_TASK, _409="The account owns as many tasks as it may.", _422="This is not a number.")
@blueprint.answers(201, task_schemas.Task)
def copy_task(task_id: str) -> Response:
    """Make a disabled copy of a task under a free name."""
    number = parsing.path_id("task_id", task_id)
    return made(tasks.copy(database(), number, now=current.now(), actor=current.actor()))


@blueprint.route("/tasks/<number:task_id>/enable", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_TASK, _422="This is not a number.")
@blueprint.answers(200, task_schemas.Task)
def enable_task(task_id: str) -> Response:
    """Enable a task; one that is enabled stays so. Moments that have passed meanwhile are not made up for."""
    return _set_enabled(task_id, enabled=True)


@blueprint.route("/tasks/<number:task_id>/disable", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_TASK, _422="This is not a number.")
@blueprint.answers(200, task_schemas.Task)
def disable_task(task_id: str) -> Response:
    """Disable a task: it does not start by itself any more."""
    return _set_enabled(task_id, enabled=False)


def _set_enabled(task_id: str, *, enabled: bool) -> Response:
    number = parsing.path_id("task_id", task_id)
    return shown(tasks.set_enabled(database(), number, enabled, now=current.now(), actor=current.actor()))


def filter_of(asked: dict[str, Any]) -> TaskFilter:
    """Return the filter that arguments or a body ask for; an empty text asks for nothing."""
    return TaskFilter(
        search=asked.get("search", ""),
        enabled=asked.get("enabled"),
        **{name: asked.get(name) or None for name in ("owner", "team", "host", "tag", "queue")},
    )


def shown(task: Task) -> Response:
    """Return a task under its version."""
    versions.note(task.version)
    (told,) = _told([task])
    return answers.answer(told)


def made(task: Task) -> Response:
    """Return a task that was just made, and where it is."""
    response = shown(task)
    response.status_code = 201
    response.headers["Location"] = url_for("native.get_task", task_id=task.id)
    return response


def _told(found: Sequence[Task]) -> list[dict[str, object]]:
    busy = runs.list_busy_tasks(database())
    paused = {pause.scope: pause for pause in pauses.list_all(database(), now=current.now())}
    return [words.task(task, busy=busy, paused=paused) for task in found]


def stale(error: VersionConflict, task_id: int) -> VersionConflict:
    """Return the error with the task as it is now."""
    try:
        (told,) = _told([tasks.get(database(), task_id)])
    except NotFound:
        # Deleted between the two looks.
        return error
    return Stale(error.message, answers.plain(told))


def to_fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body as a definition is made of them: nothing in place of a number gives it up."""
    return {name: "" if value is None and name in policies.OPTIONAL else value for name, value in given.items()}


def _place(cursor: str, sort: str) -> Place:
    value, name, task_id = answers.from_cursor(cursor, 3)
    try:
        return task_lists.place(sort, value, name, task_id)
    except InputError:
        raise RequestInvalid("query", Problem("after", "must be the next of a page in this order")) from None
