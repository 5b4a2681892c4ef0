"""Blackout windows, in which moments of tasks are left out."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from watchbell.domain.blackouts import DESCRIPTION_LIMIT, NAME_LIMIT
from watchbell.domain.day_calendar import WEEKDAYS
from watchbell.errors import NotFound, VersionConflict
from watchbell.services import blackouts
from watchbell.services.blackouts import MOST_TASKS, BlackoutView
from watchbell.web import current
from watchbell.web.api import fields, parsing, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NO_BLACKOUT = "There is no such blackout."
_TAKEN = "There is a blackout of that name, or there are too many."
_STALE = "The blackout is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."


class BlackoutChange(fields.Schema):
    """What is to be changed of a blackout: either once, by `starts` and `ends`, or again and again, by times of day."""

    name = fields.Text(validate=fields.long(1, NAME_LIMIT), metadata={"example": "release-freeze"})
    description = fields.Text(validate=fields.long(0, DESCRIPTION_LIMIT))
    zone = fields.Text(metadata={"description": "An IANA zone.", "example": "Europe/Berlin"})
    starts = fields.Text(metadata={"description": "Local time at which it begins.", "example": "2030-12-24 18:00"})
    ends = fields.Text(metadata={"description": "Local time before which it ends.", "example": "2030-12-27 06:00"})
    weekdays = fields.Many(
        fields.Word(list(WEEKDAYS)), metadata={"description": "Days on which it begins; empty for all.", "example": []}
    )
    from_time = fields.Text(metadata={"description": "Time of day at which it begins.", "example": ""})
    to_time = fields.Text(
        metadata={"description": "Before which it ends, on the next day if that is earlier.", "example": ""}
    )
    tasks = fields.Many(
        fields.Text(), validate=fields.long(0, MOST_TASKS),
        metadata={"description": "Names of the tasks that it concerns; empty for all.", "example": []},
    )  # fmt: skip


class NewBlackout(BlackoutChange):
    """A blackout to be made."""

    name = fields.Text(required=True, validate=fields.long(1, NAME_LIMIT), metadata={"example": "release-freeze"})


class Blackout(fields.Schema):
    """A blackout."""

    id = fields.Whole(required=True)
    name = fields.Text(required=True)
    description = fields.Text(required=True)
    zone = fields.Text(required=True)
    starts = fields.Text(required=True)
    ends = fields.Text(required=True)
    weekdays = fields.Many(fields.Text(), required=True)
    from_time = fields.Text(required=True)
    to_time = fields.Text(required=True)
    tasks = fields.Many(fields.Text(), required=True)
    version = fields.Whole(required=True)
    updated_at = fields.Moment(required=True)
    updated_by = fields.Text(required=True)


class BlackoutList(fields.Schema):
    """All blackouts, by name."""

    items = fields.Many(fields.Nested(Blackout), required=True)


@blueprint.route("/blackouts")
@blueprint.answers(200, BlackoutList)
def list_blackouts() -> Response:
    """List the blackouts, by name."""
    return answers.answer({"items": list(map(blackouts.told, blackouts.list_all(database())))})


@blueprint.route("/blackouts", methods=["POST"])
@blueprint.body(NewBlackout)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, Blackout)
def create_blackout(given: dict[str, Any]) -> Response:
    """Make a blackout: moments that lie in it become rows that are skipped; runs by hand are not kept from starting."""
    zone, now, actor = current.defaults().zone, current.now(), current.actor()
    made = blackouts.create(database(), given, now=now, actor=actor, default_zone=zone)
    response = _shown(made)
    response.status_code = 201
    response.headers["Location"] = url_for("native.get_blackout", blackout_id=made.row.id)
    return response


@blueprint.route("/blackouts/<number:blackout_id>")
@blueprint.errors(_404=_NO_BLACKOUT, _422="This is not a number.")
@blueprint.answers(200, Blackout)
def get_blackout(blackout_id: str) -> Response:
    """Get a blackout."""
    return _shown(blackouts.get(database(), parsing.path_id("blackout_id", blackout_id)))


@blueprint.route("/blackouts/<number:blackout_id>", methods=["PATCH"])
@blueprint.body(BlackoutChange)
@versions.needed
@blueprint.errors(_404=_NO_BLACKOUT, _409=_TAKEN, _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, Blackout)
def update_blackout(given: dict[str, Any], blackout_id: str) -> Response:
    """Change a blackout: what is not named stays, and an empty text takes away."""
    number, expected = parsing.path_id("blackout_id", blackout_id), versions.required()
    now, actor = current.now(), current.actor()
    try:
        changed = blackouts.update(database(), number, given, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return _shown(changed)


@blueprint.route("/blackouts/<number:blackout_id>", methods=["DELETE"])
@versions.needed
@blueprint.errors(_404=_NO_BLACKOUT, _412=_STALE, _422="This is not a number.", _428=_NO_VERSION)
@blueprint.answers(204)
def delete_blackout(blackout_id: str) -> Response:
    """Delete a blackout; what it has left out stays left out."""
    number, expected = parsing.path_id("blackout_id", blackout_id), versions.required()
    try:
        blackouts.remove(database(), number, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return answers.nothing()


def _shown(view: BlackoutView) -> Response:
    versions.note(view.row.version)
    return answers.answer(blackouts.told(view))


def _stale(error: VersionConflict, blackout_id: int) -> VersionConflict:
    try:
        found = blackouts.get(database(), blackout_id)
    except NotFound:
        return error
    return Stale(error.message, answers.plain(blackouts.told(found)))
