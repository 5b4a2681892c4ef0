"""Orders to many devices: giving, showing, taking back, trying again and deleting them."""

from __future__ import annotations

import dataclasses
import uuid as uuids
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import job_document, rollout
from watchbell.domain.fleet_state import (
    EXECUTION_FINAL,
    RETRYABLE,
    DeviceJobState,
    ExecutionState,
)
from watchbell.domain.fleet_targets import read_filter
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, devices, fleet_moves, fleet_orders, joining
from watchbell.services.fleet_orders import Order
from watchbell.store import device_reports as log_store
from watchbell.store import devices as device_store
from watchbell.store import fleet_jobs as store
from watchbell.store import rollouts as rollout_store
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.session import Database, Session

#: A list shows so many of an order's devices; the order by itself shows all.
LISTED_TARGETS = 100
#: A device tries so many times again.
MOST_RETRIES = 10


class ExecutionNotFound(NotFound):
    """Job execution not found."""


class NoDevices(InputError):
    """No devices match the target."""


class InProgress(Conflict):
    """The job is in progress; cancel it before it is deleted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """An order with the devices that it is for."""

    execution: Execution
    targets: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Previewed:
    """What an order would lead to on one device."""

    uuid: str
    name: str
    is_online: bool
    #: The condition that the device does not meet; it would reject the job.
    unmet: str | None
    #: Before when it is not offered, None for at once.
    begins_at: datetime | None
    #: That condition, for whoever says it in other words.
    condition: job_document.Condition | None = None


def execute(db: Database, order: Order, *, now: datetime, actor: str) -> Shown:
    """Give an order and return it; raises InputError, NoDevices and TemplateNotFound."""
    with db.write() as session:
        return give(session, order, now=now, actor=actor)


def give(session: Session, order: Order, *, now: datetime, actor: str) -> Shown:
    """Give an order in a transaction of the caller's; raises as ``execute`` does."""
    schedule = fleet_orders.check(order)
    rules = rollout.read(order.rollout) if order.rollout is not None else None
    document, undo = fleet_orders.final_documents(session, order)
    found = find_targets(session, order, now=now)
    sizes = fleet_orders.sizes_of(order, len(found))
    is_open = order.execution_type == "continuous" and order.target_type != "device"
    if not found and not is_open:
        raise NoDevices
    execution = Execution(
        job_id=str(uuids.uuid4()),
        name=order.name.strip(),
        template_id=order.template_id,
        schedule_id=order.schedule_id,
        document=document,
        target_type=order.target_type,
        target_filter=dict(order.target_filter) if order.target_filter else None,
        execution_type=order.execution_type,
        schedule=schedule,
        max_executions=order.max_executions,
        timeout_seconds=order.timeout_seconds,
        priority=order.priority,
        state=ExecutionState.QUEUED.value,
        is_open=is_open,
        is_cancelled=False,
        rollout=rollout.as_document(rules) if rules is not None else None,
        wave=1,
        waves=max(1, len(sizes)),
        wave_at=now,
        let_pass={},
        rollback_document=undo,
        rollback_of=order.rollback_of,
        created_by=order.created_by or actor,
        queued_at=now,
        created_at=now,
        updated_at=now,
    )
    session.add(execution)
    session.flush()
    numbers = [number for number, size in enumerate(sizes, start=1) for _ in range(size)]
    rows = [
        joining.part_row(execution, device, now=now, wave=wave) for device, wave in zip(found, numbers, strict=True)
    ]
    store.add_jobs(session, rows)
    fleet_moves.recount(session, execution, now=now)
    fleet_moves.tell_order(session, execution, now=now)
    note(session, "execute", execution, now=now, actor=actor, devices=execution.total)
    return Shown(execution, [device.uuid for device in found])


