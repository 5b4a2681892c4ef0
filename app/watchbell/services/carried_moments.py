"""What devices tell of the moments of schedules that they carry: what they have run becomes a part in an order, once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid as uuids
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import carried as rules
from watchbell.domain.carried import Outcome
from watchbell.domain.fleet_state import EXECUTION_FINAL, DeviceJobState, ExecutionState, advance, reported
from watchbell.services import device_jobs, fleet_moves, fleet_schedules, joining
from watchbell.services.device_jobs import Report
from watchbell.services.speakers import NotYet
from watchbell.store import carried as store
from watchbell.store import device_reports as log_store
from watchbell.store import fleet_jobs
from watchbell.store import fleet_schedules as schedule_store
from watchbell.store.carried import CarriedMoment, CarriedVersion
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.session import Database, Session

#: What was told of moments that were not run is kept for so long.
KEPT = timedelta(days=90)
#: No moment of a schedule lies longer before the time at which the first device was given it, or after now, than clocks are
#: wrong and zones apart.
_WRONG_CLOCK = timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a device says of a moment."""

    schedule_id: str
    version: int
    key: str
    due_at: datetime
    outcome: Outcome
    reason: str = ""
    stands_for: int = 1
    #: Of one that it has run: how that has ended, and those of device_jobs.RESULT_FIELDS that it says anything of.
    state: DeviceJobState = DeviceJobState.SUCCEEDED
    result: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    details: Mapping[str, Any] | None = None
    began_at: datetime | None = None

    @property
    def digest(self) -> str:
        """A mark of all that it says."""
        told = json.dumps(dataclasses.asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What has become of a moment on a device."""

    moment: CarriedMoment
    device: Device
    #: The part of the device in the order of the moment, as long as that is kept.
    part: DeviceJob | None
    execution: Execution | None


def take(db: Database, uuid: str, incarnation: str, every: Sequence[Told], *, now: datetime) -> list[bool]:
    """Take what a device says of moments into the ledger, and return of each whether it is one of a schedule that it was given.

    The first that it says of a moment stands; the same again changes nothing, and something else is kept beside it. Raises
    NotFound, DeviceInactive and NotYet.
    """
    with db.write() as session:
        device = device_jobs.require_active(session, uuid, lock=True)
        if device.conflict_at is not None or device.incarnation != incarnation:
            raise NotYet
        return [_take(session, device, told, now) for told in every]


def list_moments(
    db: Database, schedule_id: str, *, limit: int, offset: int = 0, outcome: Outcome | None = None
) -> tuple[list[Shown], int]:
    """Return what has become of the moments of a schedule on devices, those that were due last first, and how many there are.

    Raises ScheduleNotFound.
    """
    with db.read() as session:
        fleet_schedules.require(session, schedule_id)
        found = store.list_moments(session, schedule_id, limit=limit, offset=offset, outcome=outcome)
        return [Shown(*row) for row in found], store.count_moments(session, schedule_id, outcome)


def forget(db: Database, *, now: datetime, limit: int = 500) -> int:
    """Forget what was told long ago of moments of which no order is kept, and return of how many."""
    before = now - KEPT
    with db.read() as session:
        if not store.has_older(session, before):
            return 0
    with db.write() as session:
        return store.delete_older(session, before, limit)


def _take(session: Session, device: Device, told: Told, now: datetime) -> bool:
    copy = store.find_copy(session, told.schedule_id, device.id)
    # Of a moment there is one order for all devices: whoever makes it is alone at it.
    version = store.find_version(session, told.schedule_id, told.version, lock=True)
    if copy is None or version is None:
        return False
    known = store.find_moment(session, told.schedule_id, device.id, told.key)
    if known is not None:
        _keep_other(session, device, known, told, now)
        return True
    if not _has_moment(session, version, told, now):
        return False
    due_at = min(told.due_at, now)
    part = _run(session, device, version, told, due_at, now) if told.outcome is Outcome.RUN else None
    session.add(
        CarriedMoment(
            schedule_uuid=told.schedule_id, device_id=device.id, key=told.key, version=told.version, due_at=due_at,
            outcome=told.outcome.value, reason=told.reason[: device_jobs.REASON_LIMIT], stands_for=told.stands_for,
            device_job_id=part.id if part is not None else None, digest=told.digest, reported_at=now,
        )
    )  # fmt: skip
    session.flush()
    return True


def _has_moment(session: Session, version: CarriedVersion, told: Told, now: datetime) -> bool:
    """Return whether what a device tells of is a moment that its schedule has had while anybody carried it."""
    first_at = store.first_given_at(session, version.schedule_uuid) or version.created_at
    if not first_at - _WRONG_CLOCK <= told.due_at <= now + _WRONG_CLOCK:
        return False
    # Of what was given before this was kept nobody knows when it was due.
    return version.timing is None or rules.has_moment(rules.read_told(version.timing), told.key, told.due_at)


def _keep_other(session: Session, device: Device, known: CarriedMoment, told: Told, now: datetime) -> None:
    """Keep beside what stands of a moment what a device says of it in other words."""
    if known.digest == told.digest or known.device_job_id is None or told.outcome is not Outcome.RUN:
        return
    part = fleet_jobs.get_part(session, known.device_job_id)
    device_jobs.keep_late(session, part, device, Report(told.state, told.result, told.details), now)


def _run(
    session: Session, device: Device, version: CarriedVersion, told: Told, due_at: datetime, now: datetime
) -> DeviceJob:
    """Return the part of a device in the order of a moment, which has ended."""
    execution = _order_of(session, version, told, due_at, now)
    state = reported(told.state, told.result.get("exit_code"))
    path = [DeviceJobState.IN_PROGRESS] if state is not DeviceJobState.REJECTED else []
    advance(None, DeviceJobState.QUEUED, *path, state)
    began_at = min(max(told.began_at or due_at, due_at), now)
    row = {
        **joining.part_row(execution, device, now=due_at),
        "state": state.value,
        "is_held": False,
        "started_at": began_at if path else None,
        "updated_at": now,
        "completed_at": now,
        "details": dict(told.details or {}),
        **{name: device_jobs.cut(name, value) for name, value in told.result.items()},
    }
    fleet_jobs.add_jobs(session, [row])
    part = fleet_jobs.find_part(session, execution.id, device.id)
    assert part is not None
    _log(session, part, [*path, state], device, told, began_at, now)
    fleet_moves.tell(session, execution, [(device.uuid, state)], now=now)
    fleet_moves.recount(session, execution, now=now)
    execution.started_at = min(filter(None, (execution.started_at, began_at)))
    if ExecutionState(execution.state) in EXECUTION_FINAL:
        execution.completed_at = now
    return part


def _log(
    session: Session,
    part: DeviceJob,
    path: Sequence[DeviceJobState],
    device: Device,
    told: Told,
    began_at: datetime,
    now: datetime,
) -> None:
    before, rows = DeviceJobState.QUEUED, []
    for to in path:
        at = now if to is path[-1] else began_at
        reason = str(told.result.get("reason") or "") if to is path[-1] else told.reason
        rows.append(fleet_moves.log_row(part.id, before, to, now=at, actor=device.uuid, reason=reason))
        before = to
    log_store.add_events(session, rows)


def _order_of(session: Session, version: CarriedVersion, told: Told, due_at: datetime, now: datetime) -> Execution:
    """Return the order of a moment, which the first device makes that tells of it."""
    moment_key = f"{version.schedule_uuid}/{version.version}/{told.key}"
    found = fleet_jobs.find_moment(session, moment_key)
    if found is not None:
        return found
    schedule = schedule_store.find_schedule(session, version.schedule_uuid)
    made = Execution(
        job_id=str(uuids.uuid4()),
        name=version.name,
        schedule_id=schedule.id if schedule is not None else None,
        moment_key=moment_key,
        document=version.document,
        target_type="device",
        execution_type="oneTime",
        timeout_seconds=version.timeout_seconds,
        state=ExecutionState.QUEUED.value,
        created_by=version.created_by,
        queued_at=due_at,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    if schedule is not None:
        schedule.execution_count += 1
        schedule.last_execution_at = max(filter(None, (schedule.last_execution_at, due_at)))
    return made
