"""How a device joins: it gives an enrolment code and gets credentials of its own."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.errors import TooManyTries
from watchbell.services import enrolment
from watchbell.services.enrolment import EnrolmentRefused
from watchbell.web import agent_program, current, device_signing
from watchbell.web.api import fields
from watchbell.web.api.agent.family import blueprint
from watchbell.web.db import database
from watchbell.web.throttle import tries


class Joining(fields.Schema):
    """What a device gives to join."""

    code = fields.Text(required=True, validate=fields.long(1, 200), metadata={"example": "wbe_…"})
    hostname = fields.Text(
        load_default="",
        validate=fields.long(0, 255),
        metadata={"description": "What the device calls itself; its name if the code has none.", "example": "pi"},
    )


class Credentials(fields.Schema):
    """Who the device is from now on; key and signing key are told this once."""

    uuid = fields.Text(required=True, metadata={"example": "8479359e-dbeb-4858-813c-e8a9008dde04"})
    name = fields.Text(required=True, metadata={"example": "pi-kitchen"})
    key = fields.Text(
        required=True, metadata={"description": "What it sends as `Authorization: Bearer`.", "example": "wbd_…"}
    )
    signing_key = fields.Text(
        required=True,
        metadata={"description": "By which it knows that what it is told is the server's; it is never sent."},
    )
    is_active = fields.Flag(required=True, metadata={"description": "Whether it waits for nobody's approval."})


@blueprint.route("/enroll", methods=["POST"])
@blueprint.body(Joining)
@blueprint.errors(
    _403="The code is not known, was used or revoked, or has expired.",
    _429="Too many wrong codes came from this address; `Retry-After` says when to try again.",
)
@blueprint.answers(201, Credentials)
def enroll(given: dict[str, Any]) -> tuple[Response, int]:
    """Join with an enrolment code, which is used up by that."""
    address = current.address()
    if not tries().may_enrol(address):
        raise TooManyTries("too many wrong enrolment codes came from this address; wait a minute, then try again")
    try:
        joined = enrolment.join(
            database(), given["code"], hostname=given["hostname"], now=current.now(), address=address
        )
    except EnrolmentRefused as error:
        tries().count_enrolment(address)
        enrolment.note_refused(database(), given["code"], error.message, now=current.now())
        raise
    return _told(joined), 201


@blueprint.route("/program")
@blueprint.answers(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def get_program() -> Response:
    """Get the agent as one file, which `python3` runs on a device that has nothing else of Watchbell."""
    response = Response(agent_program.program(), mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{agent_program.NAME}"'
    return response


def _told(joined: enrolment.Joined) -> Response:
    names = ("uuid", "name", "key", "is_active")
    signing_key = device_signing.key_for(joined.uuid, joined.signing_salt)
    return jsonify(**{name: getattr(joined, name) for name in names}, signing_key=signing_key)
