"""The form of a rule about the numbers of runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField

from watchbell.domain.alerting import NAME_LIMIT
from watchbell.domain.expressions import LENGTH_LIMIT
from watchbell.errors import InputError, NotFound, Problem
from watchbell.services import tasks
from watchbell.services.alert_rules import RuleView
from watchbell.web.db import database
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.spans import seconds_text, span_text

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
#: Fields of a rule that are other ones in the form.
_SHOWN_AT = {"task_id": "task", "throttle_seconds": "throttle"}


class AlertRuleForm(FlaskForm):  # type: ignore[misc]
    """A rule as people type it: the task by its name, the throttle as a length of time."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    expression = StringField(lazy("Alert when"), render_kw={**_PLAIN, "maxlength": LENGTH_LIMIT, "required": True})
    task = StringField(lazy("Task"), render_kw={**_PLAIN, "maxlength": 100})
    severity = SelectField(
        lazy("Severity"),
        choices=choices((("info", lazy("information")), ("warning", lazy("warning")), ("critical", lazy("critical")))),
        validate_choice=False,
        default="warning",
    )
    throttle = StringField(lazy("Throttle"), render_kw={**_PLAIN, "maxlength": 20}, default="5m")
    enabled = BooleanField(lazy("Enabled"), default=True)

    def task_id(self) -> int | None:
        """Return the task that was typed, None for all of them; raises InputError."""
        text = (self.task.data or "").strip()
        if not text:
            return None
        try:
            return tasks.find_by_name(database(), text).id
        except NotFound:
            raise InputError.of("task", _("there is no task of that name")) from None

    def fields(self) -> dict[str, object]:
        """Return what was typed as the fields of a rule; raises InputError."""
        throttle = (self.throttle.data or "").strip()
        return {
            "name": self.name.data or "",
            "expression": self.expression.data or "",
            "task_id": self.task_id(),
            "severity": self.severity.data or "",
            "throttle_seconds": seconds_text(throttle) if throttle else 0,
            "enabled": bool(self.enabled.data),
        }

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            name = _SHOWN_AT.get(problem.field, problem.field)
            field = name if name in self._fields else "name"
            self[field].errors = [*self[field].errors, problem_text(problem)]


def problem_text(problem: Problem) -> str:
    """Return a problem as it stands at its field."""
    if problem.field == "throttle_seconds":
        return _("Must be a length of time from 0 to 31d. For example: %(example)s", example="5m")
    example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
    return f"{problem.message[:1].upper()}{problem.message[1:]}.{example}"


def shown_data(view: RuleView) -> dict[str, Any]:
    """Return what the form of a rule shows."""
    rule = view.rule
    return {
        "name": rule.name,
        "expression": rule.expression,
        "task": view.task_name or "",
        "severity": rule.severity,
        "throttle": span_text(rule.throttle_seconds) if rule.throttle_seconds else "0",
        "enabled": rule.enabled,
    }
