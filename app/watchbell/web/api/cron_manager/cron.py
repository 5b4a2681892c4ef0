"""Starting and stopping the pipeline, and what it has written to its log."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.control import cron_control
from watchbell.control.cron_control import Answer
from watchbell.services import cron_task
from watchbell.version import __version__
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.cron_manager.family import blueprint
from watchbell.web.api.idempotency import idempotent
from watchbell.web.db import database

_TAIL_LINES = 50
_MOST_LINES = 1_000_000
_LINES = fields.Whole(
    texts=True,
    validate=fields.between(-_MOST_LINES, _MOST_LINES),
    metadata={"description": "How many of the last lines; 0 or less for all.", "example": 20},
)
_ENDPOINTS = {
    "start": "POST /api/cron/start",
    "stop": "POST /api/cron/stop",
    "status": "GET /api/cron/status",
    "logs": "GET /api/cron/logs",
    "tail": "GET /api/cron/logs/tail",
    "clear": "DELETE /api/cron/logs",
    "health": "GET /health",
}


class Index(fields.Schema):
    """What there is."""

    name = fields.Text(required=True)
    version = fields.Text(required=True)
    description = fields.Text(required=True)
    endpoints = fields.Shaped({"type": "object", "additionalProperties": {"type": "string"}}, required=True)


class Start(fields.Schema):
    """How often the pipeline runs."""

    interval_seconds = fields.Whole(
        texts=True,
        load_default=cron_task.DEFAULT_SECONDS,
        metadata={"description": f"From {cron_task.LEAST_SECONDS} on, honoured to the second.", "example": 60},
    )


class Outcome(fields.Schema):
    """What was done, or why there was nothing to do."""

    success = fields.Flag(required=True)
    message = fields.Text(
        required=True, metadata={"example": "Daemon started successfully with interval: 60 seconds (PID: 12345)"}
    )
    timestamp = fields.Moment(required=True)


class Status(fields.Schema):
    """Whether the daemon runs."""

    is_running = fields.Flag(required=True)
    pid = fields.Whole(required=True, allow_none=True, metadata={"example": 12345})
    message = fields.Text(required=True)


class LogsAsked(fields.Schema):
    """How much of the log."""

    lines = _LINES


class Logs(fields.Schema):
    """The log as one text."""

    logs = fields.Text(required=True)
    line_count = fields.Whole(required=True, metadata={"description": "Real lines: the last break begins none."})


@blueprint.route("/api/cron")
@blueprint.answers(200, Index)
def index() -> dict[str, object]:
    """Tell what there is."""
    description = "Starts, stops and watches the pipeline."
    return {
        "name": "Pipeline Cron Manager",
        "version": __version__,
        "description": description,
        "endpoints": _ENDPOINTS,
    }


@blueprint.route("/api/cron/start", methods=["POST"])
@blueprint.body(Start)
@idempotent(takes_long=True)
@blueprint.errors(_400="The interval is too short, or there is no pipeline.", _500="The scheduler did not start.")
@blueprint.answers(200, Outcome)
def start(given: dict[str, Any]) -> dict[str, object]:
    """Run the pipeline at once and then at an interval; one that runs already is left as it is."""
    seconds, now = given["interval_seconds"], current.now()
    return _told(cron_control.start(current.config(), database(), seconds, now=now, actor=current.actor()))


@blueprint.route("/api/cron/stop", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_500="The scheduler did not stop.")
@blueprint.answers(200, Outcome)
def stop() -> dict[str, object]:
    """Stop the daemon, which is the scheduler; a step that goes on is not ended by it."""
    return _told(cron_control.stop(current.config(), database(), now=current.now(), actor=current.actor()))


@blueprint.route("/api/cron/status")
@blueprint.answers(200, Status)
def status() -> dict[str, object]:
    """Say whether the daemon runs."""
    found = cron_control.status(current.config(), database(), now=current.now())
    return {"is_running": found.is_running, "pid": found.pid, "message": found.message}


@blueprint.route("/api/cron/logs")
@blueprint.query(LogsAsked)
@blueprint.answers(200, Logs)
def logs(asked: dict[str, int]) -> dict[str, object]:
    """Get the log of the pipeline."""
    found = cron_control.logs(current.config(), database(), lines=asked.get("lines"))
    return {"logs": found.text or cron_control.NOTHING_YET, "line_count": len(found.lines)}


@blueprint.route("/api/cron/logs/tail")
@blueprint.query(LogsAsked)
@blueprint.answers(200, {"type": "string"}, content_type="text/plain")
def tail(asked: dict[str, int]) -> Response:
    """Get the end of the log as plain text: 50 lines unless another number is asked for."""
    found = cron_control.logs(current.config(), database(), lines=asked.get("lines", _TAIL_LINES))
    return Response(found.text, mimetype="text/plain")


@blueprint.route("/api/cron/logs", methods=["DELETE"])
@blueprint.answers(200, Outcome)
def clear() -> dict[str, object]:
    """Show nothing of the log from before now any more; no run is deleted."""
    return _told(cron_control.clear_logs(current.config(), database(), now=current.now(), actor=current.actor()))


def _told(answer: Answer) -> dict[str, object]:
    timestamp = current.now().astimezone(current.zone())
    return {"success": answer.success, "message": answer.message, "timestamp": timestamp}
