"""Groups of devices."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.services import device_groups, devices
from watchbell.web import current
from watchbell.web.api.device_jobs import device_schemas as schemas
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.db import database


@blueprint.route("/devices/groups")
@blueprint.answers(200, schemas.GroupList)
def list_groups() -> Response:
    """List all groups by name."""
    found = devices.list_groups(database())
    groups = [{"name": one.name, "description": one.description, "devices": count} for one, count in found]
    return jsonify(groups=groups, total=len(groups))


@blueprint.route("/devices/groups/<name>", methods=["PUT"])
@blueprint.body(schemas.GroupChange)
@blueprint.answers(200, schemas.Group)
def put_group(given: dict[str, Any], name: str) -> Response:
    """Make a group of these devices, or let it be of them."""
    members = list(dict.fromkeys(given["devices"]))
    made = devices.put_group(
        database(), name, members, description=given["description"], now=current.now(), actor=current.actor()
    )
    return jsonify(name=made.name, description=made.description, devices=len(members))


@blueprint.route("/devices/groups/<name>", methods=["DELETE"])
@blueprint.errors(_404="There is no such group.", _409="A schedule or an open order names it.")
@blueprint.answers(200, schemas.Done)
def delete_group(name: str) -> Response:
    """Delete a group; its devices stay."""
    device_groups.delete_named(database(), name, now=current.now(), actor=current.actor())
    return jsonify(success=True, message="Group deleted successfully")