def preview(db: Database, order: Order, *, now: datetime) -> tuple[dict[str, Any], list[Previewed]]:
    """Return the final document of an order and what becomes of it on each device; nothing is kept. Raises as ``execute``."""
    schedule = fleet_orders.check(order) or {}
    fleet_orders.sizes_of(order, 0)
    with db.read() as session:
        document, _undo = fleet_orders.final_documents(session, order)
        found = find_targets(session, order, now=now)
        read = job_document.read(document, is_filled=True)
        tags = device_store.tags_of(session, [device.id for device in found])
        shown = []
        for device in found:
            unmet = job_document.unmet(read, known_of(device, tags[device.id]))
            words = f"{unmet.key} must be {' or '.join(unmet.values)}" if unmet is not None else None
            begins_at = joining.first_moment(schedule, device.zone, now)
            is_online = devices.is_online(device, now)
            shown.append(Previewed(device.uuid, device.name, is_online, words, begins_at, unmet))
        return document, shown


def known_of(device: Device, tags: Mapping[str, str]) -> dict[str, str]:
    """Return what the conditions of a document compare: a device's tags and attributes."""
    return {**tags, **{name: str(getattr(device, column.key)) for name, column in device_store.COLUMNS.items()}}


def find_targets(session: Session, order: Order, *, now: datetime) -> Sequence[Device]:
    """Return the devices that an order is for at this moment; raises InputError."""
    if order.target_type == "device":
        if not order.target_devices:
            raise NoDevices
        found = devices.require_all(session, order.target_devices, "target_devices")
        for device in found:
            if not device.is_active:
                raise InputError.of("target_devices", f"{device.uuid} is not active; activate it first")
        return found
    if order.target_type == "group" and not order.target_filter:
        raise InputError.of("target_filter", "is needed by a group", '{"device_type": "gateway"}')
    chosen = read_filter(order.target_filter or {} if order.target_type == "group" else {})
    if chosen.group is not None and device_store.find_group(session, chosen.group) is None:
        raise InputError.of("target_filter.group", "is no group here; make the group first")
    return device_store.list_chosen(session, devices.as_chosen(chosen, now), with_facts=False)


def list_page(
    db: Database, *, state: ExecutionState | None = None, limit: int, offset: int = 0, schedule_id: int | None = None
) -> list[Shown]:
    """Return orders, newest first, each with the first of its devices."""
    with db.read() as session:
        word = state.value if state is not None else None
        found = store.list_executions(session, state=word, limit=limit, offset=offset, schedule_id=schedule_id)
        targets = store.targets_of(session, [one.id for one in found], LISTED_TARGETS)
        return [Shown(one, targets[one.id]) for one in found]


def get(db: Database, job_id: str) -> tuple[Shown, list[tuple[DeviceJob, Device]]]:
    """Return an order with the parts of all of its devices; raises ExecutionNotFound."""
    with db.read() as session:
        execution = require(session, job_id)
        parts = list(store.list_parts(session, execution.id))
        return Shown(execution, [device.uuid for _part, device in parts]), parts


def find(session: Session, job_id: str) -> Execution | None:
    """Return an order, or None."""
    return store.find_execution(session, job_id)


def require(session: Session, job_id: str, *, lock: bool = False) -> Execution:
    """Return an order; raises ExecutionNotFound."""
    found = store.find_execution(session, job_id, lock=lock)
    if found is None:
        raise ExecutionNotFound
    return found


def cancel(db: Database, job_id: str, *, now: datetime, actor: str, force: bool) -> Shown:
    """Take an order back: from the devices that wait for it and, with ``force``, also from those that have it.

    Those hear of it when they ask or report the next time. Raises NotFound if it is not there or has ended.
    """
    with db.write() as session:
        execution = store.find_execution(session, job_id, lock=True)
        if execution is None or ExecutionState(execution.state) in EXECUTION_FINAL:
            raise NotFound("Job not found or already completed")
        take_back(session, execution, now=now, actor=actor, force=force)
        return shown(session, execution)


