"""The page of one device: how it stands, what it is at, what it has done, what is known of it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import render_template, request

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import carried, device_history, device_lists
from watchbell.services.device_history import Workload
from watchbell.services.device_lists import DeviceLine
from watchbell.web import current, device_facts, presenters_fleet_devices, query
from watchbell.web.db import database
from watchbell.web.i18n import _

#: So many jobs stand on a page.
JOB_ROWS = 25


def page(uuid: str) -> str:
    """Return the page of a device; raises NotFound."""
    now, db = current.now(), database()
    line = device_lists.line_of(db, uuid, now=now)
    done = device_history.workload(db, uuid, now=now)
    states = states_of(request.args)
    before, after = query.optional_id(request.args, "before"), query.optional_id(request.args, "after")
    jobs = device_history.list_jobs(db, uuid, states=states, before=before, after=after, limit=JOB_ROWS)
    kept = {"uuid": line.device.uuid, "state": states[0] if states else None}
    return render_template(
        "fleet/devices/detail.html",
        line=line,
        done=done,
        jobs=jobs,
        carried=carried.list_carried_by(db, uuid, now=now),
        state=states[0] if states else "",
        turns={
            "newest": kept if jobs.newer is not None else None,
            "newer": {**kept, "after": jobs.newer} if jobs.newer is not None else None,
            "older": {**kept, "before": jobs.older} if jobs.older is not None else None,
            "oldest": None,
        },
        answer=_answer(line, done),
        success=presenters_fleet_devices.success(done),
        facts=device_facts.facts_of(line.device),
        seconds_of=presenters_fleet_devices.seconds_of,
        step_of=presenters_fleet_devices.step_of,
    )


def states_of(args: Mapping[str, str]) -> tuple[str, ...]:
    """Return the state that an address asks for, if it does; raises InputError for one that is none."""
    found = query.word(args, "state", ("", *(state.value for state in DeviceJobState)), "")
    return (found,) if found else ()


def _answer(line: DeviceLine, done: Workload) -> str:
    """Return what it does now, in a sentence."""
    if done.held is not None:
        return _("At work on %(job)s.", job=done.held.name)
    if line.device.key_hash is None:
        return _("It has no key, and is refused until it gets one.")
    return ""
