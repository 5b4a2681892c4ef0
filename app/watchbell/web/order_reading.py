"""An order to devices as its form says it, and whatever is wrong with it at the field that it is wrong with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from flask import request

from watchbell.domain import job_document, json_text
from watchbell.domain.job_document import read_timeout
from watchbell.domain.permissions import Right
from watchbell.domain.rollout import MOST_FACTOR
from watchbell.errors import InputError, NotFound, Problem
from watchbell.services import job_library
from watchbell.services.fleet_jobs import NoDevices
from watchbell.services.fleet_orders import Order
from watchbell.web import current, document_editor, query
from watchbell.web.db import database
from watchbell.web.forms.execute_form import MATCHED, VALUE, ExecuteForm
from watchbell.web.i18n import _
from watchbell.web.spans import seconds_text
from watchbell.web.told import sentence

OWN, TEMPLATE = "own", "template"
_HIGHEST_ID = 2**63 - 1
#: A field of an order -> the field of the form; what begins with one of these belongs there, too.
_PLACES = {
    "job_name": "name", "target_type": "target", "target_devices": "device_q", "priority": "priority",
    "timeout_seconds": "timeout", "schedule.scheduled_at": "start_at", "schedule.local_time": "start_local",
    "schedule.window.end": "window_end", "schedule.window.days": "window_days", "schedule.window": "window_start",
    "rollout.interval_seconds": "interval", "rollout.success_percentage": "success",
    "rollout.ended_percentage": "ended", "rollout.abort.0.minimum": "abort_minimum", "rollout.abort": "abort_percent",
    "target_filter.tags": "match_tags", "target_filter.group": "match_group", "target_filter.is_online": "match_online",
    "tags": "match_tags", "Idempotency-Key": "name",
}  # fmt: skip
_PREFIXES = {"target_filter.": "match_", "variables.": VALUE, "rollout.": ""}
_Found = TypeVar("_Found")


def order_of(form: ExecuteForm, devices: Sequence[str], total: int) -> Order:
    """Return the order that was typed, with the rules of waves for so many devices.

    Raises InputError, whose fields are those of the form or of an order.
    """
    wrong: list[InputError] = []

    def read(part: Callable[[], _Found]) -> _Found | None:
        try:
            return part()
        except InputError as error:
            wrong.append(error)
            return None

    document, template_id = read(lambda: _what(form)) or (None, None)
    undo, undo_id = read(lambda: _undo(form)) or (None, None)
    target_type, chosen = read(lambda: _target(form, devices)) or ("device", None)
    schedule = read(lambda: _schedule(form))
    seconds = read(lambda: seconds_of(form.timeout.data, "timeout")) or 0
    priority = read(lambda: _whole(form.priority.data, "priority")) or 0
    rules = read(lambda: _rollout(form, total))
    if seconds:
        read(lambda: read_timeout(seconds, None))
    if wrong:
        raise InputError.joined(wrong)
    return Order(
        name=form.name.data or "",
        target_type=target_type,
        document=document,
        template_id=template_id,
        target_devices=tuple(devices) if target_type == "device" else (),
        target_filter=chosen,
        variables=form.values(),
        execution_type="continuous" if form.continuous.data else "oneTime",
        schedule=schedule,
        timeout_seconds=seconds,
        priority=priority,
        rollout=rules,
        rollback_document=undo,
        rollback_template_id=undo_id,
    )


def may_write() -> bool:
    """Return whether whoever orders may order a document of their own."""
    return Right.EDIT in current.user().rights


def documents_of(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what is to be done and what undoes it, as far as that can be read; ``data`` are the fields of the form."""
    found = []
    for source, template, document in (
        ("source", "template_id", "document"),
        ("rollback", "rollback_template_id", "rollback_document"),
    ):
        one = _readable(
            str(data.get(source) or TEMPLATE * (source == "source")), data.get(template), data.get(document)
        )
        if one is not None:
            found.append(one)
    return found


