"""Schedules that devices carry: an agent fetches them, and tells what has become of their moments."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain import agent_protocol
from watchbell.domain.carried import Outcome
from watchbell.domain.fleet_state import DeviceJobState, from_wire
from watchbell.services import agents, carried_moments
from watchbell.services.carried_moments import Told
from watchbell.web import current, device_signing
from watchbell.web.api.agent import schemas
from watchbell.web.api.agent.family import blueprint
from watchbell.web.api.agent.polling import asking_device
from watchbell.web.db import database

_RESULT = ("exit_code", "stdout", "stderr", "executed_steps", "failed_step")


@blueprint.route("/carried", methods=["POST"])
@blueprint.body(schemas.AskingForSchedule)
@blueprint.errors(
    _404="The device is not to carry such a schedule.", _409="Two agents have the credentials of this device."
)
@blueprint.answers(200, schemas.Sealed)
def get_carried(given: dict[str, Any]) -> Response:
    """Get a schedule that the device is to carry; all of it is signed for this device and this request."""
    uuid, now = asking_device(), current.now()
    salt, schedule = agents.give_carried(database(), uuid, given["incarnation"], given["schedule_id"], now=now)
    key = device_signing.key_for(uuid, salt)
    return jsonify(agent_protocol.seal_schedule(schedule, key=key, device=uuid, nonce=given["nonce"], now=now))


@blueprint.route("/moments", methods=["POST"])
@blueprint.body(schemas.TellingMoments)
@blueprint.errors(_409="Another agent was heard of last, or two are; what is told waits until that is settled.")
@blueprint.answers(200, schemas.MomentsTold)
def tell_moments(given: dict[str, Any]) -> Response:
    """Tell what has become of moments; the same again is answered as before and changes nothing."""
    told = [_told(one) for one in given["moments"]]
    known = carried_moments.take(database(), asking_device(), given["incarnation"], told, now=current.now())
    return jsonify(known=known)


def _told(one: dict[str, Any]) -> Told:
    state = from_wire(one["status"])
    assert isinstance(state, DeviceJobState)
    result = {name: one[name] for name in _RESULT if one.get(name) is not None}
    if one.get("failure"):
        result["reason"] = one["failure"]
    names = ("schedule_id", "version", "key", "due_at", "reason", "stands_for", "began_at")
    details = {"message": one["reason"]} if one["reason"] else None
    return Told(
        **{name: one[name] for name in names},
        outcome=Outcome(one["outcome"]),
        state=state,
        result=result,
        details=details,
    )
