"""The form of an environment set: its name, what it is for, and its variables in lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField, TextAreaField

from watchbell.domain.environment_sets import NAME_LIMIT
from watchbell.errors import Problem
from watchbell.services.environment_sets import DESCRIPTION_LIMIT, SetView
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class EnvironmentSetForm(FlaskForm):  # type: ignore[misc]
    """A set as people type it."""

    version = HiddenField()
    #: The variables as they were when the form was begun, by which it is known who has changed which.
    began = HiddenField()
    began_description = HiddenField()
    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    description = StringField(lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "autocomplete": "off"})
    variables = TextAreaField(lazy("Variables"), render_kw={**_PLAIN, "rows": 10})

    def fields(self) -> dict[str, object]:
        """Return what was given as the fields of a set."""
        return {name: self[name].data or "" for name in ("name", "description", "variables")}

    def begin(self, view: SetView) -> None:
        """Go on from what is stored now: saving puts what is typed in its place."""
        self.version.data, self.began.data = str(view.row.version), lines_of(view.row.variables)
        self.began_description.data = view.row.description

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = self[problem.field if problem.field in self._fields else "name"]
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            field.errors = [*field.errors, f"{sentence(problem.message)}{example}"]


def lines_of(variables: Mapping[str, Any]) -> str:
    """Return variables as people type them."""
    return "\n".join(f"{name}={value}" for name, value in variables.items())


def shown_data(view: SetView) -> dict[str, Any]:
    """Return what the form of a set shows."""
    row, lines = view.row, lines_of(view.row.variables)
    return {
        "name": row.name,
        "description": row.description,
        "variables": lines,
        "began": lines,
        "began_description": row.description,
        "version": str(row.version),
    }
