"""The form of a template of jobs, but for its document, which has an editor of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, StringField, TextAreaField

from watchbell.errors import InputError, Problem
from watchbell.services.job_library import DESCRIPTION_LIMIT, NAME_LIMIT
from watchbell.store.job_library import JobTemplate
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class JobTemplateForm(FlaskForm):  # type: ignore[misc]
    """What a template is called, and what it is for."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    category = StringField(
        lazy("Category"), render_kw={**_PLAIN, "maxlength": 100, "list": "categories"}, default="custom"
    )
    description = TextAreaField(
        lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "rows": 2, "autocomplete": "off"}
    )
    is_active = BooleanField(lazy("In use"), default=True)
    #: When the template was changed last, as whoever edits it has seen it.
    seen = HiddenField()

    def fields(self) -> dict[str, object]:
        """Return what was typed as the fields of a template."""
        return {
            "name": (self.name.data or "").strip(),
            "category": (self.category.data or "").strip() or "custom",
            "description": (self.description.data or "").strip() or None,
            "is_active": bool(self.is_active.data),
        }

    def seen_at(self) -> datetime | None:
        """Return when the template was changed last, as it was seen; raises InputError for what no page has sent."""
        text = self.seen.data or ""
        try:
            moment = datetime.fromisoformat(text) if text else None
        except ValueError:
            moment = None
        if text and (moment is None or moment.tzinfo is None):
            raise InputError.of("name", _("this form is not whole; load it anew"))
        return moment

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "name"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            self[field].errors = [*self[field].errors, f"{sentence(problem.message)}{example}"]


def shown_data(template: JobTemplate) -> dict[str, object]:
    """Return what the form of a template shows."""
    return {
        "name": template.name,
        "category": template.category,
        "description": template.description or "",
        "is_active": template.is_active,
        "seen": template.updated_at.isoformat(),
    }
