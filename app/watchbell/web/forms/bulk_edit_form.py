"""The form that gives many tasks the same values: each field counts only if it is ticked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask_wtf import FlaskForm
from wtforms import HiddenField, SelectField, SelectMultipleField, StringField, TextAreaField

from watchbell.domain.shared_fields import ON_PAGE
from watchbell.errors import InputError, Problem
from watchbell.services.bulk_edits import Changes
from watchbell.web.forms.policy_fields import choices, in_spans
from watchbell.web.forms.task_form import CALENDAR_RULES, calendar_choices
from watchbell.web.i18n import _, lazy
from watchbell.web.spans import seconds_text
from watchbell.web.told import sentence

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
NAMES = (
    "enabled",
    "add_tags",
    "remove_tags",
    "zone",
    "calendar",
    "calendar_rule",
    "not_before",
    "not_after",
    "environment_sets",
    "owner",
    "team",
    "host",
    "queue",
    "retries",
    "time_limit_seconds",
    "parameter_defaults",
    "runbook",
    "links",
)


class BulkEditForm(FlaskForm):  # type: ignore[misc]
    """A box and a field for each."""

    #: The names of the fields that are to be changed.
    change = SelectMultipleField(choices=choices((name, name) for name in NAMES), validate_choice=False)
    #: What was shown as what would change.
    seen = HiddenField()

    enabled = SelectField(
        lazy("Status"), choices=choices([("on", lazy("enabled")), ("off", lazy("disabled"))]), validate_choice=False
    )
    add_tags = StringField(lazy("Add tags"), render_kw=_PLAIN)
    remove_tags = StringField(lazy("Remove tags"), render_kw=_PLAIN)
    zone = StringField(lazy("Time zone"), render_kw={"list": "zones", **_PLAIN})
    calendar = SelectField(lazy("Calendar"), choices=calendar_choices, validate_choice=False)
    calendar_rule = SelectField(lazy("On its days"), choices=choices(CALENDAR_RULES), validate_choice=False)
    not_before = StringField(lazy("First day"), render_kw={**_PLAIN, "maxlength": 20})
    not_after = StringField(lazy("Last day"), render_kw={**_PLAIN, "maxlength": 20})
    environment_sets = StringField(lazy("Environment sets"), render_kw=_PLAIN)
    owner = StringField(lazy("Owner"), render_kw=_PLAIN)
    team = SelectField(lazy("Team"), choices=[], validate_choice=False)
    host = StringField(lazy("Host"), render_kw=_PLAIN)
    queue = StringField(lazy("Queue"), render_kw=_PLAIN)
    retries = StringField(lazy("Retries"), render_kw={"inputmode": "numeric", **_PLAIN})
    time_limit_seconds = StringField(lazy("Time limit"), render_kw=_PLAIN)
    parameter_defaults = TextAreaField(lazy("Defaults of parameters"), render_kw={"rows": 2, **_PLAIN})
    runbook = TextAreaField(lazy("Runbook"), render_kw={"rows": 4})
    links = TextAreaField(lazy("Links"), render_kw={"rows": 2, "spellcheck": "false"})

    def offer_teams(self, names: Sequence[str]) -> None:
        """Let one of these teams be chosen, or none."""
        self.team.choices = choices([("", _("none")), *((name, name) for name in names)])

    def changes(self) -> Changes:
        """Return what is ticked; raises InputError if that is nothing."""
        ticked = [name for name in NAMES if name in (self.change.data or ())]
        values = {name: str(self[name].data or "") for name in ticked}
        if "time_limit_seconds" in values:
            values["time_limit_seconds"] = seconds_text(values["time_limit_seconds"])
        found = Changes(
            {name: values[name] for name in ON_PAGE if name in values},
            _tags(values.get("add_tags", "")),
            _tags(values.get("remove_tags", "")),
            _defaults(values["parameter_defaults"]) if "parameter_defaults" in values else {},
        )
        if found.is_empty:
            raise InputError.of("change", _("tick what is to be changed"))
        return found

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field; one that many tasks have is told once."""
        for problem in map(in_spans, problems):
            field = problem.field if problem.field in self._fields else "change"
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            if text not in self[field].errors:
                self[field].errors = [*self[field].errors, text]


def _defaults(text: str) -> dict[str, str]:
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InputError.of("parameter_defaults", _("each line is NAME=value"), "day=yesterday")
        found[name.strip()] = value.strip()
    return found


def _tags(text: str) -> Sequence[str]:
    return [tag.strip() for tag in text.split(",") if tag.strip()]
