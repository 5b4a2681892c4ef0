"""The form that pauses something: why, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField

from watchbell.domain.schedule.moment import read_moment
from watchbell.errors import InputError, Problem
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

#: Choice -> how long, and its words.
LENGTHS: dict[str, tuple[timedelta | None, Any]] = {
    "": (None, lazy("until somebody resumes")),
    "30m": (timedelta(minutes=30), lazy("for 30 minutes")),
    "1h": (timedelta(hours=1), lazy("for an hour")),
    "4h": (timedelta(hours=4), lazy("for 4 hours")),
    "1d": (timedelta(days=1), lazy("for a day")),
    "at": (None, lazy("until a moment")),
}


class PauseForm(FlaskForm):  # type: ignore[misc]
    """Why and for how long; what is paused stands in the address."""

    scope = HiddenField()
    reason = StringField(lazy("Reason"), render_kw={"maxlength": 200, "autocomplete": "off"})
    length = SelectField(
        lazy("How long"),
        choices=choices((key, words) for key, (_length, words) in LENGTHS.items()),
        validate_choice=False,
    )
    until = StringField(lazy("Until"))

    def end(self, *, now: datetime, zone: str) -> datetime | None:
        """Return when the pause ends by itself, None for when somebody resumes; raises InputError."""
        chosen, typed = self.length.data or "", (self.until.data or "").strip()
        if chosen not in LENGTHS:
            text = _("must be one of %(choices)s, or nothing", choices=", ".join(filter(None, LENGTHS)))
            raise InputError.of("length", text, "1h")
        if chosen != "at":
            span = LENGTHS[chosen][0]
            return now + span if span is not None else None
        if not typed:
            raise InputError.of("until", _("say until when"), "2030-01-31 09:30")
        try:
            return read_moment(typed, zone, now)
        except InputError as error:
            raise InputError(
                *(Problem("until", problem.message, problem.example) for problem in error.problems)
            ) from None

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "reason"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            self[field].errors = [*self[field].errors, text]
