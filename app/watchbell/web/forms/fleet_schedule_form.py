"""The form of a recurring order to devices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField

from watchbell.domain.job_document import read_timeout
from watchbell.domain.policies import CatchUp
from watchbell.errors import InputError, Problem
from watchbell.services import fleet_orders
from watchbell.services.fleet_orders import NAME_LIMIT
from watchbell.services.fleet_schedules import DESCRIPTION_LIMIT
from watchbell.services.job_library import TemplateNotFound
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.job_library import JobTemplate
from watchbell.web.db import database
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.spans import seconds_text, span_text

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_AREA = {**_PLAIN, "rows": 3}
#: Fields of a schedule that are other ones in the form.
_SHOWN_AT = {
    "job_name": "name",
    "job_document": "document",
    "template_id": "template",
    "interval_minutes": "every",
    "cron_expression": "cron",
    "timeout_seconds": "timeout",
    "is_carried": "carried",
    "schedule_type": "kind",
    "target_type": "target",
    "target_devices": "devices",
    "target_filter": "filter",
}
_KEPT = ""


class FleetScheduleForm(FlaskForm):  # type: ignore[misc]
    """A schedule as people type it: what is done, on which devices, and when."""

    name = StringField(lazy("Name"), render_kw={**_PLAIN, "maxlength": NAME_LIMIT, "required": True})
    description = StringField(lazy("Description"), render_kw={"autocomplete": "off", "maxlength": DESCRIPTION_LIMIT})
    template = SelectField(lazy("What is done"), choices=(), validate_choice=False)
    variables = TextAreaField(lazy("Variables of the template"), render_kw=_AREA)
    document = TextAreaField(lazy("Document"), render_kw={**_AREA, "rows": 10})
    target = SelectField(
        lazy("On which devices"),
        choices=choices((("all", lazy("all")), ("group", lazy("those that match")), ("device", lazy("chosen ones")))),
        validate_choice=False,
    )
    filter = TextAreaField(lazy("What they must match"), render_kw=_AREA)
    devices = TextAreaField(lazy("Chosen devices"), render_kw=_AREA)
    kind = SelectField(
        lazy("Repeats"),
        choices=choices((("interval", lazy("every so often")), ("cron", lazy("by cron text")))),
        validate_choice=False,
    )
    every = StringField(lazy("Every"), render_kw={**_PLAIN, "maxlength": 20}, default="1h")
    cron = StringField(lazy("Cron text"), render_kw={**_PLAIN, "maxlength": 200})
    carried = BooleanField(lazy("Carried on the devices"))
    catch_up = SelectField(
        lazy("Missed while the device was off"),
        choices=choices((("last", lazy("run the last one")), ("all", lazy("run all")), ("skip", lazy("run none")))),
        validate_choice=False,
    )
    max_executions = StringField(lazy("Ends after so many"), render_kw={**_PLAIN, "inputmode": "numeric"})
    timeout = StringField(lazy("Time for each device"), render_kw={**_PLAIN, "maxlength": 20}, default="1h")

    def offer(self, templates: Sequence[JobTemplate], schedule: FleetSchedule | None) -> None:
        """Let templates be chosen; of a schedule that is there its document may stay as it is."""
        own = lazy("its document, as it stands below") if schedule is not None else lazy("a document of one's own")
        named = [(str(one.id), f"{one.name} ({one.category})") for one in templates if one.is_active]
        kept = [(_KEPT, own)]
        self.template.choices = choices([*kept, *named] if schedule is not None else [*named, *kept])

    def fields(self) -> dict[str, Any]:
        """Return what was typed as the fields of a schedule; raises InputError."""
        is_cron, target = self.kind.data == "cron", self.target.data or "all"
        return {
            "name": (self.name.data or "").strip(),
            "description": (self.description.data or "").strip() or None,
            "document": self._document(),
            "target_type": target,
            "target_filter": read_filter_lines(self.filter.data or "") if target == "group" else None,
            "target_devices": (self.devices.data or "").split() if target == "device" else None,
            "schedule_type": self.kind.data or "",
            "cron_expression": (self.cron.data or "").strip() if is_cron else None,
            "interval_minutes": None if is_cron else self._minutes(),
            "max_executions": None if self.carried.data else _whole("max_executions", self.max_executions.data),
            "is_carried": bool(self.carried.data),
            "catch_up": self.catch_up.data or CatchUp.LAST.value,
            "timeout_seconds": read_timeout(_seconds("timeout", self.timeout.data), None),
        }

    def _document(self) -> object:
        chosen = self.template.data or _KEPT
        if chosen != _KEPT:
            number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else 0
            values = read_lines(self.variables.data or "", "variables")
            try:
                return fleet_orders.document_of(database(), number, values)
            except TemplateNotFound:
                raise InputError.of("template", _("there is no such template any more")) from None
        text = (self.document.data or "").strip()
        if not text:
            raise InputError.of("template", _("choose a template, or write a document"))
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError.of("document", _("is no JSON: %(error)s", error=str(error)[:200])) from None

    def _minutes(self) -> int:
        seconds = _seconds("every", self.every.data)
        if not seconds or seconds % 60:
            raise InputError.of("every", _("must be a length of time in whole minutes"), "1h")
        return seconds // 60

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            name = shown_at(problem)
            self[name].errors = [*self[name].errors, problem_text(problem)]


def shown_at(problem: Problem) -> str:
    """Return the field of the form that a problem belongs to."""
    first = problem.field.partition(".")[0]
    name = _SHOWN_AT.get(first, first)
    return name if name in FleetScheduleForm.__dict__ else "document"


def problem_text(problem: Problem) -> str:
    """Return a problem as it stands at its field."""
    _first, _dot, rest = problem.field.partition(".")
    place = f"{rest} " if rest else ""
    example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
    text = f"{place}{problem.message}"
    return f"{text[:1].upper()}{text[1:]}.{example}"


def read_lines(text: str, place: str) -> dict[str, str]:
    """Return the names and values of lines such as ``URL = https://host``; raises InputError."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        if not line.strip():
            continue
        if not sign or not name.strip():
            raise InputError.of(place, _("must be lines of a name and a value"), "URL = https://host")
        found[name.strip()] = value.strip()
    return found


