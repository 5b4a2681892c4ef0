"""Secrets: their names, what names and uses them. Values go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow
from flask import Response

from watchbell.domain.secret_names import LEAST_VALUE, VALUE_LIMIT
from watchbell.errors import NotAllowed, NotFound, VersionConflict
from watchbell.services import secrets
from watchbell.services.secrets import SecretView
from watchbell.web import auth, current
from watchbell.web.api import fields, versions
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NOT_THERE = "There is no secret of that name."
_STALE = "The secret is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."
_NO_KEY = "The key that seals secrets is missing or another one (`key_unusable`)."
_COLUMNS = (
    *("name", "version", "created_at", "created_by", "changed_at", "changed_by"),
    *("used_at", "used_run_id", "used_task_name", "used_device_uuid", "used_device_name"),
)


class SecretPlace(fields.Schema):
    """What names a secret."""

    kind = fields.Text(
        required=True,
        metadata={"description": "task, template, job template, fleet schedule, or order that has not ended"},
    )
    id = fields.Whole(required=True)
    key = fields.Text(required=True, metadata={"description": "What its own address names it by."})
    name = fields.Text(required=True)
    variables = fields.Many(fields.Text(), required=True, metadata={"description": "The variables that hold it."})


class SecretUse(fields.Schema):
    """An attempt of a run, or of a device at an order, that was given a secret; of a device, run and task are 0."""

    at = fields.Moment(required=True)
    run_id = fields.Whole(required=True)
    attempt = fields.Whole(required=True)
    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)
    device_uuid = fields.Text(required=True, metadata={"description": "Empty of a run."})
    device_name = fields.Text(required=True)
    job_id = fields.Text(required=True)
    version = fields.Whole(required=True)


class Secret(fields.Schema):
    """A secret, without its value."""

    name = fields.Text(required=True, metadata={"example": "database-password"})
    version = fields.Whole(required=True, metadata={"description": "Rises with each new value."})
    created_at = fields.Moment(required=True)
    created_by = fields.Text(required=True)
    changed_at = fields.Moment(required=True)
    changed_by = fields.Text(required=True)
    used_at = fields.Moment(required=True, allow_none=True)
    used_run_id = fields.Whole(required=True, allow_none=True)
    used_task_name = fields.Text(required=True)
    used_device_uuid = fields.Text(required=True)
    used_device_name = fields.Text(required=True)
    named_by = fields.Many(fields.Nested(SecretPlace), required=True)


class SecretDetail(Secret):
    """A secret with its newest uses, without its value."""

    uses = fields.Many(fields.Nested(SecretUse), required=True)


class SecretList(fields.Schema):
    """All secrets, by name."""

    items = fields.Many(fields.Nested(Secret), required=True)


class SecretValue(fields.Schema):
    """The value of a secret; no answer ever holds it."""

    value = fields.Text(
        required=True,
        load_only=True,
        validate=fields.long(LEAST_VALUE, VALUE_LIMIT),
        metadata={"format": "password", "writeOnly": True},
    )

    @marshmallow.pre_load
    def _refuse_others(self, data: Any, **_how: Any) -> Any:
        """Refuse other fields without their names: one may be the value that somebody put in the wrong place."""
        if isinstance(data, Mapping) and set(data) - set(self.fields):
            raise marshmallow.ValidationError("must hold the field value and no other")
        return data


class SecretDeletion(fields.Schema):
    """How a secret is deleted."""

    force = fields.Flag(
        texts=True, load_default=False, metadata={"description": "Also while tasks name it, whose next runs fail then."}
    )


@blueprint.route("/secrets")
@blueprint.answers(200, SecretList)
def list_secrets() -> Response:
    """List the secrets by name, without their values."""
    return answers.answer({"items": [_told(view) for view in secrets.list_all(database())]})


@blueprint.route("/secrets/<name>")
@blueprint.errors(_404=_NOT_THERE)
@blueprint.answers(200, SecretDetail)
def get_secret(name: str) -> Response:
    """Get a secret with its newest uses, without its value."""
    return _shown(name)


@blueprint.route("/secrets/<name>", methods=["PUT"])
@blueprint.body(SecretValue)
@versions.needed
@blueprint.errors(_409=_NO_KEY, _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, SecretDetail)
def put_secret(given: dict[str, Any], name: str) -> Response:
    """Make a secret, or give it another value; `If-Match: "0"` only makes one, `*` does either."""
    expected = versions.required()
    _require_proof()
    value, now, actor = given["value"], current.now(), current.actor()
    try:
        secrets.put(database(), name, value, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, name) from None
    return _shown(name)


@blueprint.route("/secrets/<name>", methods=["DELETE"])
@blueprint.query(SecretDeletion)
@versions.needed
@blueprint.errors(_404=_NOT_THERE, _409="Something names it.", _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(204)
def delete_secret(asked: dict[str, Any], name: str) -> Response:
    """Delete a secret; runs that go on keep what they were given."""
    expected = versions.required()
    _require_proof()
    try:
        secrets.delete(
            database(),
            name,
            now=current.now(),
            actor=current.actor(),
            is_forced=asked["force"],
            expected_version=expected,
        )
    except VersionConflict as error:
        raise _stale(error, name) from None
    return answers.nothing()


def _require_proof() -> None:
    """Raise NotAllowed for a browser whose login is not of just now; a token is its own proof."""
    if not current.user().by_token and not auth.is_proven():
        raise NotAllowed("log in again first: your login is too old to change secrets")


def _shown(name: str) -> Response:
    view = secrets.get(database(), name)
    versions.note(view.secret.version)
    return answers.answer({**_told(view), "uses": [_use(use) for use in view.uses]})


def _use(use: Any) -> dict[str, object]:
    names = ("at", "run_id", "attempt", "task_id", "task_name", "device_uuid", "device_name", "job_id", "version")
    return {name: getattr(use, name) for name in names}


def _stale(error: VersionConflict, name: str) -> VersionConflict:
    try:
        return Stale(error.message, answers.plain(_told(secrets.get(database(), name, uses=0))))
    except NotFound:
        # Somebody has deleted it meanwhile.
        return error


def _told(view: SecretView) -> dict[str, object]:
    places = [
        {"kind": one.kind, "id": one.id, "key": one.key, "name": one.name, "variables": list(one.variables)}
        for one in view.places
    ]
    return {**{name: getattr(view.secret, name) for name in _COLUMNS}, "named_by": places}
