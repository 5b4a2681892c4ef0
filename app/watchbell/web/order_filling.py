"""What the form of an order begins with: nothing, a template, a device, a group, or an earlier order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from watchbell.domain import json_text
from watchbell.errors import NotFound
from watchbell.services import fleet_jobs, job_library
from watchbell.services.device_choice import MOST_CHOSEN
from watchbell.store.fleet_jobs import Execution
from watchbell.web import current, query
from watchbell.web.db import database
from watchbell.web.forms.execute_form import MATCHED
from watchbell.web.i18n import _, grouped
from watchbell.web.order_reading import OWN, TEMPLATE, may_write
from watchbell.web.spans import span_text


class Filling:
    """The fields of a form, the devices that are chosen, and what is to be said of it."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.devices: list[str] = []
        self.notes: list[str] = []


def read(args: MultiDict[str, str]) -> Filling:
    """Return what an address asks for; raises NotFound for what is not there."""
    filling = Filling()
    if args.get("from"):
        _fill_again(filling, args["from"])
    template_id = query.optional_id(args, "template")
    if template_id is not None:
        template = job_library.get_template(database(), template_id)
        filling.data |= {
            "source": TEMPLATE,
            "template_id": str(template.id),
            "name": filling.data.get("name") or template.name,
        }
    chosen = [text.strip().lower() for text in args.getlist("device") if text.strip()]
    if chosen:
        filling.data["target"] = "device"
        filling.devices = list(dict.fromkeys(chosen))[:MOST_CHOSEN]
    if args.get("group"):
        filling.data |= {"target": "group", "group": query.text(args, "group")}
    return filling


def _fill_again(filling: Filling, job_id: str) -> None:
    """Fill in what an earlier order said."""
    shown, _parts = fleet_jobs.get(database(), job_id)
    order = shown.execution
    filling.data |= {
        "name": order.name,
        "timeout": span_text(order.timeout_seconds),
        "priority": str(order.priority),
        "continuous": order.execution_type == "continuous",
        **_schedule(order.schedule or {}),
        **_rollout(filling, order.rollout),
    }
    _fill_document(filling, order)
    if order.target_type == "device":
        filling.data["target"] = "device"
        filling.devices = list(shown.targets)[:MOST_CHOSEN]
        if len(shown.targets) > MOST_CHOSEN:
            filling.notes.append(
                _("It went to more devices than are chosen one by one: only the first %(num)s are chosen here.", num=grouped(MOST_CHOSEN))
            )  # fmt: skip
    elif order.target_type == "all":
        filling.data["target"] = "all"
    else:
        filling.data |= _filter(order.target_filter or {})


def _fill_document(filling: Filling, order: Execution) -> None:
    if may_write():
        # The very document that was executed, with its values in place.
        filling.data |= {"source": OWN, "document": json_text.write(order.document)}
        if order.rollback_document is not None:
            filling.data |= {"rollback": OWN, "rollback_document": json_text.write(order.rollback_document)}
        return
    try:
        template = job_library.get_template(database(), order.template_id or 0)
    except NotFound:
        filling.notes.append(_("What it did is no template any more: choose another one."))
        return
    filling.data |= {"source": TEMPLATE, "template_id": str(template.id)}
    filling.notes.append(_("Values are not kept with an order: give them again."))


def _schedule(schedule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if schedule.get("scheduled_at"):
        moment = datetime.fromisoformat(schedule["scheduled_at"]).astimezone(current.zone())
        found |= {"start": "at", "start_at": moment.strftime("%Y-%m-%dT%H:%M")}
    elif schedule.get("local_time"):
        found |= {"start": "local", "start_local": str(schedule["local_time"])[:16]}
    window = schedule.get("window")
    if window:
        found |= {"window_start": window["start"], "window_end": window["end"], "window_days": window.get("days") or []}
    return found


def _rollout(filling: Filling, rules: Mapping[str, Any] | None) -> dict[str, Any]:
    if rules is None:
        return {}
    numbers = {name: f"{rules[name]:g}" if rules.get(name) is not None else "" for name in ("canary", "wave", "factor", "largest")}  # fmt: skip
    found = {
        "rollout": "own",
        **numbers,
        "interval": span_text(rules.get("interval_seconds", 0)),
        "success": f"{rules.get('success_percentage', 100):g}",
        "ended": f"{rules.get('ended_percentage', 100):g}",
    }
    abort = rules.get("abort") or []
    if len(abort) > 1:
        filling.notes.append(_("It had several rules that stop it; only the first is here."))
    if abort:
        found |= {
            "abort_percent": f"{abort[0]['threshold_percentage']:g}",
            "abort_minimum": str(abort[0]["minimum"]),
            "abort_on": abort[0]["failure_type"],
            "abort_action": abort[0]["action"],
        }
    return found


def _filter(chosen: Mapping[str, Any]) -> dict[str, Any]:
    if set(chosen) == {"group"}:
        return {"target": "group", "group": chosen["group"]}
    tags = chosen.get("tags") or {}
    online = {True: "yes", False: "no"}.get(chosen.get("is_online"), "")  # type: ignore[arg-type]
    return {
        "target": "match",
        **{f"match_{name}": chosen.get(name, "") for name, _label in MATCHED},
        "match_tags": "\n".join(f"{key}={value}" for key, value in tags.items()),
        "match_group": chosen.get("group", ""),
        "match_online": online,
    }
