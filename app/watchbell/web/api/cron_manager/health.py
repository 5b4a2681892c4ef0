"""Whether all is well, for load balancers and monitors that have no account."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.control import readiness
from watchbell.domain.presence import SchedulerState
from watchbell.store.hearing import Way
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.cron_manager.family import blueprint
from watchbell.web.db import database


class Health(fields.Schema):
    """Whether all is well."""

    status = fields.Word(["healthy", "unhealthy"], required=True)
    timestamp = fields.Moment(required=True)
    scheduler = fields.Word(list(SchedulerState), required=True)
    database = fields.Text(
        required=True, metadata={"description": "What is wrong with it, if anything is.", "example": "ok"}
    )
    changes = fields.Word(
        list(Way),
        required=True,
        allow_none=True,
        metadata={
            "description": "How changes that others make are heard of: by a mark of the embedded database, told by the "
            "server, or asked for, because a pooler does not carry what the server tells."
        },
    )
    tick_age_seconds = fields.Number(
        required=True, allow_none=True, metadata={"description": "Since the scheduler's loop turned last."}
    )


class Live(fields.Schema):
    """That the process answers."""

    status = fields.Word(["live"], required=True)


class ReadyAsked(fields.Schema):
    """Whose readiness."""

    of = fields.Word(
        ["all", "web"],
        load_default="all",
        metadata={"description": "web: of pages and API alone, whatever the scheduler does."},
    )


class Ready(fields.Schema):
    """What is there of all that is needed."""

    status = fields.Word(["ready", "waiting"], required=True)
    database = fields.Flag(required=True, metadata={"description": "It answers."})
    schema = fields.Flag(required=True, metadata={"description": "It was migrated for this version."})
    scheduler = fields.Flag(required=True, metadata={"description": "One has given a heartbeat lately."})


@blueprint.route("/health/live")
@blueprint.answers(200, Live)
def live() -> Response:
    """Say that the process answers; nothing else is asked, so that a sick database restarts no web process."""
    return jsonify(status="live")


@blueprint.route("/health/ready")
@blueprint.query(ReadyAsked)
@blueprint.answers(200, Ready)
@blueprint.answers(503, Ready, description="Something is not there yet, or not any more.")
def ready(asked: dict[str, Any]) -> Response:
    """Say whether work can begin: the database answers, it was migrated, and a scheduler works.

    Balancers before several web processes ask for `of=web`: without a scheduler the page has to be reached all the more.
    """
    found = readiness.look(database(), current.scheduler)
    is_ready = found.web and (found.scheduler or asked["of"] == "web")
    answer = jsonify(
        status="ready" if is_ready else "waiting",
        database=found.database,
        schema=found.schema,
        scheduler=found.scheduler,
    )
    answer.status_code = 200 if is_ready else 503
    return answer


@blueprint.route("/health")
@blueprint.answers(200, Health)
@blueprint.answers(503, Health, description="The database does not do its work, or the scheduler has failed.")
def health() -> Response:
    """Say whether all is well.

    A scheduler that was never started, or that ended in good order, is told in the body but is no fault.
    """
    found = current.health()
    age = None if found.tick_age is None else round(found.tick_age, 1)
    answer = jsonify(
        status="healthy" if found.is_well else "unhealthy",
        timestamp=current.now().isoformat(),
        scheduler=str(found.scheduler.state),
        database=found.database,
        changes=found.changes,
        tick_age_seconds=age,
    )
    answer.status_code = 200 if found.is_well else 503
    return answer
