"""Codes by which devices join, as people make and see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, jsonify

from watchbell.services import enrolment
from watchbell.services.enrolment import Code, CodeState
from watchbell.web import current, proving
from watchbell.web.api import fields
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.api.device_jobs.words import moment
from watchbell.web.api.parsing import path_id
from watchbell.web.db import database

_SHORTEST, _LONGEST, _USUAL = (
    int(span.total_seconds())
    for span in (enrolment.SHORTEST_LIFETIME, enrolment.LONGEST_LIFETIME, enrolment.DEFAULT_LIFETIME)
)


class NewCode(fields.Schema):
    """What a device gets when it joins with the code, and for how long it may."""

    name = fields.Text(
        load_default="",
        validate=fields.long(0, 255),
        metadata={"description": "Its name; its own name for itself if this is empty.", "example": "pi-kitchen"},
    )
    group = fields.Text(load_default="", validate=fields.long(0, 255), metadata={"example": "kitchens"})
    tags = fields.Mapped(load_default=dict, metadata={"example": {"site": "north"}})
    needs_approval = fields.Flag(
        load_default=False, metadata={"description": "Whether it waits until somebody makes it active."}
    )
    expires_in_seconds = fields.Whole(
        load_default=_USUAL, validate=fields.between(_SHORTEST, _LONGEST), metadata={"example": _USUAL}
    )


class EnrolmentCode(fields.Schema):
    """A code by which one device joins."""

    id = fields.Whole(required=True)
    prefix = fields.Text(required=True, metadata={"description": "How it begins.", "example": "wbe_0a1b2c"})
    state = fields.Word([state.value for state in CodeState], required=True)
    name = fields.Text(required=True)
    group = fields.Text(required=True)
    tags = fields.Mapped(values=fields.Text(), required=True)
    needs_approval = fields.Flag(required=True)
    created_by = fields.Text(required=True)
    created_at = fields.Moment(required=True)
    expires_at = fields.Moment(required=True)
    used_at = fields.Moment(required=True, allow_none=True)
    used_from = fields.Text(required=True)
    device_uuid = fields.Text(required=True, allow_none=True, metadata={"description": "The device that has joined."})
    device_name = fields.Text(required=True, allow_none=True)


class CodeList(fields.Schema):
    """All codes, newest first."""

    codes = fields.Many(fields.Nested(EnrolmentCode), required=True)
    total = fields.Whole(required=True)


class CodeMade(fields.Schema):
    """A code that was made, which is told this once."""

    code = fields.Text(required=True, metadata={"example": "wbe_…"})
    enrolment = fields.Nested(EnrolmentCode, required=True)


@blueprint.route("/enroll-codes")
@blueprint.answers(200, CodeList)
def list_codes() -> Response:
    """List the codes by which devices join or have joined, newest first, without the codes themselves."""
    found = enrolment.list_all(database(), now=current.now())
    return jsonify(codes=[_told(one) for one in found], total=len(found))


@blueprint.route("/enroll-codes", methods=["POST"])
@blueprint.body(NewCode)
@blueprint.errors(_409="Too many codes are open.")
@blueprint.answers(201, CodeMade)
def create_code(given: dict[str, Any]) -> tuple[Response, int]:
    """Make a code by which one device joins, once; it is told in this answer alone."""
    lifetime = timedelta(seconds=given.pop("expires_in_seconds"))
    proving.require_proof()
    made = enrolment.create(database(), **given, lifetime=lifetime, now=current.now(), actor=current.actor())
    return jsonify(code=made.secret, enrolment=_told(made.code)), 201


@blueprint.route("/enroll-codes/<number:code_id>", methods=["DELETE"])
@blueprint.errors(_404="There is no such code.", _409="A device has joined with it.")
@blueprint.answers(200, EnrolmentCode)
def revoke_code(code_id: str) -> Response:
    """Take a code back, with which nobody can join from now on."""
    number = path_id("code_id", code_id)
    return jsonify(_told(enrolment.revoke(database(), number, now=current.now(), actor=current.actor())))


def _told(code: Code) -> dict[str, Any]:
    names = (
        *("id", "prefix", "name", "group", "needs_approval", "created_by", "used_from", "device_uuid", "device_name"),
    )
    moments = ("created_at", "expires_at", "used_at")
    return {
        **{name: getattr(code, name) for name in names},
        "state": code.state.value,
        "tags": dict(code.tags),
        **{name: moment(getattr(code, name)) for name in moments},
    }
