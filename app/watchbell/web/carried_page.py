"""What the page of a schedule shows that devices carry: who carries which version, and what became of its moments."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from watchbell.domain.fleet_state import DeviceJobState, wire_word
from watchbell.domain.policies import CatchUp
from watchbell.services import carried, carried_moments
from watchbell.services.carried import Carrier
from watchbell.services.carried_moments import Shown
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.i18n import lazy
from watchbell.web.presenters import local_text

#: So many of each stand on the page; their twins have all.
ROWS = 50
_PIECE = 500
DEVICE_COLUMNS = (*("device_uuid", "device_name", "version", "since", "is_meant", "is_current", "seen_at", "zone"),)
MOMENT_COLUMNS = (
    *("due_at", "key", "device_uuid", "device_name", "version", "outcome", "reason", "stands_for"),
    *("job_id", "status", "reported_at"),
)
_CHOICES = {CatchUp.LAST: lazy("run the last one"), CatchUp.ALL: lazy("run all"), CatchUp.SKIP: lazy("run none")}


@dataclasses.dataclass(frozen=True, slots=True)
class CarriedView:
    """What is shown of a schedule that devices carry, or have carried."""

    carriers: Sequence[Carrier]
    devices: int
    moments: Sequence[Shown]
    total: int
    #: What becomes of moments that were missed, in words.
    choice: str


def view(row: FleetSchedule) -> CarriedView | None:
    """Return what is shown of it, None of a schedule that no device carries or has told of."""
    carriers, devices = carried.list_carriers(database(), row.schedule_id, now=current.now(), limit=ROWS)
    moments, total = carried_moments.list_moments(database(), row.schedule_id, limit=ROWS)
    if not (row.is_carried or carriers or moments):
        return None
    return CarriedView(carriers, devices, moments, total, str(_CHOICES.get(CatchUp(row.catch_up), row.catch_up)))


def device_rows(schedule_id: str) -> Iterator[dict[str, object]]:
    """Yield the devices that carry a schedule as the twins have them."""
    zone, (found, _total) = (
        current.zone(),
        carried.list_carriers(database(), schedule_id, now=current.now(), limit=1_000_000),
    )
    for one in found:
        yield {
            "device_uuid": one.device.uuid,
            "device_name": one.device.name,
            **{name: getattr(one, name) for name in ("version", "is_meant", "is_current")},
            "since": local_text(one.since, zone),
            "seen_at": local_text(one.device.seen_at, zone),
            "zone": one.device.zone,
        }


def moment_rows(schedule_id: str) -> Iterator[dict[str, object]]:
    """Yield what became of the moments of a schedule as the twins have them."""
    zone = current.zone()
    for offset in itertools.count(0, _PIECE):
        found, _total = carried_moments.list_moments(database(), schedule_id, limit=_PIECE, offset=offset)
        for one in found:
            row = one.moment
            yield {
                "device_uuid": one.device.uuid,
                "device_name": one.device.name,
                **{name: getattr(row, name) for name in ("key", "version", "outcome", "reason", "stands_for")},
                "due_at": local_text(row.due_at, zone),
                "reported_at": local_text(row.reported_at, zone),
                "job_id": one.execution.job_id if one.execution is not None else None,
                "status": wire_word(DeviceJobState(one.part.state)) if one.part is not None else None,
            }
        if len(found) < _PIECE:
            return
