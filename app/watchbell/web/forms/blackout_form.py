"""The form of a blackout window: once, or again and again, for some tasks or for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectMultipleField, StringField

from watchbell.domain.blackouts import DESCRIPTION_LIMIT, NAME_LIMIT, fields_of
from watchbell.domain.day_calendar import WEEKDAYS
from watchbell.errors import Problem
from watchbell.services.blackouts import BlackoutView
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_SHORT = {**_PLAIN, "maxlength": 20}


class BlackoutForm(FlaskForm):  # type: ignore[misc]
    """A window as people type it."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    description = StringField(lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "autocomplete": "off"})
    zone = StringField(lazy("Time zone"), render_kw={**_PLAIN, "maxlength": 64})
    starts = StringField(lazy("Begins"), render_kw=_SHORT)
    ends = StringField(lazy("Ends"), render_kw=_SHORT)
    from_time = StringField(lazy("From"), render_kw=_SHORT)
    to_time = StringField(lazy("Until"), render_kw=_SHORT)
    weekdays = SelectMultipleField(
        lazy("On these days"), choices=choices((name, name) for name in WEEKDAYS), validate_choice=False
    )
    tasks = StringField(lazy("Tasks"), render_kw={**_PLAIN, "maxlength": 4000})

    def fields(self) -> dict[str, object]:
        """Return what was given as the fields of a window."""
        names = ("name", "description", "zone", "starts", "ends", "from_time", "to_time")
        given: dict[str, object] = {name: self[name].data or "" for name in names}
        tasks = [name.strip() for name in (self.tasks.data or "").split(",") if name.strip()]
        return {**given, "weekdays": list(self.weekdays.data or []), "tasks": tasks}

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = self[problem.field if problem.field in self._fields else "name"]
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            field.errors = [*field.errors, f"{sentence(problem.message)}{example}"]


def shown_data(view: BlackoutView) -> dict[str, Any]:
    """Return what the form of a window shows."""
    return {**fields_of(view.blackout), "tasks": ", ".join(view.tasks)}
