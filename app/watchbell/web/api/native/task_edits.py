"""The same values for many tasks."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response

from watchbell.errors import InputError, VersionRequired
from watchbell.services import bulk, bulk_edits, simulation, task_lists
from watchbell.services.bulk_edits import Changes, Overtaken
from watchbell.services.simulation import Edit
from watchbell.web import current, foreseeing
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, task_edit_schemas
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.api.native.tasks import filter_of, to_fields
from watchbell.web.db import database

_NO_TASK = "One of the tasks is not there."
_STALE = "Some of the tasks are not the versions that were named any more; `current` names them. Nothing was changed."


@blueprint.route("/tasks/edit", methods=["POST"])
@blueprint.body(task_edit_schemas.TaskEdit)
@idempotent()
@blueprint.errors(
    _404=_NO_TASK,
    _409="One of them would belong to somebody who owns as many tasks as they may.",
    _412=_STALE,
    _428="A version is missing.",
)
@blueprint.answers(200, task_edit_schemas.EditResult)
def edit_tasks(given: dict[str, Any]) -> Response:
    """Give many tasks the same values, in one transaction: all of them or, if one refuses, none.

    Each task is named with the version that the edit is based on, so that nobody's change is lost; a dry run tells these
    versions, what would change of each task, and which runs of the next 30 days would come, go or move.
    """
    changes, ids = _changes(given), _ids(given)
    try:
        return _act(given, ids, changes)
    except InputError as error:
        inside = set(changes.fields)
        problems = (
            dataclasses.replace(problem, field=f"set.{problem.field}") if problem.field in inside else problem
            for problem in error.problems
        )
        raise InputError(*problems) from None


@blueprint.route("/tasks/edit/undo", methods=["POST"])
@blueprint.body(task_edit_schemas.EditsToUndo)
@idempotent()
@blueprint.answers(200, task_edit_schemas.EditUndone)
def undo_edit(given: dict[str, Any]) -> Response:
    """Give the tasks of an edit back what they had before; those that somebody has changed since are left alone and named."""
    done = list(map(bulk_edits.edited_of, given["items"]))
    found = bulk_edits.undo(database(), done, now=current.now(), actor=current.actor())
    return answers.answer({"restored": list(found.names), "left": list(found.left)})


def _act(given: dict[str, Any], ids: list[int], changes: Changes) -> Response:
    asking: dict[str, Any] = {"now": current.now(), "defaults": current.defaults()}
    if given["dry_run"]:
        planned = bulk_edits.plan_definitions(database(), ids, changes, **asking)
        wanted = [Edit(task, definition) for task, definition in planned]
        found = simulation.of_edits(database(), wanted, now=current.now(), moments=foreseeing.moments())
        return _answer(bulk_edits.told(planned), simulation.told(found))
    try:
        done = bulk_edits.apply(database(), ids, changes, actor=current.actor(), versions=_versions(given), **asking)
    except Overtaken as error:
        now = [{"task_id": number, "name": name, "version": version} for number, name, version in error.now]
        raise Stale(error.message, {"items": now}) from None
    return _answer(done, None)


def _changes(given: dict[str, Any]) -> Changes:
    found = Changes(to_fields(given["set"]), given["add_tags"], given["remove_tags"], given["parameter_defaults"])
    if found.is_empty:
        raise InputError.of("set", "say what is to be changed", '{"zone": "Europe/Berlin"}')
    return found


def _ids(given: dict[str, Any]) -> list[int]:
    if ("tasks" in given) == ("filter" in given):
        raise InputError.of("tasks", "give either tasks or filter", '[{"id": 7, "version": 3}]')
    if "tasks" in given:
        return [one["id"] for one in given["tasks"]]
    if not given["dry_run"]:
        raise VersionRequired(
            "a filter names no versions: ask with dry_run first, and name the tasks that it tells with their versions"
        )
    found = task_lists.list_names(database(), filter_of(given["filter"]), bulk.MOST_TASKS + 1)
    if len(found) > bulk.MOST_TASKS:
        raise InputError.of("filter", f"chooses more than {bulk.MOST_TASKS} tasks")
    if not found:
        raise InputError.of("filter", "chooses no task")
    return list(found)


def _versions(given: dict[str, Any]) -> dict[int, int]:
    missing = next((one["id"] for one in given["tasks"] if one["version"] is None), None)
    if missing is not None:
        raise VersionRequired(f"say which version of task {missing} you have seen, so that nobody's change is lost")
    return {one["id"]: one["version"] for one in given["tasks"]}


def _answer(done: list[bulk_edits.Edited], effect: dict[str, Any] | None) -> Response:
    items = list(map(bulk_edits.told_of, done))
    changed = sum(bool(edited.differences) for edited in done)
    return answers.answer({"dry_run": effect is not None, "changed": changed, "items": items, "simulation": effect})
