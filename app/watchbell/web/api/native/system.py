"""The installation as a whole: what there is, whether all is well, what comes next, and what a person should look at."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, current_app

from watchbell.domain import schedule as schedules
from watchbell.domain.presence import SchedulerState
from watchbell.domain.run_state import RunState
from watchbell.services import attention, decisions, runs, upcoming
from watchbell.services.attention import Trouble
from watchbell.store.hearing import Way
from watchbell.version import __version__
from watchbell.web import current, run_list
from watchbell.web.api import fields
from watchbell.web.api.native import answers, run_schemas, schemas, task_schemas, words
from watchbell.web.api.native.family import FAMILY, blueprint
from watchbell.web.db import database

#: A variable part of an address, as the routes have it.
_PART = re.compile(r"<(?:\w+:)?(\w+)>")
_MOST_HOURS = 24 * 31


class Place(fields.Schema):
    """One address."""

    method = fields.Text(required=True, metadata={"example": "GET"})
    path = fields.Text(required=True, metadata={"example": "/api/v2/tasks"})
    summary = fields.Text(required=True, metadata={"example": "List tasks."})


class Index(fields.Schema):
    """What there is."""

    document = fields.Text(required=True, metadata={"description": "Where the OpenAPI document is."})
    items = fields.Many(fields.Nested(Place), required=True)


class Version(fields.Schema):
    """Which version serves."""

    version = fields.Text(required=True)


class Health(fields.Schema):
    """Whether all is well."""

    is_well = fields.Flag(required=True)
    scheduler = fields.Word(list(SchedulerState), required=True)
    database = fields.Text(required=True, metadata={"description": "ok, or what is wrong.", "example": "ok"})
    changes = fields.Word(
        list(Way), required=True, allow_none=True, metadata={"description": "How changes of others are heard of."}
    )
    engine = fields.Word(
        ["ok", "late", "unused"],
        required=True,
        metadata={"description": "Whether runs of queues that workers carry go as they should.", "example": "unused"},
    )
    tick_age_seconds = fields.Number(required=True, allow_none=True)


class TroubleTold(fields.Schema):
    """A task whose newest result is not a good one."""

    run = fields.Nested(run_schemas.Run, required=True)
    since = fields.Moment(required=True)
    in_a_row = fields.Whole(required=True)
    is_long = fields.Flag(
        required=True, metadata={"description": "Whether there may be more in a row than were counted."}
    )


class Troubles(fields.Schema):
    """The tasks that a person should look at, the newest trouble first."""

    items = fields.Many(fields.Nested(TroubleTold), required=True)
    open_decisions = fields.Whole(required=True, metadata={"description": "Lost runs that wait for a decision."})


class Overview(fields.Schema):
    """The numbers of the first page."""

    total_tasks = fields.Whole(required=True)
    enabled_tasks = fields.Whole(required=True)
    today = fields.Mapped(
        required=True,
        keys=fields.Word(list(RunState)),
        values=fields.Whole(),
        metadata={"description": "Occurrences of today, in the server's zone, by state.", "example": {"succeeded": 12}},
    )
    running = fields.Many(fields.Nested(run_schemas.Run), required=True)
    waiting = fields.Many(fields.Nested(run_schemas.Run), required=True)
    recent = fields.Many(fields.Nested(run_schemas.Run), required=True)
    troubles = fields.Whole(required=True, metadata={"description": "Tasks that need attention."})
    open_decisions = fields.Whole(required=True)
    scheduler = fields.Word(list(SchedulerState), required=True)


class NextRun(task_schemas.Moment):
    """A moment at which a task is due."""

    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)


class NextRuns(fields.Schema):
    """What comes, the next first."""

    items = fields.Many(fields.Nested(NextRun), required=True)


class NextRunsAsked(fields.Schema):
    """What comes within which time."""

    hours = fields.Whole(texts=True, load_default=24, validate=fields.between(1, _MOST_HOURS), metadata={"example": 24})
    limit = schemas.limit()


@blueprint.route("")
@blueprint.answers(200, Index)
def index() -> Response:
    """Say what there is."""
    found = sorted(
        (_PART.sub(r"{\1}", rule.rule), method, current_app.view_functions[rule.endpoint].__doc__ or "")
        for rule in current_app.url_map.iter_rules()
        if rule.endpoint.startswith(f"{FAMILY.name}.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )
    items = [{"method": method, "path": path, "summary": told.partition("\n")[0]} for path, method, told in found]
    return answers.answer({"document": "/openapi.json", "items": items})


@blueprint.route("/version")
@blueprint.answers(200, Version)
def version() -> Response:
    """Say which version serves."""
    return answers.answer({"version": __version__})


@blueprint.route("/health")
@blueprint.answers(503, Health, description="The database or the scheduler does not do its work.")
@blueprint.answers(200, Health)
def health() -> Response:
    """Say whether all is well, to everybody."""
    found = current.health()
    body = {
        "is_well": found.is_well,
        "scheduler": found.scheduler.state,
        "database": found.database,
        "engine": found.engine_word,
        "changes": found.changes,
    }
    return answers.answer({**body, "tick_age_seconds": found.tick_age}, 200 if found.is_well else 503)


@blueprint.route("/overview")
@blueprint.answers(200, Overview)
def overview() -> Response:
    """Get the numbers of the first page, and what runs, waits and has just been."""
    db, now = database(), current.now()
    found = runs.overview(db, day_start=run_list.day_start(now, current.zone()))
    lists = {name: [words.run(run) for run in getattr(found, name)] for name in ("running", "waiting", "recent")}
    return answers.answer(
        {
            "total_tasks": found.total_tasks,
            "enabled_tasks": found.enabled_tasks,
            "today": found.today,
            **lists,
            "troubles": len(attention.list_troubles(db, now=now)),
            "open_decisions": decisions.count_open(db),
            "scheduler": current.scheduler().state,
        }
    )


@blueprint.route("/attention")
@blueprint.answers(200, Troubles)
def list_troubles() -> Response:
    """List the tasks whose newest result was not a good one."""
    found = attention.list_troubles(database(), now=current.now())
    return answers.answer(
        {"items": [_trouble(trouble) for trouble in found], "open_decisions": decisions.count_open(database())}
    )


@blueprint.route("/next-runs")
@blueprint.query(NextRunsAsked)
@blueprint.answers(200, NextRuns)
def list_next_runs(asked: dict[str, Any]) -> Response:
    """List the next moments of all enabled tasks, in their order."""
    found = upcoming.list_upcoming(database(), now=current.now(), limit=asked["limit"], hours=asked["hours"])
    items = [
        {**words.moment(moment, schedules.from_json(task.schedule)), "task_id": task.id, "task_name": task.name}
        for task, moment in found
    ]
    return answers.answer({"items": items})


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        "run": words.run(trouble.run),
        "since": trouble.since,
        "in_a_row": trouble.in_a_row,
        "is_long": trouble.is_long,
    }
