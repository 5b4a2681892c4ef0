"""Devices that come and go while an order stands: it reaches those that join later, and does not wait for those that leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbell.domain import maintenance
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.domain.fleet_targets import read_filter
from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.services import audit, fleet_moves
from watchbell.store import devices as device_store
from watchbell.store import fleet_jobs as store
from watchbell.store.devices import Chosen, Device
from watchbell.store.fleet_jobs import Execution
from watchbell.store.session import Session


def take_in(session: Session, device: Device, *, now: datetime) -> int:
    """Take a device into every open order that means it and has not done so yet; return how many those are."""
    if not device.is_active:
        return 0
    taken = 0
    for execution in store.list_open(session):
        if not _means(session, execution, device, now) or store.find_part(session, execution.id, device.id):
            continue
        locked = store.get_execution(session, execution.id, lock=True)
        # Whoever comes late comes last: nobody is passed over, and no wave grows behind its gate.
        store.add_jobs(session, [part_row(locked, device, now=now, wave=locked.waves)])
        fleet_moves.tell(session, locked, [(device.uuid, DeviceJobState.QUEUED)], now=now)
        fleet_moves.recount(session, locked, now=now)
        taken += 1
    return taken


def part_row(
    execution: Execution, device: Device, *, now: datetime, number: int = 1, wave: int = 1
) -> dict[str, object]:
    """Return the row of a device's part in an order, as it is born; held until its wave goes."""
    return {
        "execution_id": execution.id,
        "device_id": device.id,
        "state": DeviceJobState.QUEUED.value,
        "number": number,
        "is_newest": True,
        "version": 1,
        "priority": execution.priority,
        "wave": wave,
        "is_held": number == 1 and (wave > execution.wave or execution.paused_reason is not None),
        "not_before": first_moment(execution.schedule or {}, device.zone, now),
        "queued_at": now,
        "updated_at": now,
        "details": {},
        "is_cancel_told": True,
    }


def first_moment(schedule: Mapping[str, Any], zone: str, now: datetime) -> datetime | None:
    """Return before when a device in a zone is not offered an order, None if at once."""
    moments = [
        *([datetime.fromisoformat(schedule["scheduled_at"])] if schedule.get("scheduled_at") else []),
        *(
            [maintenance.moment_of(maintenance.read_local(schedule["local_time"]), zone)]
            if schedule.get("local_time")
            else []
        ),
    ]
    begin = max(moments, default=now)
    if schedule.get("window"):
        begin = maintenance.opens_at(maintenance.read_window(schedule["window"]), zone, max(begin, now))
    return begin if begin > now else None


def leave(session: Session, device: Device, *, now: datetime) -> None:
    """Delete a device and let the orders that it had a part in go on without it."""
    touched = [one.id for one in store.list_executions_of(session, device.id)]
    device_store.delete_device(session, device)
    for execution_id in touched:
        execution = store.get_execution(session, execution_id, lock=True)
        if fleet_moves.go_on_without(session, execution, now=now):
            detail = {"reason": fleet_moves.NOBODY_LEFT}
            subject = f"device_job:{execution.job_id}"
            audit.note(
                session, "device_job.cancel", subject, now=now, actor="watchbell", name=execution.name, detail=detail
            )


def _means(session: Session, execution: Execution, device: Device, now: datetime) -> bool:
    return execution.target_type == "all" or matches(session, execution.target_filter or {}, device, now)


def matches(session: Session, target_filter: Mapping[str, Any], device: Device, now: datetime) -> bool:
    """Return whether a device takes part and is one that a filter means."""
    chosen = read_filter(target_filter)
    asked = Chosen(
        chosen.attributes,
        chosen.tags,
        chosen.group,
        is_active=True,
        is_online=chosen.is_online,
        online_since=now - DEVICE_ONLINE,
        ids=[device.id],
    )
    return device_store.count(session, asked) > 0
