"""The form of a handler: a script that devices keep."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, StringField, TextAreaField

from watchbell.errors import Problem
from watchbell.services.job_library import DESCRIPTION_LIMIT, SCRIPT_TYPES
from watchbell.store.job_library import JobHandler
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
BEGIN = "#!/bin/sh\n# $1 is the user of the step, empty if it names none; its arguments begin with $2.\nset -eu\n"


class JobHandlerForm(FlaskForm):  # type: ignore[misc]
    """Name, script, and what it is for."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": 100, "required": True})
    description = TextAreaField(
        lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "rows": 2, "autocomplete": "off"}
    )
    script_type = SelectField(
        lazy("Kind of script"),
        choices=choices((name, name) for name in SCRIPT_TYPES),
        validate_choice=False,
        default="bash",
    )
    script_content = TextAreaField(
        lazy("Script"), render_kw={**_PLAIN, "rows": 20, "wrap": "off", "required": True}, default=BEGIN
    )
    default_args = TextAreaField(lazy("Default arguments"), render_kw={**_PLAIN, "rows": 2})
    #: The version that whoever edits it has seen.
    seen = HiddenField()

    def fields(self) -> dict[str, object]:
        """Return what was typed as the fields of a handler; lines end as they do on devices."""
        args = lines_of(self.default_args.data).rstrip("\n")
        return {
            "name": (self.name.data or "").strip(),
            "description": (self.description.data or "").strip() or None,
            "script_type": self.script_type.data or "",
            "script_content": lines_of(self.script_content.data),
            "default_args": args.split("\n") if args else [],
        }

    def seen_version(self) -> int | None:
        """Return the version that was seen, None if the form says none."""
        text = self.seen.data or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "name"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            self[field].errors = [*self[field].errors, f"{sentence(problem.message)}{example}"]


def lines_of(text: str | None) -> str:
    """Return a text with the ends of lines that devices know."""
    # A browser ends each line with two characters, of which a shell would take the first for a part of the command.
    return (text or "").replace("\r\n", "\n").replace("\r", "\n")


def shown_data(handler: JobHandler, version: int) -> dict[str, object]:
    """Return what the form of a handler shows."""
    return {
        "name": handler.name,
        "description": handler.description or "",
        "script_type": handler.script_type,
        "script_content": handler.script_content,
        "default_args": "\n".join(map(str, handler.default_args)),
        "seen": str(version),
    }
