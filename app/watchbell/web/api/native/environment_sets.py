"""Named sets of environment variables, which tasks share."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from watchbell.domain.environment_sets import NAME_LIMIT
from watchbell.errors import NotFound, VersionConflict
from watchbell.services import environment_sets
from watchbell.services.environment_sets import DESCRIPTION_LIMIT, SetView
from watchbell.web import current
from watchbell.web.api import fields, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NO_SET = "There is no such environment set."
_TAKEN = "There is a set of that name, or there are too many."
_STALE = "The set is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."
_VARIABLES: dict[str, Any] = {
    "description": "Its variables; a value may name secrets, as in a task's own environment.",
    "example": {"PGHOST": "db.example.org", "PGPASSWORD": "${secret:database-password}"},
}


class EnvironmentSetChange(fields.Schema):
    """What is to be changed of a set: fields that are absent stay."""

    description = fields.Text(validate=fields.long(0, DESCRIPTION_LIMIT))
    variables = fields.Mapped(keys=fields.Text(), values=fields.Text(), metadata={**_VARIABLES})


class NewEnvironmentSet(EnvironmentSetChange):
    """A set to be made."""

    name = fields.Text(required=True, validate=fields.long(1, NAME_LIMIT), metadata={"example": "database"})
    variables = fields.Mapped(required=True, keys=fields.Text(), values=fields.Text(), metadata={**_VARIABLES})


class _Told(fields.Schema):
    name = fields.Text(required=True, metadata={"example": "database"})
    description = fields.Text(required=True)
    tasks = fields.Whole(required=True, metadata={"description": "How many tasks name it."})
    version = fields.Whole(required=True)
    updated_at = fields.Moment(required=True)
    updated_by = fields.Text(required=True)


class EnvironmentSet(_Told):
    """A set, and the tasks that name it."""

    variables = fields.Mapped(required=True, keys=fields.Text(), values=fields.Text(), metadata={**_VARIABLES})
    named_by = fields.Many(fields.Text(), required=True, metadata={"description": "The names of these tasks."})


class EnvironmentSetLine(_Told):
    """A set in a list, with the names of its variables."""

    variables = fields.Many(fields.Text(), required=True, metadata={"example": ["PGHOST", "PGPASSWORD"]})


class EnvironmentSetList(fields.Schema):
    """All sets, by name."""

    items = fields.Many(fields.Nested(EnvironmentSetLine), required=True)


@blueprint.route("/environment-sets")
@blueprint.answers(200, EnvironmentSetList)
def list_environment_sets() -> Response:
    """List the environment sets, by name; of their variables only the names."""
    return answers.answer({"items": list(map(environment_sets.told_names, environment_sets.list_all(database())))})


@blueprint.route("/environment-sets", methods=["POST"])
@blueprint.body(NewEnvironmentSet)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, EnvironmentSet)
def create_environment_set(given: dict[str, Any]) -> Response:
    """Make an environment set."""
    made = environment_sets.create(database(), given, now=current.now(), actor=current.actor())
    response = _shown(made)
    response.status_code = 201
    response.headers["Location"] = url_for("native.get_environment_set", name=made.row.name)
    return response


@blueprint.route("/environment-sets/<name>")
@blueprint.errors(_404=_NO_SET)
@blueprint.answers(200, EnvironmentSet)
def get_environment_set(name: str) -> Response:
    """Get an environment set with its values, and the tasks that name it."""
    return _shown(environment_sets.get(database(), name))


@blueprint.route("/environment-sets/<name>", methods=["PATCH"])
@blueprint.body(EnvironmentSetChange)
@versions.needed
@blueprint.errors(_404=_NO_SET, _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, EnvironmentSet)
def update_environment_set(given: dict[str, Any], name: str) -> Response:
    """Change an environment set: what is not named stays. The tasks that name it follow, each by a new version of its own."""
    expected, now, actor = versions.required(), current.now(), current.actor()
    try:
        changed = environment_sets.update(database(), name, given, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, name) from None
    return _shown(changed)


@blueprint.route("/environment-sets/<name>", methods=["DELETE"])
@versions.needed
@blueprint.errors(
    _404=_NO_SET, _409="A task or a template names it.", _412=_STALE, _422="If-Match is no ETag.", _428=_NO_VERSION
)
@blueprint.answers(204)
def delete_environment_set(name: str) -> Response:
    """Delete an environment set that nothing names."""
    expected = versions.required()
    try:
        environment_sets.remove(database(), name, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, name) from None
    return answers.nothing()


def _shown(view: SetView) -> Response:
    versions.note(view.row.version)
    return answers.answer(_told(view))


def _told(view: SetView) -> dict[str, Any]:
    users = environment_sets.list_users(database(), view.row.name)
    return {**environment_sets.told(view), "named_by": [name for _id, name in users]}


def _stale(error: VersionConflict, name: str) -> VersionConflict:
    try:
        found = environment_sets.get(database(), name)
    except NotFound:
        return error
    return Stale(error.message, answers.plain(_told(found)))
