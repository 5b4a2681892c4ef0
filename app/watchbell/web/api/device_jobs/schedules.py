"""Schedules: orders that are given again and again."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain.carried import Outcome
from watchbell.domain.job_document import read_timeout
from watchbell.domain.presence import SchedulerState
from watchbell.services import carried, carried_moments, fleet_jobs, fleet_schedules
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.web import current
from watchbell.web.api.device_jobs import schedule_schemas as schemas
from watchbell.web.api.device_jobs import words
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.api.idempotency import idempotent
from watchbell.web.db import database

_NO_SCHEDULE = "There is no such schedule."
#: The names on the wire for ours.
_OURS = {"job_name": "name", "job_document": "document"}


@blueprint.route("/jobs/schedules")
@blueprint.query(schemas.SchedulesAsked)
@blueprint.answers(200, schemas.ScheduleList)
def list_schedules(asked: dict[str, Any]) -> Response:
    """List schedules, newest first."""
    found = fleet_schedules.list_all(database(), is_active=asked.get("active"))
    return jsonify(schedules=[words.schedule(one) for one in found], total=len(found))


@blueprint.route("/jobs/schedules", methods=["POST"])
@blueprint.body(schemas.NewSchedule)
@idempotent()
@blueprint.answers(201, schemas.ScheduleTold)
def create_schedule(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a schedule; cron text is read in the server's zone."""
    made_by, zone = words.maker(given), current.config().zone
    given.pop("created_by", None)
    made = fleet_schedules.create(
        database(), _ours(given), now=current.now(), zone=zone, actor=current.actor(), created_by=made_by
    )
    return _told(made, "created"), 201


@blueprint.route("/jobs/schedules/<schedule_id>")
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleShown)
def get_schedule(schedule_id: str) -> Response:
    """Get a schedule."""
    return jsonify(schedule=words.schedule(fleet_schedules.get(database(), schedule_id)))


@blueprint.route("/jobs/schedules/<schedule_id>", methods=["PATCH"])
@blueprint.body(schemas.ScheduleChange)
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleTold)
def update_schedule(given: dict[str, Any], schedule_id: str) -> Response:
    """Change a schedule; another time counts from now on."""
    return _told(
        fleet_schedules.update(database(), schedule_id, _ours(given), now=current.now(), actor=current.actor()),
        "updated",
    )


@blueprint.route("/jobs/schedules/<schedule_id>", methods=["DELETE"])
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleDeleted)
def delete_schedule(schedule_id: str) -> Response:
    """Delete a schedule; the orders that it has given stay."""
    fleet_schedules.delete(database(), schedule_id, now=current.now(), actor=current.actor())
    return jsonify(message="Schedule deleted successfully", scheduleId=schedule_id)


@blueprint.route("/jobs/schedules/<schedule_id>/pause", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleTold)
def pause_schedule(schedule_id: str) -> Response:
    """Let a schedule rest; one that rests already stays so."""
    return _told(
        fleet_schedules.set_active(database(), schedule_id, False, now=current.now(), actor=current.actor()), "paused"
    )


@blueprint.route("/jobs/schedules/<schedule_id>/resume", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleTold)
def resume_schedule(schedule_id: str) -> Response:
    """Let a schedule go on; what was due meanwhile is not made up for."""
    return _told(
        fleet_schedules.set_active(database(), schedule_id, True, now=current.now(), actor=current.actor()), "resumed"
    )


@blueprint.route("/jobs/schedules/<schedule_id>/executions")
@blueprint.query(schemas.LimitAsked)
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.ScheduleExecutions)
def list_schedule_executions(asked: dict[str, Any], schedule_id: str) -> Response:
    """List the orders that a schedule has given, newest first."""
    number = fleet_schedules.get(database(), schedule_id).id
    found = fleet_jobs.list_page(database(), limit=asked["limit"], schedule_id=number)
    return jsonify(scheduleId=schedule_id, executions=[words.execution(one) for one in found], total=len(found))


@blueprint.route("/jobs/schedules/<schedule_id>/devices")
@blueprint.query(schemas.CarriersAsked)
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.Carriers)
def list_schedule_devices(asked: dict[str, Any], schedule_id: str) -> Response:
    """List the devices that carry a schedule, by name: which version, since when, and when each was last heard of."""
    found, total = carried.list_carriers(database(), schedule_id, now=current.now(), **asked)
    version = fleet_schedules.get(database(), schedule_id).version
    return jsonify(scheduleId=schedule_id, version=version, devices=[words.carrier(one) for one in found], total=total)


@blueprint.route("/jobs/schedules/<schedule_id>/moments")
@blueprint.query(schemas.MomentsAsked)
@blueprint.errors(_404=_NO_SCHEDULE)
@blueprint.answers(200, schemas.Moments)
def list_schedule_moments(asked: dict[str, Any], schedule_id: str) -> Response:
    """List what has become of the moments of a schedule on the devices that carry it, those that were due last first."""
    outcome = Outcome(asked.pop("outcome")) if "outcome" in asked else None
    found, total = carried_moments.list_moments(database(), schedule_id, outcome=outcome, **asked)
    return jsonify(scheduleId=schedule_id, moments=[words.carried_moment(one) for one in found], total=total)


@blueprint.route("/jobs/scheduler/status")
@blueprint.answers(200, schemas.SchedulerStatus)
def schedule_status() -> Response:
    """Tell whether somebody gives the orders of schedules, and how many of these there are."""
    active = fleet_schedules.list_all(database(), is_active=True)
    kinds = [one.schedule_type for one in active]
    return jsonify(
        isRunning=current.scheduler().state is SchedulerState.RUNNING,
        activeCronJobs=kinds.count("cron"),
        activeIntervalJobs=kinds.count("interval"),
        totalScheduledJobs=len(active),
        executions={one.schedule_id: one.execution_count for one in active},
    )


def _told(row: FleetSchedule, what: str) -> Response:
    return jsonify(schedule=words.schedule(row), message=f"Schedule {what} successfully")


def _ours(given: dict[str, Any]) -> dict[str, Any]:
    seconds, minutes = given.pop("timeout_seconds", None), given.pop("timeout_minutes", None)
    fields = {_OURS.get(name, name): value for name, value in given.items()}
    if seconds is not None or minutes is not None:
        fields["timeout_seconds"] = read_timeout(seconds, minutes)
    return fields
