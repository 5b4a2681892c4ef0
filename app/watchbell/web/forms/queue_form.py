"""The form of a queue: its name, how many of its runs may go at a time, and what it is for."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField

from watchbell.errors import InputError, Problem
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence


class QueueForm(FlaskForm):  # type: ignore[misc]
    """A bound, or none."""

    name = StringField(
        lazy("Name"),
        render_kw={"maxlength": 50, "required": True, "autocomplete": "off", "spellcheck": "false",
                   "autocapitalize": "none"},
    )  # fmt: skip
    max_running = StringField(
        lazy("At most so many at a time"), render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )
    carrier = SelectField(
        lazy("Runs are carried by"),
        choices=choices((("scheduler", lazy("the scheduler")), ("engine", lazy("workers of the engine")))),
        validate_choice=False,
        default="scheduler",
    )
    comment = StringField(lazy("Comment"), render_kw={"maxlength": 500, "autocomplete": "off"})

    def bound(self) -> int | None:
        """Return the typed bound, None for no bound; raises InputError for what is no number."""
        text = (self.max_running.data or "").strip()
        if not text:
            return None
        if not text.isascii() or not text.isdigit():
            raise InputError.of("max_running", _("must be a whole number, or empty for no bound"), "2")
        return int(text[:9])

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "name"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            self[field].errors = [*self[field].errors, text]
