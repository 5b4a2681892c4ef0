"""The scheduler: what it does, starting and stopping it, its log, and what it has told of itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response

from watchbell.control import logfile, process
from watchbell.domain.presence import SchedulerState, Tier
from watchbell.services import audit, heartbeats, incidents
from watchbell.web import current, log_lines
from watchbell.web.api import fields
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database

_STATUS_FIELDS = (
    *("state", "message", "since", "pid", "host", "user", "version", "environment", "session_id", "incarnation"),
    *("started_at", "beat_at", "running"),
)
_INCIDENT_FIELDS = ("id", "at", "kind", "message", "host", "data")
_HIGHEST_OFFSET = 2**62


class Status(fields.Schema):
    """What the scheduler does."""

    state = fields.Word(list(SchedulerState), required=True)
    message = fields.Text(required=True, metadata={"example": "Running since 2026-11-29 08:00:00."})
    since = fields.Moment(required=True, allow_none=True)
    pid = fields.Whole(required=True, allow_none=True)
    host = fields.Text(required=True)
    user = fields.Text(required=True)
    version = fields.Text(required=True)
    environment = fields.Text(required=True)
    session_id = fields.Text(required=True)
    incarnation = fields.Text(required=True, metadata={"description": "Another one for each life of a scheduler."})
    started_at = fields.Moment(required=True, allow_none=True)
    beat_at = fields.Moment(required=True, allow_none=True)
    running = fields.Whole(required=True, metadata={"description": "Commands that go on."})
    tick_age_seconds = fields.Number(required=True, allow_none=True, metadata={"description": "Since its loop turned."})


class Stopped(fields.Schema):
    """How a stop went."""

    pid = fields.Whole(required=True)
    still_running = fields.Whole(required=True, metadata={"description": "Commands that go on without it."})
    message = fields.Text(required=True)


class LogAsked(fields.Schema):
    """Which part of the log."""

    lines = fields.limit(log_lines.LINES, log_lines.LINES_MOST)
    offset = fields.Whole(
        texts=True,
        validate=fields.between(0, _HIGHEST_OFFSET),
        metadata={"description": "Only what was written after it: the `offset` of the answer before."},
    )
    level = fields.Word(list(log_lines.LEVELS), load_default="all", metadata={"description": "This level or above."})


class LogLine(fields.Schema):
    """One line of the log."""

    level = fields.Text(required=True, metadata={"example": "INFO"})
    text = fields.Text(required=True)
    timestamp = fields.Text(
        required=True, metadata={"description": "Empty in a line that goes on from the one before."}
    )


class Log(fields.Schema):
    """Lines of the log, the oldest first."""

    items = fields.Many(fields.Nested(LogLine), required=True)
    offset = fields.Whole(required=True, metadata={"description": "Where to go on."})
    is_fresh = fields.Flag(required=True, metadata={"description": "Whether the log has begun anew since the offset."})


class Cleared(fields.Schema):
    """What clearing the log has done."""

    was_there = fields.Flag(required=True)


class Heartbeat(fields.Schema):
    """Who proves to be alive: one user at one host in one environment, by its newest scheduler."""

    incarnation = fields.Text(required=True)
    user = fields.Text(required=True)
    host = fields.Text(required=True)
    environment = fields.Text(required=True)
    session_id = fields.Text(required=True)
    version = fields.Text(required=True)
    pid = fields.Whole(required=True)
    running = fields.Whole(required=True)
    load_average = fields.Number(
        required=True, allow_none=True, metadata={"description": "Of its machine, the average of the last minute."}
    )
    leads = fields.Flag(
        required=True, metadata={"description": "Whether it does what is done once for all schedulers."}
    )
    started_at = fields.Moment(required=True)
    beat_at = fields.Moment(required=True)
    stopped_at = fields.Moment(required=True, allow_none=True)
    tier = fields.Word(list(Tier), required=True)
    words = fields.Text(required=True)


class Heartbeats(fields.Schema):
    """All of them, the one that beat last first."""

    items = fields.Many(fields.Nested(Heartbeat), required=True)


class Incident(fields.Schema):
    """One thing that befell a scheduler."""

    id = fields.Whole(required=True)
    at = fields.Moment(required=True)
    kind = fields.Text(required=True, metadata={"example": "clock_set_back"})
    message = fields.Text(required=True)
    host = fields.Text(required=True)
    data = fields.Shaped({"type": "object"}, required=True)


class IncidentPage(fields.Schema):
    """A page of incidents, the newest first."""

    items = fields.Many(fields.Nested(Incident), required=True)
    next = schemas.following("before")


@blueprint.route("/scheduler")
@blueprint.answers(200, Status)
def get_scheduler() -> Response:
    """Say what the scheduler does."""
    return _told(current.scheduler())


@blueprint.route("/scheduler/start", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_409="It runs already.", _500="It did not start; `detail` says why.")
@blueprint.answers(200, Status)
def start_scheduler() -> Response:
    """Start the scheduler and wait for its first heartbeat, at most ten seconds; a slower one is `starting`."""
    return _told(process.start(current.config(), database(), actor=current.actor(), timeout=process.ANSWER_SECONDS))


@blueprint.route("/scheduler/stop", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_409="It does not run.", _500="It did not end in time.")
@blueprint.answers(200, Stopped)
def stop_scheduler() -> Response:
    """Stop the scheduler, whoever started it; commands go on and are looked after by the next one."""
    found = process.stop(current.config(), database(), actor=current.actor())
    return answers.answer({"pid": found.pid, "still_running": found.still_running, "message": found.message})


@blueprint.route("/scheduler/restart", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_500="It did not end in time, or did not start.")
@blueprint.answers(200, Status)
def restart_scheduler() -> Response:
    """Stop the scheduler if it runs, and start it; running commands go on, and a slow start is `starting`."""
    return _told(process.restart(current.config(), database(), actor=current.actor(), timeout=process.ANSWER_SECONDS))


@blueprint.route("/scheduler/log")
@blueprint.query(LogAsked)
@blueprint.answers(200, Log)
def get_log(asked: dict[str, Any]) -> Response:
    """Get the last lines of the scheduler's log, or those that were written after an offset."""
    if "offset" in asked:
        lines, offset, is_fresh = log_lines.after(asked["offset"])
    else:
        (lines, offset), is_fresh = log_lines.newest(asked["lines"]), True
    items = [dataclasses.asdict(line) for line in log_lines.filtered(lines, asked["level"])]
    return answers.answer({"items": items, "offset": offset, "is_fresh": is_fresh})


