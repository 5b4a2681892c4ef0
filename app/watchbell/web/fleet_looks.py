"""What the first page of the fleet shows: numbers, pictures and what needs a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from flask import url_for

from watchbell.domain import fleet_figures
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import fleet_views
from watchbell.services.fleet_views import Group, Look
from watchbell.store.fleet_jobs import Execution
from watchbell.web import current, fleet_words
from watchbell.web.db import database
from watchbell.web.fleet_execution_list import as_row
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.pictures import fleet_lanes, fleet_map
from watchbell.web.pictures.axis import Axis
from watchbell.web.pictures.fleet_map import Links, Map
from watchbell.web.pictures.lanes import DrawnLane
from watchbell.web.presenters import local_text


@dataclasses.dataclass(frozen=True, slots=True)
class Rolling:
    """An order that goes on, and the map of its waves if it goes by waves."""

    execution: Execution
    map: Map | None


@dataclasses.dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything that the page shows."""

    look: Look
    answer: str
    is_quiet: bool
    going: Sequence[Rolling]
    axis: Axis
    lanes: Sequence[DrawnLane]
    #: Of what was given within a day and a week and has ended, how much went well.
    day_success: str
    week_success: str
    #: Of how many.
    day_judged: int
    week_judged: int
    devices: int


def dashboard() -> Dashboard:
    """Return what the page shows now."""
    now = current.now()
    look = fleet_views.look(database(), now=now)
    axis = fleet_lanes.axis(now)
    is_quiet = not (look.stopped or look.failing or look.silent)
    return Dashboard(
        look=look,
        answer=answer(look),
        is_quiet=is_quiet,
        going=[Rolling(one.execution, _map(one)) for one in look.going],
        axis=axis,
        lanes=fleet_lanes.lanes(look.recent, axis, now, _address),
        day_success=fleet_words.percent_words(fleet_figures.success_percentage(look.day)),
        week_success=fleet_words.percent_words(fleet_figures.success_percentage(look.week)),
        day_judged=fleet_figures.judged(look.day),
        week_judged=fleet_figures.judged(look.week),
        devices=sum(look.devices),
    )


def _address(job_id: str) -> str:
    return url_for("fleet_executions.detail", job_id=job_id)


def _map(going: fleet_views.Going) -> Map | None:
    if going.execution.waves < 2:
        return None
    groups = [Group(str(wave.number), wave.counts) for wave in going.waves]
    return draw(going.execution, groups, most=fleet_map.FEW_MARKS)


def draw(execution: Execution, groups: Sequence[Group], tag: str = "", *, most: int = fleet_map.MOST_MARKS) -> Map:
    """Return the map of an order whose marks lead to the devices below it."""

    def of_state(group: Group, state: DeviceJobState) -> str:
        where: dict[str, Any] = {"wave": group.name}
        if tag:
            where = {"tag": f"{tag}={group.name}"}
        if group.joined:
            where = {}
        return url_for(
            "fleet_executions.detail", job_id=execution.job_id, state=state.value, **where, _anchor="devices"
        )

    def of_device(uuid: str) -> str:
        return url_for("fleet_executions.device", job_id=execution.job_id, uuid=uuid)

    return fleet_map.draw(groups, execution.total, Links(of_device, of_state), most=most)


def answer(look: Look) -> str:
    """Return the sentence below the title: what needs a person, else what goes on."""
    troubles = [
        ngettext(
            "%(num)s execution was stopped by its rules",
            "%(num)s executions were stopped by their rules",
            len(look.stopped),
        )
        if look.stopped
        else "",
        ngettext(
            "%(num)s execution of the last day has failures",
            "%(num)s executions of the last day have failures",
            len(look.failing),
        )
        if look.failing
        else "",
        ngettext("%(num)s device went silent at work", "%(num)s devices went silent at work", len(look.silent))
        if look.silent
        else "",
    ]
    told = ", ".join(filter(None, troubles)) or _("All is well: nothing needs you")
    going = (
        ngettext(
            "%(count)s execution goes on",
            "%(count)s executions go on",
            look.going_total,
            count=grouped(look.going_total),
        )
        if look.going_total
        else _("nothing goes on")
    )
    return f"{told}; {going}."


def as_told(look: Look) -> dict[str, object]:
    """Return the numbers of the page as its twins have them."""
    zone = current.zone()
    return {
        **{f"devices_{name}": number for name, number in look.devices._asdict().items()},
        **{f"{state.value}_now": count for state, count in look.active.items()},
        **{f"{state.value}_24h": look.day.get(state, 0) for state in fleet_figures.SEVERITY},
        "success_percentage_24h": fleet_figures.success_percentage(look.day),
        **{f"{state.value}_7d": look.week.get(state, 0) for state in fleet_figures.SEVERITY},
        "success_percentage_7d": fleet_figures.success_percentage(look.week),
        "going_on": look.going_total,
        "executions": [as_row(one, zone) for one in look.recent],
        "stopped": [as_row(one, zone) for one in look.stopped],
        "failing": [as_row(one, zone) for one in look.failing],
        "silent": [
            {
                "device_uuid": one.device.uuid,
                "device_name": one.device.name,
                "job_id": one.execution.job_id,
                "seen_at": local_text(one.device.seen_at, zone),
            }
            for one in look.silent
        ],
    }