def _readable(source: str, template: object, text: object) -> Mapping[str, Any] | None:
    try:
        if source == OWN:
            value = json_text.read(str(text or "")).value
            return value if isinstance(value, Mapping) else None
        number = _id_of(str(template or ""))
        return job_library.get_template(database(), number).document if source == TEMPLATE and number else None
    except (InputError, NotFound):
        # It is told when the order is looked at; until then there is nothing to ask values for.
        return None


def _what(form: ExecuteForm) -> tuple[Mapping[str, Any] | None, int | None]:
    if form.source.data == OWN:
        return _own(form, "document"), None
    number = _id_of(form.template_id.data or "")
    if number is None:
        raise InputError.of("template_id", _("choose one"))
    return None, number


def _undo(form: ExecuteForm) -> tuple[Mapping[str, Any] | None, int | None]:
    if form.rollback.data == OWN:
        return _own(form, "rollback_document"), None
    if form.rollback.data != TEMPLATE:
        return None, None
    number = _id_of(form.rollback_template_id.data or "")
    if number is None:
        raise InputError.of("rollback_template_id", _("choose one"))
    return None, number


def _own(form: ExecuteForm, field: str) -> Mapping[str, Any]:
    if not may_write():
        raise InputError.of(field, _("needs the right to edit; execute a template"))
    editor = document_editor.Editor(document_editor.JSON, (form[field].data or "").replace("\r\n", "\n"))
    try:
        found, _read = editor.read()
    except InputError as error:
        editor.tell(error)
        raise InputError(*(Problem(field, _told(one)) for one in editor.problems)) from None
    return found


def _told(one: document_editor.Told) -> str:
    place = " ".join(filter(None, (_("Line %(number)s", number=one.line) if one.line else "", one.path)))
    return f"{place}: {one.text}" if place else one.text


def _target(form: ExecuteForm, devices: Sequence[str]) -> tuple[str, dict[str, Any] | None]:
    target = form.target.data
    if target == "device":
        if not devices:
            raise InputError.of("device_q", _("choose at least one device"))
        return "device", None
    if target == "group":
        if not form.group.data:
            raise InputError.of("group", _("choose one"))
        return "group", {"group": form.group.data}
    if target == "match":
        return "group", _matched(form)
    if target == "all":
        return "all", None
    raise InputError.of("target", _("choose one"))


def _matched(form: ExecuteForm) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, _label in MATCHED:
        text = (form[f"match_{name}"].data or "").strip()
        if text:
            chosen[name] = text
    tags = dict(_tag(line.strip()) for line in (form.match_tags.data or "").splitlines() if line.strip())
    if tags:
        chosen["tags"] = tags
    if form.match_group.data:
        chosen["group"] = form.match_group.data
    if form.match_online.data in {"yes", "no"}:
        chosen["is_online"] = form.match_online.data == "yes"
    if not chosen:
        raise InputError.of("match_tags", _("say at least one tag or attribute, or choose all devices"))
    return chosen


def _tag(line: str) -> tuple[str, str]:
    key, equals, value = line.partition("=")
    if not equals or not key.strip():
        raise InputError.of("match_tags", _("must be one key=value a line"), "site=north")
    return key.strip(), value.strip()


def _schedule(form: ExecuteForm) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if form.start.data == "at":
        moment = query.moment(request.form, "start_at")
        if moment is None:
            raise InputError.of("start_at", _("must be a date and time"), "2026-12-01T02:00")
        found["scheduled_at"] = moment.isoformat()
    elif form.start.data == "local":
        found["local_time"] = (form.start_local.data or "").strip()
    window = {"start": (form.window_start.data or "").strip(), "end": (form.window_end.data or "").strip()}
    if any(window.values()):
        found["window"] = {**window, **({"days": list(form.window_days.data)} if form.window_days.data else {})}
    elif form.window_days.data:
        raise InputError.of("window_start", _("must be a time of the day, for a window on these days"), "02:00")
    return found or None