@blueprint.route("/scheduler/log/clear", methods=["POST"])
@blueprint.answers(200, Cleared)
def clear_log() -> Response:
    """Empty the scheduler's log."""
    was_there = logfile.clear(current.config().log_path)
    audit.note_alone(database(), "log.clear", "log:scheduler", now=current.now(), actor=current.actor())
    return answers.answer({"was_there": was_there})


@blueprint.route("/heartbeats")
@blueprint.answers(200, Heartbeats)
def list_heartbeats() -> Response:
    """List who proves to be alive."""
    return answers.answer(
        {"items": [heartbeats.told(life) for life in heartbeats.list_lives(database(), now=current.now())]}
    )


@blueprint.route("/incidents")
@blueprint.query(schemas.OlderAsked)
@blueprint.answers(200, IncidentPage)
def list_incidents(asked: dict[str, Any]) -> Response:
    """List what befell the schedulers: clocks that were set, suspends, a database that did not answer; the newest first."""
    limit = asked["limit"]
    found = incidents.list_newest(database(), limit + 1, before_id=asked.get("before"))
    items = [{name: getattr(one, name) for name in _INCIDENT_FIELDS} for one in found[:limit]]
    return answers.page(items, ("before", str(found[limit - 1].id)) if len(found) > limit else None)


def _told(found: process.SchedulerStatus) -> Response:
    told = {name: getattr(found, name) for name in _STATUS_FIELDS}
    return answers.answer({**told, "tick_age_seconds": found.tick_age})