def take_back(session: Session, execution: Execution, *, now: datetime, actor: str, force: bool) -> None:
    """Take back an order that is locked and goes on, as ``cancel`` does."""
    execution.is_cancelled, execution.is_open = True, False
    note(session, "cancel", execution, now=now, actor=actor, force=force)
    session.flush()
    _cancel_parts(session, execution, DeviceJobState.QUEUED, now=now, actor=actor)
    if force:
        _cancel_parts(session, execution, DeviceJobState.IN_PROGRESS, now=now, actor=actor)
    fleet_moves.recount(session, execution, now=now)


def retry(db: Database, job_id: str, *, now: datetime, actor: str, uuids_of: Sequence[str] | None = None) -> int:
    """Let devices that failed or ran out of time try again, all of them or some; return how many those are.

    What a device has rejected it would reject again, and none tries for ever. Raises ExecutionNotFound, and Conflict if there
    is nothing to try, or the order was cancelled or rolled back.
    """
    with db.write() as session:
        execution = require(session, job_id, lock=True)
        if execution.is_cancelled:
            raise Conflict("the job was cancelled; execute it anew")
        if rollout_store.find_rollback(session, job_id) is not None:
            raise Conflict("the job was rolled back; execute it anew")
        again = [
            (part, device)
            for part, device in store.list_parts(session, execution.id)
            if DeviceJobState(part.state) in RETRYABLE
            and device.is_active
            and part.number <= MOST_RETRIES
            and (uuids_of is None or device.uuid in uuids_of)
        ]
        if not again:
            raise Conflict(
                f"no active device has failed or run out of time that could try again, which each may {MOST_RETRIES} times"
            )
        store.replace_parts(session, [part.id for part, _device in again])
        log_store.add_events(session, [fleet_moves.retry_row(part, now=now, actor=actor) for part, _device in again])
        rows = [
            joining.part_row(execution, device, now=now, number=part.number + 1, wave=part.wave)
            for part, device in again
        ]
        store.add_jobs(session, rows)
        fleet_moves.tell(session, execution, [(device.uuid, DeviceJobState.QUEUED) for _, device in again], now=now)
        note(session, "retry", execution, now=now, actor=actor, devices=len(again))
        session.flush()
        session.expire_all()
        fleet_moves.recount(session, execution, now=now)
        return len(again)


def delete(db: Database, job_id: str, *, now: datetime, actor: str) -> None:
    """Delete an order that nobody has begun, or that has ended; raises ExecutionNotFound and InProgress."""
    with db.write() as session:
        execution = require(session, job_id, lock=True)
        if execution.state == ExecutionState.IN_PROGRESS.value:
            raise InProgress
        note(session, "delete", execution, now=now, actor=actor)
        store.delete_execution(session, execution)


def note(session: Session, deed: str, execution: Execution, *, now: datetime, actor: str, **said: Any) -> None:
    """Write down in the audit what was done to an order."""
    subject = f"device_job:{execution.job_id}"
    audit.note(session, f"device_job.{deed}", subject, now=now, actor=actor, name=execution.name, detail=said)


def _cancel_parts(session: Session, execution: Execution, state: DeviceJobState, *, now: datetime, actor: str) -> None:
    changes = {
        "state": DeviceJobState.CANCELLED.value,
        "updated_at": now,
        "completed_at": now,
        "deadline_at": None,
        "reason": f"cancelled by {actor}",
        "is_cancel_told": state is not DeviceJobState.IN_PROGRESS,
    }
    moved = store.move_parts(session, execution.id, state, changes)
    rows = [
        fleet_moves.log_row(
            part_id, state, DeviceJobState.CANCELLED, now=now, actor=actor, reason=f"cancelled by {actor}"
        )
        for part_id, _device_id in moved
    ]
    log_store.add_events(session, rows)
    names = store.uuids_of(session, [device_id for _part_id, device_id in moved])
    told = [(names[device_id], DeviceJobState.CANCELLED) for _part_id, device_id in moved]
    fleet_moves.tell(session, execution, told, now=now)


def shown(session: Session, execution: Execution) -> Shown:
    """Return an order with all of its devices."""
    return Shown(execution, store.targets_of(session, [execution.id], execution.total)[execution.id])
