"""Named calendars of days, which the schedules of tasks may name."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from watchbell.domain.day_calendar import MOST_LINES, NAME_LIMIT, WEEKDAYS
from watchbell.errors import NotFound, VersionConflict
from watchbell.services import calendar_sources, calendars
from watchbell.services.calendars import DESCRIPTION_LIMIT, CalendarView
from watchbell.web import current
from watchbell.web.api import fields, parsing, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NO_CALENDAR = "There is no such calendar."
_TAKEN = "There is a calendar of that name, or there are too many."
_STALE = "The calendar is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."
_DAYS: dict[str, Any] = {
    "description": "A day, two days or two local times with / between them, or a month and a day for every year; then a label.",
    "example": ["2030-12-25 Christmas Day", "2030-08-05/2030-08-16 Works holiday"],
}


class CalendarChange(fields.Schema):
    """What is to be changed of a calendar: fields that are absent stay. The last four add to its days."""

    name = fields.Text(validate=fields.long(1, NAME_LIMIT), metadata={"example": "holidays-de"})
    description = fields.Text(validate=fields.long(0, DESCRIPTION_LIMIT))
    weekdays = fields.Many(
        fields.Word(list(WEEKDAYS)), metadata={"description": "Its days in every week.", "example": ["sat", "sun"]}
    )
    days = fields.Many(fields.Text(), validate=fields.long(0, MOST_LINES), metadata={**_DAYS})
    ical = fields.Text(
        validate=fields.long(0, calendar_sources.LONGEST_FILE),
        metadata={"description": "The text of an iCalendar file.", "example": ""},
    )
    country = fields.Text(
        validate=fields.long(0, 20), metadata={"description": "Its public holidays, by its code.", "example": ""}
    )
    region = fields.Text(validate=fields.long(0, 20), metadata={"description": "A region of it.", "example": ""})
    years = fields.Whole(
        allow_none=True,
        validate=fields.between(1, calendar_sources.MOST_YEARS),
        metadata={"description": "For so many years from this one on.", "example": calendar_sources.YEARS},
    )


class NewCalendar(CalendarChange):
    """A calendar to be made."""

    name = fields.Text(required=True, validate=fields.long(1, NAME_LIMIT), metadata={"example": "holidays-de"})


class Calendar(fields.Schema):
    """A calendar."""

    id = fields.Whole(required=True, metadata={"example": 1})
    name = fields.Text(required=True, metadata={"example": "holidays-de"})
    description = fields.Text(required=True)
    weekdays = fields.Many(fields.Text(), required=True, metadata={"example": ["sat", "sun"]})
    days = fields.Many(fields.Text(), required=True, metadata={**_DAYS})
    tasks = fields.Whole(required=True, metadata={"description": "How many tasks name it."})
    version = fields.Whole(required=True)
    updated_at = fields.Moment(required=True)
    updated_by = fields.Text(required=True)


class CalendarList(fields.Schema):
    """All calendars, by name."""

    items = fields.Many(fields.Nested(Calendar), required=True)


@blueprint.route("/calendars")
@blueprint.answers(200, CalendarList)
def list_calendars() -> Response:
    """List the calendars, by name."""
    return answers.answer({"items": list(map(calendars.told, calendars.list_all(database())))})


@blueprint.route("/calendars", methods=["POST"])
@blueprint.body(NewCalendar)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, Calendar)
def create_calendar(given: dict[str, Any]) -> Response:
    """Make a calendar."""
    made = calendars.create(database(), given, now=current.now(), actor=current.actor())
    response = _shown(made)
    response.status_code = 201
    response.headers["Location"] = url_for("native.get_calendar", calendar_id=made.row.id)
    return response


@blueprint.route("/calendars/<number:calendar_id>")
@blueprint.errors(_404=_NO_CALENDAR, _422="This is not a number.")
@blueprint.answers(200, Calendar)
def get_calendar(calendar_id: str) -> Response:
    """Get a calendar."""
    return _shown(calendars.get(database(), parsing.path_id("calendar_id", calendar_id)))


@blueprint.route("/calendars/<number:calendar_id>", methods=["PATCH"])
@blueprint.body(CalendarChange)
@versions.needed
@blueprint.errors(_404=_NO_CALENDAR, _409=_TAKEN, _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, Calendar)
def update_calendar(given: dict[str, Any], calendar_id: str) -> Response:
    """Change a calendar: what is not named stays. The tasks that name it follow, each by a new version of its own."""
    number, expected = parsing.path_id("calendar_id", calendar_id), versions.required()
    now, actor = current.now(), current.actor()
    try:
        changed = calendars.update(database(), number, given, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return _shown(changed)


@blueprint.route("/calendars/<number:calendar_id>", methods=["DELETE"])
@versions.needed
@blueprint.errors(
    _404=_NO_CALENDAR, _409="A task names it.", _412=_STALE, _422="This is not a number.", _428=_NO_VERSION
)
@blueprint.answers(204)
def delete_calendar(calendar_id: str) -> Response:
    """Delete a calendar that no task names."""
    number, expected = parsing.path_id("calendar_id", calendar_id), versions.required()
    try:
        calendars.remove(database(), number, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return answers.nothing()


def _shown(view: CalendarView) -> Response:
    versions.note(view.row.version)
    return answers.answer(calendars.told(view))


def _stale(error: VersionConflict, calendar_id: int) -> VersionConflict:
    try:
        found = calendars.get(database(), calendar_id)
    except NotFound:
        return error
    return Stale(error.message, answers.plain(calendars.told(found)))
