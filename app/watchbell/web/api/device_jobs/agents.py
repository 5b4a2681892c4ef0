"""What devices call: asking for jobs, reporting of them, and fetching handlers. A device speaks for itself alone."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain.fleet_state import from_wire
from watchbell.errors import NotAllowed
from watchbell.services import device_jobs, devices, job_handlers
from watchbell.services.device_jobs import RESULT_FIELDS, Report
from watchbell.web import current
from watchbell.web.api.device_jobs import device_schemas, schemas, words
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.db import database
from watchbell.web.throttle import require_patience

_NO_DEVICE = "There is no such device."
_TOO_OFTEN = "It asks too often; `Retry-After` says when it may again."


@blueprint.route("/devices/<device:uuid>/jobs/next")
@blueprint.errors(_404=_NO_DEVICE, _429=_TOO_OFTEN)
@blueprint.answers(200, device_schemas.NextJob)
def next_job(uuid: str) -> Response:
    """Get what the device is to do: what it holds already, else the oldest of the most urgent that wait for it."""
    _require_own(uuid)
    return jsonify(words.poll(device_jobs.poll(database(), uuid, now=current.now())))


@blueprint.route("/devices/<device:uuid>/jobs/<job_id>/status", methods=["PATCH"])
@blueprint.body(device_schemas.NewReport)
@blueprint.errors(
    _404="The device has no such job.",
    _409="This cannot follow what the job is, which `current` says; of a job that has ended it is kept beside it.",
    _429=_TOO_OFTEN,
)
@blueprint.answers(200, device_schemas.DeviceJob)
def report(given: dict[str, Any], uuid: str, job_id: str) -> Response:
    """Report of a job; the same report again is answered as before and changes nothing."""
    _require_own(uuid)
    part, name = device_jobs.report(database(), uuid, job_id, _report(given), now=current.now())
    return jsonify(words.part(part, name, uuid.lower()))


@blueprint.route("/devices/<device:uuid>/handlers/<name>")
@blueprint.query(device_schemas.HandlerAsked)
@blueprint.errors(
    _404="The device has no job that names such a handler, or it never had a script of that digest.", _429=_TOO_OFTEN
)
@blueprint.answers(200, schemas.Handler)
def get_handler(asked: dict[str, Any], uuid: str, name: str) -> Response:
    """Get a handler that a job names which the device has: as it is now, or as it was with the digest that the device was told."""
    _require_own(uuid)
    return jsonify(
        words.handler(job_handlers.handler_for(database(), uuid, name, asked.get("sha256"), now=current.now()))
    )


def _require_own(uuid: str) -> None:
    """Raise NotAllowed unless the key of the request is that of the device, and TooManyTries if it asks too often.

    Without logins anybody here may play one.
    """
    user = current.user()
    if user.by_token:
        if user.device != uuid.lower():
            raise NotAllowed("A device asks for and reports of its own jobs only")
        require_patience(user.device)
        return
    devices.touch(database(), uuid, now=current.now(), address=current.address())


def _report(given: dict[str, Any]) -> Report:
    said = {name: value for name, value in given.items() if value is not None}
    state = from_wire(said["status"])
    assert state is not None
    details = said.get("status_details")
    if "message" in said:
        # The first agents send it beside the details, too.
        details = {"message": said["message"], **(details or {})}
    return Report(
        state,
        {name: said[name] for name in RESULT_FIELDS if name in said},
        details,
        report_id=said.get("report_id"),
        expected_version=said.get("expected_version"),
        step_timeout_seconds=said.get("step_timeout_seconds"),
    )
