"""The scheduler as the dashboard's buttons see it, and its heartbeats."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.control import logfile, process
from watchbell.domain.presence import SchedulerState
from watchbell.services import heartbeats
from watchbell.web import current
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.task_dashboard import schemas, words
from watchbell.web.api.task_dashboard.family import blueprint
from watchbell.web.db import database


@blueprint.route("/scheduler/status")
@blueprint.answers(200, schemas.Status)
def status() -> dict[str, object]:
    """Say whether the scheduler works, and since when."""
    found = current.scheduler()
    return {"running": found.is_alive, "start_time": _time(found)}


@blueprint.route("/scheduler/start", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_400="It is running already.", _500="It did not start; the message says why.")
@blueprint.answers(200, schemas.Started)
def start() -> dict[str, object]:
    """Start the scheduler and wait for its first heartbeat, but not for long; the message says if it is still to come."""
    found = process.start(current.config(), database(), actor=current.actor(), timeout=process.ANSWER_SECONDS)
    late = "; its first heartbeat is still to come" if found.state is not SchedulerState.RUNNING else ""
    return {"success": True, "message": f"Scheduler started (PID {found.pid}){late}", "start_time": _time(found)}


@blueprint.route("/scheduler/stop", methods=["POST"])
@idempotent(takes_long=True)
@blueprint.errors(_400="It is not running.", _500="It did not stop; the message says why.")
@blueprint.answers(200, schemas.Done)
def stop() -> dict[str, object]:
    """Stop the scheduler, whoever has started it."""
    outcome = process.stop(current.config(), database(), actor=current.actor())
    return {"success": True, "message": outcome.message}


@blueprint.route("/scheduler/logs")
@blueprint.query(schemas.LinesAsked)
@blueprint.answers(200, schemas.Line(many=True))
def log(asked: dict[str, Any]) -> Response:
    """List the last lines of the scheduler's log, oldest first."""
    rows: list[dict[str, str]] = []
    timestamp, level = "", "INFO"
    for line in logfile.tail(current.config().log_path, asked["limit"]):
        # A line that goes on from the one before has neither a time nor a level of its own.
        timestamp, level = line.timestamp or timestamp, line.level or level
        rows.append({"timestamp": timestamp, "level": level, "message": line.message})
    return jsonify(rows)


@blueprint.route("/heartbeat")
@blueprint.answers(200, schemas.Heartbeat(many=True))
def list_heartbeats() -> Response:
    """List when each user's scheduler on each host was last heard of, the latest first."""
    zone = current.zone()
    return jsonify(
        [
            {
                "InsertedBy": life.scheduler.user,
                "InsertedHost": life.scheduler.host,
                "IsProd": life.scheduler.environment == "production",
                "LastInsertedAt": words.time(life.scheduler.beat_at, zone),
            }
            for life in heartbeats.list_lives(database(), now=current.now())
        ]
    )


def _time(found: process.SchedulerStatus) -> str | None:
    return words.time(found.started_at, current.zone()) if found.is_alive and found.started_at else None