def read_filter_lines(text: str) -> dict[str, Any]:
    """Return the filter that lines mean: attributes by their names, tags as ``tag:site = north``; raises InputError."""
    chosen: dict[str, Any] = {}
    for name, value in read_lines(text, "filter").items():
        if name.startswith("tag:"):
            chosen.setdefault("tags", {})[name.removeprefix("tag:").strip()] = value
        elif name == "is_online":
            chosen[name] = {"true": True, "false": False}.get(value.lower(), value)
        else:
            chosen[name] = value
    return chosen


def filter_lines(chosen: Mapping[str, Any]) -> str:
    """Return a filter as lines, of which ``read_filter_lines`` makes the same."""
    plain = [
        f"{name} = {str(value).lower() if isinstance(value, bool) else value}"
        for name, value in chosen.items()
        if name != "tags"
    ]
    tags = [f"tag:{key} = {value}" for key, value in dict(chosen.get("tags") or {}).items()]
    return "\n".join([*plain, *tags])


def shown_data(found: FleetSchedule) -> dict[str, Any]:
    """Return what the form of a schedule shows."""
    return {
        "name": found.name,
        "description": found.description or "",
        "template": _KEPT,
        "document": json.dumps(found.document, indent=2, ensure_ascii=False),
        "target": found.target_type,
        "filter": filter_lines(found.target_filter or {}),
        "devices": "\n".join(found.target_devices or ()),
        "kind": found.schedule_type,
        "every": span_text(60 * found.interval_minutes) if found.interval_minutes else "1h",
        "cron": found.cron_expression or "",
        "carried": found.is_carried,
        "catch_up": found.catch_up,
        "max_executions": str(found.max_executions or ""),
        "timeout": span_text(found.timeout_seconds),
    }


def _seconds(place: str, text: str | None) -> int | None:
    found = seconds_text((text or "").strip())
    if not found:
        return None
    if not (found.isascii() and found.isdigit() and len(found) < 10):
        raise InputError.of(place, _("must be a length of time"), "1h")
    return int(found)


def _whole(place: str, text: str | None) -> int | None:
    found = (text or "").strip()
    if not found:
        return None
    if not (found.isascii() and found.isdigit() and 0 < len(found) < 10 and int(found)):
        raise InputError.of(place, _("must be a whole number, or empty"), "10")
    return int(found)