def _rollout(form: ExecuteForm, total: int) -> dict[str, Any] | None:
    tenth = max(1, math.ceil(total / 10))
    sizes: dict[str, dict[str, Any]] = {
        "careful": {"canary": 1, "wave": tenth, "factor": MOST_FACTOR},
        "tenths": {"wave": tenth},
        "doubling": {"wave": 1, "factor": 2},
        "own": {name: _number(form[name].data) for name in ("canary", "wave", "factor", "largest")},
    }
    word = form.rollout.data or ""
    if word not in sizes:
        return None
    rules = {
        **sizes[word],
        "interval_seconds": seconds_of(form.interval.data or "0", "interval"),
        "success_percentage": _number(form.success.data),
        "ended_percentage": _number(form.ended.data),
    }
    if (form.abort_percent.data or "").strip():
        rules["abort"] = [
            {
                "failure_type": form.abort_on.data,
                "threshold_percentage": _number(form.abort_percent.data),
                "minimum": _number(form.abort_minimum.data),
                "action": form.abort_action.data,
            }
        ]
    return {name: value for name, value in rules.items() if value is not None}


def _number(text: str | None) -> float | int | str | None:
    """Return a number that was typed; what is none stays as it is, for the check of the rules to refuse."""
    typed = (text or "").strip().replace(",", ".")
    if not typed:
        return None
    if re.fullmatch(r"[0-9]{1,9}", typed):
        return int(typed)
    return float(typed) if re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", typed) else typed


def _whole(text: str | None, field: str) -> int:
    typed = (text or "0").strip()
    if re.fullmatch(r"-?[0-9]{1,9}", typed) is None:
        raise InputError.of(field, _("must be a whole number"), "10")
    return int(typed)


def seconds_of(text: str | None, field: str) -> int:
    """Return a length of time that was typed, in seconds; raises InputError."""
    found = seconds_text((text or "").strip())
    if re.fullmatch(r"[0-9]{1,9}", found) is None:
        raise InputError.of(field, _("must be a length of time in s, m, h or d"), "30m")
    return int(found)


def _id_of(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0
    return number if 0 < number <= _HIGHEST_ID else None


def tell(form: ExecuteForm, error: InputError | NotFound) -> None:
    """Put each problem of an order on its field."""
    if isinstance(error, NoDevices):
        form.wrong(_place_of_target(form), _("No active device is meant by this."))
        return
    if isinstance(error, NotFound) or not error.problems:
        form.wrong("template_id", sentence(error.message))
        return
    for problem in error.problems:
        form.wrong(_field_of(problem.field, form), document_editor.words_of(problem))


def _place_of_target(form: ExecuteForm) -> str:
    return {"device": "device_q", "group": "group", "match": "match_tags"}.get(form.target.data, "target")


def _field_of(field: str, form: ExecuteForm) -> str:
    if field in form:
        return field
    if field == "target_filter.group" and form.target.data == "group":
        return "group"
    if field.startswith("job_document"):
        return "document" if form.source.data == OWN else "template_id"
    for place, name in _PLACES.items():
        if field == place or field.startswith(f"{place}."):
            return name
    for prefix, begin in _PREFIXES.items():
        name = f"{begin}{field.removeprefix(prefix)}"
        if field.startswith(prefix) and name in form:
            return name
    # Steps of a document that its values do not fit into are named without the document.
    return "document" if form.source.data == OWN else "template_id"


def names_in(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the variables of documents, those first that they describe."""
    found: dict[str, None] = {}
    for document in documents:
        described = document.get("variables")
        used = job_document.names_in(document)
        names = [str(name) for name in described if name in used] if isinstance(described, Mapping) else []
        found.update(dict.fromkeys([*names, *sorted(used)]))
    return list(found)
