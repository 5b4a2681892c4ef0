"""Devices, as people see and change them."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain.fleet_state import from_wire
from watchbell.domain.fleet_targets import Filter, read_tags
from watchbell.services import agents, device_jobs, devices
from watchbell.web import current, proving
from watchbell.web.api.device_jobs import device_schemas as schemas
from watchbell.web.api.device_jobs import words
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.db import database

_NO_DEVICE = "There is no such device."
#: The names on the wire for ours.
_OURS = {"deviceName": "name", "deviceType": "type", "ipAddress": "ip_address", "macAddress": "mac_address"}


@blueprint.route("/devices")
@blueprint.query(schemas.DevicesAsked)
@blueprint.answers(200, schemas.DeviceList)
def list_devices(asked: dict[str, Any]) -> Response:
    """List devices by name."""
    page, limit = asked["page"], asked["limit"]
    is_active = {"active": True, "inactive": False}.get(asked.get("filter", ""))
    found, total = devices.list_page(
        database(), now=current.now(), is_active=is_active, is_online=asked.get("online"), page=page, limit=limit
    )
    pagination = {"page": page, "limit": limit, "totalDevices": total, "totalPages": -(-total // limit)}
    return jsonify(count=len(found), devices=[words.device(one) for one in found], pagination=pagination)


@blueprint.route("/devices/<device:uuid>")
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.DeviceShown)
def get_device(uuid: str) -> Response:
    """Get a device with what its agent has told of it."""
    found = devices.get(database(), uuid, now=current.now())
    return jsonify(success=True, device=words.device_with_facts(found))


@blueprint.route("/devices", methods=["POST"])
@blueprint.body(schemas.NewDevice)
@blueprint.errors(_409="There is a device of this uuid.")
@blueprint.answers(201, schemas.DeviceMade)
def create_device(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a device; it is not active until that is said, and its key is told in this answer alone."""
    uuid = given.pop("uuid", None)
    proving.require_proof()
    made, secret = devices.add(database(), _ours(given), now=current.now(), actor=current.actor(), uuid=uuid)
    return jsonify(success=True, device=words.device(made), api_key=secret), 201


@blueprint.route("/devices/<device:uuid>", methods=["PATCH"])
@blueprint.body(schemas.DeviceChange)
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.DeviceFound)
def update_device(given: dict[str, Any], uuid: str) -> Response:
    """Change a device."""
    return _shown(devices.update(database(), uuid, _ours(given), now=current.now(), actor=current.actor()))


@blueprint.route("/devices/<device:uuid>", methods=["DELETE"])
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.Done)
def delete_device(uuid: str) -> Response:
    """Delete a device with all that it has done."""
    devices.delete(database(), uuid, now=current.now(), actor=current.actor())
    return jsonify(success=True, message="Device deleted successfully")


@blueprint.route("/devices/<device:uuid>/active", methods=["PATCH"])
@blueprint.body(schemas.Activity)
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.DeviceFound)
def set_active(given: dict[str, Any], uuid: str) -> Response:
    """Let a device take part, or not any more."""
    return _shown(devices.set_active(database(), uuid, given["is_active"], now=current.now(), actor=current.actor()))


@blueprint.route("/devices/<device:uuid>/tags", methods=["PUT"])
@blueprint.body(schemas.Tags)
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.DeviceFound)
def put_tags(given: dict[str, Any], uuid: str) -> Response:
    """Give a device these tags in place of those that it has."""
    return _shown(devices.set_tags(database(), uuid, given["tags"], now=current.now(), actor=current.actor()))


@blueprint.route("/devices/<device:uuid>/key", methods=["POST"])
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.Key)
def rotate_key(uuid: str) -> Response:
    """Give a device another key; the one that it has is dead at once."""
    proving.require_proof()
    return jsonify(success=True, api_key=devices.rotate_key(database(), uuid, now=current.now(), actor=current.actor()))


@blueprint.route("/devices/<device:uuid>/key", methods=["DELETE"])
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.Done)
def revoke_key(uuid: str) -> Response:
    """Take the key from a device."""
    devices.revoke_key(database(), uuid, now=current.now(), actor=current.actor())
    return jsonify(success=True, message="Key revoked")


@blueprint.route("/devices/<device:uuid>/settle", methods=["POST"])
@blueprint.errors(_404=_NO_DEVICE, _409="Only one agent has shown the credentials of this device.")
@blueprint.answers(200, schemas.Done)
def settle(uuid: str) -> Response:
    """Say that only one agent is left of two that have shown the credentials of a device."""
    agents.settle(database(), uuid, now=current.now(), actor=current.actor())
    return jsonify(success=True, message="The next agent that asks is taken to be the device's")


@blueprint.route("/devices/query", methods=["POST"])
@blueprint.body(schemas.Query)
@blueprint.answers(200, schemas.DevicesFound)
def query_devices(given: dict[str, Any]) -> Response:
    """Find the active devices that have all of some tags."""
    tags = read_tags(given["tagSelectors"], "tagSelectors")
    found = devices.find_chosen(database(), Filter(tags=tags), now=current.now())
    return jsonify(count=len(found), devices=[words.device(one) for one in found])


@blueprint.route("/devices/<device:uuid>/jobs")
@blueprint.query(schemas.HistoryAsked)
@blueprint.errors(_404=_NO_DEVICE)
@blueprint.answers(200, schemas.History)
def list_jobs(asked: dict[str, Any], uuid: str) -> Response:
    """List the jobs of a device, newest first."""
    limit, offset = asked["limit"], asked["offset"]
    state = from_wire(asked.get("status", ""))
    rows, total = device_jobs.history(database(), uuid, state=state, limit=limit, offset=offset)
    jobs = [words.past_job(part, order, uuid.lower()) for part, order in rows]
    page = {"page": offset // limit + 1, "pageSize": limit, "totalPages": -(-total // limit)}
    return jsonify(device_uuid=uuid, jobs=jobs, total=total, **page)


def _shown(found: devices.DeviceView) -> Response:
    return jsonify(success=True, device=words.device(found))


def _ours(given: dict[str, Any]) -> dict[str, Any]:
    return {_OURS[name]: value for name, value in given.items()}
