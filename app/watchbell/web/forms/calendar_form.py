"""The form of a named calendar: its own days, and days to be added from a file or from the holidays of a country."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import FileField, SelectMultipleField, StringField, TextAreaField

from watchbell.domain.day_calendar import NAME_LIMIT, WEEKDAYS
from watchbell.errors import InputError, Problem
from watchbell.services.calendar_sources import LONGEST_FILE
from watchbell.services.calendars import DESCRIPTION_LIMIT, CalendarView
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_SHOWN_AT = {"ical": "file"}


class CalendarForm(FlaskForm):  # type: ignore[misc]
    """A calendar as people type it."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    description = StringField(lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "autocomplete": "off"})
    weekdays = SelectMultipleField(
        lazy("Every week on"), choices=choices((name, name) for name in WEEKDAYS), validate_choice=False
    )
    days = TextAreaField(lazy("Days"), render_kw={**_PLAIN, "rows": 12})
    file = FileField(lazy("Add the days of an iCalendar file"), render_kw={"accept": ".ics,text/calendar"})
    country = StringField(lazy("Country"), render_kw={**_PLAIN, "maxlength": 10, "list": "countries"})
    region = StringField(lazy("Region"), render_kw={**_PLAIN, "maxlength": 20})
    years = StringField(lazy("Years from this one on"), render_kw={"inputmode": "numeric", "autocomplete": "off"})

    def fields(self) -> dict[str, object]:
        """Return what was given as the fields of a calendar; raises InputError."""
        return {
            "name": self.name.data or "",
            "description": self.description.data or "",
            "weekdays": list(self.weekdays.data or []),
            "days": self.days.data or "",
            "ical": self._file(),
            "country": self.country.data or "",
            "region": self.region.data or "",
            "years": (self.years.data or "").strip(),
        }

    def _file(self) -> str:
        given = self.file.data
        if not given or not given.filename:
            return ""
        content = given.read(LONGEST_FILE + 1)
        try:
            return str(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InputError.of("file", _("is not a text in UTF-8")) from None

    def take_days(self, days: str) -> None:
        """Show these days in the lines, and name no source of days any more."""
        self.days.data = days
        self.file.data = None
        self.country.data, self.region.data, self.years.data = "", "", ""

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            name = _SHOWN_AT.get(problem.field, problem.field)
            field = self[name if name in self._fields else "name"]
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            field.errors = [*field.errors, f"{sentence(problem.message)}{example}"]


def shown_data(view: CalendarView) -> dict[str, Any]:
    """Return what the form of a calendar shows."""
    row = view.row
    return {
        "name": row.name,
        "description": row.description,
        "weekdays": [name for name in row.weekdays.split(",") if name],
        "days": row.days,
    }
