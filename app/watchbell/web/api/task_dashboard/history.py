"""Rows of Task_Scheduled and Log_Task_Scheduler: what comes next, and what was."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.services import heartbeats, runs, upcoming
from watchbell.web import current
from watchbell.web.api.task_dashboard import schemas, words
from watchbell.web.api.task_dashboard.family import blueprint
from watchbell.web.db import database


@blueprint.route("/scheduled")
@blueprint.query(schemas.Whose)
@blueprint.answers(200, schemas.Scheduled(many=True))
def list_scheduled(asked: dict[str, str]) -> Response:
    """List what is due within a day, the next one first."""
    owner, teams, host = _whose(asked)
    zone, now, session = current.zone(), current.now(), current.scheduler().session_id or None
    found = [
        (task, occurrence)
        for task, occurrence in upcoming.list_upcoming(database(), now=now, limit=schemas.MOST_ROWS)
        if (task.owner.lower() == owner.lower() or task.team in teams)
        and task.host.lower() in {"", host.lower()}
        and not occurrence.is_left_out
    ]
    rows = [
        words.scheduled_row(number, task, occurrence, now=now, host=host, session=session, zone=zone)
        for number, (task, occurrence) in enumerate(found, 1)
    ]
    return jsonify(rows)


@blueprint.route("/logs")
@blueprint.query(schemas.LogsAsked)
@blueprint.answers(200, schemas.LogRow(many=True))
def list_logs(asked: dict[str, Any]) -> Response:
    """List the runs of a user's tasks on a host, newest first."""
    owner, teams, host = _whose(asked)
    found = runs.list_rows_of_owner(database(), owner, teams=teams, limit=asked["limit"])
    lives = heartbeats.find_all(database(), {row.holder for row in found.runs if row.holder})
    zone = current.zone()
    rows = [
        words.log_row(row, found.tasks.get(row.task_id), lives.get(row.holder or ""), hostname=host, zone=zone)
        for row in found.runs
    ]
    return jsonify([row for row in rows if str(row["InsertedHost"]).lower() == host.lower()])


def _whose(asked: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    """Return the owner, the teams, which are those of whoever asks for nobody else's, and the host."""
    host = asked.get("host") or current.config().hostname
    return (asked["user"], (), host) if asked.get("user") else (*current.mine(), host)
