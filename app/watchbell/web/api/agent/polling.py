"""What an agent calls again and again: it asks, it reports, it fetches handlers. Its credential alone says which device it is."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain import agent_protocol
from watchbell.domain.fleet_state import DeviceJobState, from_wire, wire_word
from watchbell.errors import NotAllowed
from watchbell.services import agents, device_jobs, job_handlers
from watchbell.services.agents import Asked
from watchbell.services.device_jobs import RESULT_FIELDS, Report
from watchbell.web import bearer, current, device_signing, sightings
from watchbell.web.api.agent import schemas
from watchbell.web.api.agent.family import blueprint
from watchbell.web.db import database
from watchbell.web.throttle import require_patience, tries


@blueprint.route("/poll", methods=["POST"])
@blueprint.body(schemas.Asking)
@blueprint.errors(
    _409="Two agents have the credentials of this device, a later request was answered already, or it has joined by no code.",
    _429="It asks too often; `Retry-After` says when it may again.",
)
@blueprint.answers(200, schemas.Sealed)
def poll(given: dict[str, Any]) -> Response:
    """Ask what to do and what to stop; all that the answer says is signed for this device and this request."""
    uuid = asking_device()
    if given["distrust"] and tries().count_refusal(uuid):
        agents.note_distrust(database(), uuid, given["distrust"], now=current.now())
    found = agents.poll(
        database(), uuid, _asked(given), now=current.now(), address=current.address(),
        asker=bearer.asking_device(), note=sightings.note_facts,
    )  # fmt: skip
    key = device_signing.key_for(found.uuid, found.salt)
    return jsonify(agent_protocol.seal(found.told, key=key, device=found.uuid, nonce=given["nonce"], now=current.now()))


@blueprint.route("/report", methods=["POST"])
@blueprint.body(schemas.Reporting)
@blueprint.errors(
    _404="The device has no such job.",
    _409="This cannot follow what the job is, which `current` says, or another agent has it; what comes late is kept beside it. "
    "With the code `not_yet` it is to be reported again later.",
)
@blueprint.answers(200, schemas.Reported)
def report(given: dict[str, Any]) -> Response:
    """Report of a job; the same report again is answered as before and changes nothing."""
    part, name = device_jobs.report(database(), asking_device(), given["job_id"], _report(given), now=current.now())
    return jsonify(job_id=name, status=wire_word(DeviceJobState(part.state)), version_number=part.version)


@blueprint.route("/handlers/<name>")
@blueprint.query(schemas.ScriptAsked)
@blueprint.errors(_404="The device has no job that names such a handler, or it never had a script of that digest.")
@blueprint.answers(200, schemas.Script)
def get_handler(asked: dict[str, Any], name: str) -> Response:
    """Get a handler that a job names which the device has: as it is now, or as it was with the digest that the job told."""
    found = job_handlers.handler_for(database(), asking_device(), name, asked.get("sha256"), now=current.now())
    return jsonify(name=found.name, sha256=found.sha256, script_content=found.script_content)


def asking_device() -> str:
    """Return the uuid of the device whose key the request carries; raises NotAllowed and TooManyTries."""
    uuid = current.user().device
    if uuid is None:
        raise NotAllowed("An agent says by the key of its device who it is")
    require_patience(uuid)
    return uuid


def _asked(given: dict[str, Any]) -> Asked:
    holds = given["holds"]
    names = ("incarnation", "earlier", "seq", "facts", "clock", "round_trip_ms", "is_at_carried")
    carries = given["carries"]
    return Asked(
        **{name: given[name] for name in names},
        holds=(holds["job_id"], holds["fence"]) if holds else None,
        carries={one["schedule_id"]: one["version"] for one in carries} if carries is not None else None,
        knows=frozenset(given["knows"]),
        is_private=device_signing.is_private(),
    )


def _report(given: dict[str, Any]) -> Report:
    state = from_wire(given["status"])
    assert state is not None
    return Report(
        state,
        {name: given[name] for name in RESULT_FIELDS if given.get(name) is not None},
        given.get("status_details"),
        report_id=given["report_id"],
        step_timeout_seconds=given.get("step_timeout_seconds"),
        fence=given["fence"],
        incarnation=given["incarnation"],
        place=given["place"],
    )
