"""The forms of a secret: its name, its value, and proving who one is before either counts."""

from __future__ import annotations

from collections.abc import Iterable

from wtforms import StringField, TextAreaField

from watchbell.domain.secret_names import NAME_LIMIT, VALUE_LIMIT
from watchbell.errors import Problem
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_FIELDS = {"name": "name", "value": "secret_value"}


class ValueForm(ProofForm):
    """A value, which no answer ever repeats."""

    secret_value = TextAreaField(
        lazy("Value"),
        render_kw={"rows": 3, "required": True, "maxlength": VALUE_LIMIT, "autocomplete": "off", "spellcheck": "false",
                   "autocapitalize": "none"},
    )  # fmt: skip

    def take_value(self) -> str:
        """Return what was typed, as a terminal would have it, and forget it."""
        text = (self.secret_value.data or "").replace("\r\n", "\n")
        self.secret_value.data = ""
        line = text.removesuffix("\n")
        return text if "\n" in line else line

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = self[_FIELDS.get(problem.field, "secret_value")]
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            field.errors = [*field.errors, f"{sentence(problem.message)}{example}"]


class SecretForm(ValueForm):
    """A new secret."""

    name = StringField(
        lazy("Name"),
        render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off", "spellcheck": "false",
                   "autocapitalize": "none"},
    )  # fmt: skip
