"""Orders to many devices, the part of each device in them, and every query about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    Select,
    Text,
    UniqueConstraint,
    case,
    delete,
    false,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.fleet_state import ACTIVE, DeviceJobState
from watchbell.store import many_rows
from watchbell.store.base import Base, can_hold
from watchbell.store.devices import Device

_ACTIVE_WORDS = sorted(state.value for state in ACTIVE)
#: The condition of the index of what devices have to do.
ACTIVE_SQL = f"state IN ({', '.join(repr(word) for word in _ACTIVE_WORDS)})"
#: The condition of the index of what devices had, and have not heard of that it was taken back.
UNTOLD_SQL = "NOT is_cancel_told"
_ROLLING_SQL = "rollout IS NOT NULL AND completed_at IS NULL"
_IN_PROGRESS_SQL = f"state = '{DeviceJobState.IN_PROGRESS.value}'"


class Execution(Base):
    """One order to many devices."""

    __tablename__ = "execution"
    __table_args__ = (
        Index("ix_execution_state_id", "state", "id"),
        # Those of a time.
        Index("ix_execution_queued_at", "queued_at"),
        # That of a moment of a schedule which devices carry.
        Index("ix_execution_moment", "moment_key", unique=True),
        # Those that devices which join later are taken into.
        Index("ix_execution_open", "id", sqlite_where=text("is_open"), postgresql_where=text("is_open")),
        # Those that go on wave by wave.
        Index("ix_execution_rolling", "id", sqlite_where=text(_ROLLING_SQL), postgresql_where=text(_ROLLING_SQL)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: By which it is named outside.
    job_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    template_id: Mapped[int | None] = mapped_column(ForeignKey("job_template.id", ondelete="SET NULL"))
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("fleet_schedule.id", ondelete="SET NULL"))
    #: Of a schedule that devices carry: which schedule, version and moment it is of, one for all devices.
    moment_key: Mapped[str | None]
    #: What was ordered, with all values in place; no later change of a template changes it.
    document: Mapped[dict[str, Any]]
    target_type: Mapped[str]
    target_filter: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    execution_type: Mapped[str]
    schedule: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    max_executions: Mapped[int | None]
    timeout_seconds: Mapped[int]
    #: Those with more are offered first.
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]
    #: Whether devices that join later are taken in.
    is_open: Mapped[bool] = mapped_column(default=False)
    is_cancelled: Mapped[bool] = mapped_column(default=False)
    total: Mapped[int] = mapped_column(default=0)
    #: State -> how many devices are in it.
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: The rules by which it goes through the fleet wave by wave; without any it is offered to all at once.
    rollout: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: How many waves may have it, of how many, and since when the last of them may.
    wave: Mapped[int] = mapped_column(default=1, server_default="1")
    waves: Mapped[int] = mapped_column(default=1, server_default="1")
    wave_at: Mapped[datetime | None]
    #: Why no further device is offered it; None while it goes on.
    paused_reason: Mapped[str | None] = mapped_column(Text)
    #: What a person has looked at and let pass: ``parts``, the ids of those that had gone wrong, and ``empty_wave``, the number
    #: of a wave in which no device was left. A state -> how many of it, in orders of earlier versions.
    let_pass: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: What devices that have had it are told to do when too much goes wrong, with all values in place.
    rollback_document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: The name of the order that this one undoes.
    rollback_of: Mapped[str | None] = mapped_column(unique=True)
    created_by: Mapped[str] = mapped_column(default="")
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeviceJob(Base):
    """One attempt of one device at an order."""

    __tablename__ = "device_job"
    __table_args__ = (
        UniqueConstraint("execution_id", "device_id", "number"),
        Index(
            "ix_device_job_active",
            "device_id",
            "queued_at",
            sqlite_where=text(ACTIVE_SQL),
            postgresql_where=text(ACTIVE_SQL),
        ),
        Index("ix_device_job_device", "device_id", "queued_at", "id"),
        # Each device asks for those, whatever it has done so far.
        Index("ix_device_job_untold", "device_id", sqlite_where=text(UNTOLD_SQL), postgresql_where=text(UNTOLD_SQL)),
        Index("ix_device_job_counts", "execution_id", "is_newest", "state"),
        Index(
            "ix_device_job_deadline",
            "deadline_at",
            sqlite_where=text(_IN_PROGRESS_SQL),
            postgresql_where=text(_IN_PROGRESS_SQL),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    execution_id: Mapped[int] = mapped_column(ForeignKey("execution.id", ondelete="CASCADE"))
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    state: Mapped[str]
    #: Which attempt of the device at this order it is; one that is retried is followed by another.
    number: Mapped[int] = mapped_column(default=1)
    is_newest: Mapped[bool] = mapped_column(default=True)
    #: Grows with every change, so that whoever reports can say what it knew.
    version: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=0)
    #: The wave of its order that it belongs to, and whether that wave, or the order as a whole, has to wait.
    wave: Mapped[int] = mapped_column(default=1, server_default="1")
    is_held: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Not offered before this.
    not_before: Mapped[datetime | None]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    #: When its time is over: that of the whole, or of the step if that is earlier.
    deadline_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    stdout: Mapped[str | None] = mapped_column(Text)
    stderr: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    executed_steps: Mapped[int | None]
    failed_step: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: Of the last report that changed it, by which the same one is known when it comes again.
    report_digest: Mapped[str | None]
    #: The fence of the assignment under which an agent has it, 0 without one, and the process of an agent that has begun it.
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    begun_by: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: Marks of the machine and of the folder of that process, with a stroke between them; a copy has others.
    begun_place: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: For one that was taken back while the device had it: whether the device has heard of that.
    is_cancel_told: Mapped[bool] = mapped_column(default=True)


_JOB: Any = DeviceJob.__table__


def find_execution(session: Session, job_id: str, *, lock: bool = False) -> Execution | None:
    """Return an order by its outside name, or None; whoever else locks it waits until this transaction is over."""
    if not can_hold(job_id):
        return None
    statement = select(Execution).where(Execution.job_id == job_id)
    return session.scalars(_locked(statement) if lock else statement).one_or_none()


def find_moment(session: Session, moment_key: str) -> Execution | None:
    """Return the order of a moment of a schedule that devices carry, or None; it is locked until this transaction is over."""
    return session.scalars(_locked(select(Execution).where(Execution.moment_key == moment_key))).one_or_none()


def get_execution(session: Session, execution_id: int, *, lock: bool = False) -> Execution:
    """Return an order that is there."""
    statement = select(Execution).where(Execution.id == execution_id)
    found: Execution = session.scalars(_locked(statement) if lock else statement).one()
    return found


def _locked(statement: Select[Any]) -> Select[Any]:
    """Return the statement for a row as it is once nobody else can change it, however it was read before."""
    return statement.with_for_update().execution_options(populate_existing=True)


def list_executions(
    session: Session,
    *,
    state: str | None,
    limit: int,
    offset: int,
    name: str | None = None,
    schedule_id: int | None = None,
) -> Sequence[Execution]:
    """Return orders, newest first."""
    statement = select(Execution)
    if state is not None:
        statement = statement.where(Execution.state == state)
    if name is not None:
        statement = statement.where(Execution.name == name)
    if schedule_id is not None:
        statement = statement.where(Execution.schedule_id == schedule_id)
    return session.scalars(statement.order_by(Execution.id.desc()).limit(limit).offset(offset)).all()


def list_open(session: Session) -> Sequence[Execution]:
    """Return the orders that devices which join later are taken into."""
    return session.scalars(select(Execution).where(text("is_open")).order_by(Execution.id)).all()


def list_executions_of(session: Session, device_id: int) -> Sequence[Execution]:
    """Return the orders in which a device has a part."""
    parts = select(DeviceJob.execution_id).where(DeviceJob.device_id == device_id, DeviceJob.is_newest)
    return session.scalars(select(Execution).where(Execution.id.in_(parts)).order_by(Execution.id)).all()


def move_parts(
    session: Session, execution_id: int, state: DeviceJobState, changes: Mapping[str, Any]
) -> list[tuple[int, int]]:
    """Change all newest parts of an order that are in a state; return (id, device id) of each."""
    statement = (
        update(DeviceJob)
        .where(DeviceJob.execution_id == execution_id, DeviceJob.is_newest, DeviceJob.state == state.value)
        .values(version=DeviceJob.version + 1, **changes)
        .returning(DeviceJob.id, DeviceJob.device_id)
    )
    return sorted((int(row[0]), int(row[1])) for row in session.connection().execute(statement))


def replace_parts(session: Session, part_ids: Sequence[int]) -> None:
    """Let these parts not be the newest of their devices any more."""
    for start in range(0, len(part_ids), 500):
        some = part_ids[start : start + 500]
        session.connection().execute(update(DeviceJob).where(DeviceJob.id.in_(some)).values(is_newest=False))


def note_told(session: Session, part_ids: Sequence[int]) -> None:
    """Note that a device has heard that these parts were taken back."""
    session.connection().execute(update(DeviceJob).where(DeviceJob.id.in_(part_ids)).values(is_cancel_told=True))


def delete_execution(session: Session, execution: Execution) -> None:
    """Delete an order and the parts of all devices in it."""
    session.connection().execute(delete(Execution).where(Execution.id == execution.id))
    session.expunge(execution)


def add_jobs(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the parts of many devices."""
    many_rows.add(session, _JOB, rows)


def targets_of(session: Session, execution_ids: Sequence[int], most: int) -> dict[int, list[str]]:
    """Return the uuids of the devices of some orders, of each at most so many."""
    found: dict[int, list[str]] = {}
    for execution_id in execution_ids:
        statement = (
            select(Device.uuid)
            .join(DeviceJob, DeviceJob.device_id == Device.id)
            .where(DeviceJob.execution_id == execution_id, DeviceJob.is_newest)
            .order_by(DeviceJob.id)
        )
        found[execution_id] = list(session.scalars(statement.limit(most)))
    return found


def list_parts(session: Session, execution_id: int) -> Sequence[tuple[DeviceJob, Device]]:
    """Return the newest part of every device in an order, with the device."""
    statement = (
        select(DeviceJob, Device)
        .join(Device, Device.id == DeviceJob.device_id)
        .where(DeviceJob.execution_id == execution_id, DeviceJob.is_newest)
    )
    return [(row[0], row[1]) for row in session.execute(statement.order_by(DeviceJob.id))]


def get_part(session: Session, part_id: int) -> DeviceJob:
    """Return a part that is there."""
    return session.scalars(select(DeviceJob).where(DeviceJob.id == part_id)).one()


def find_part(session: Session, execution_id: int, device_id: int, *, lock: bool = False) -> DeviceJob | None:
    """Return the newest part of a device in an order, or None."""
    statement = select(DeviceJob).where(
        DeviceJob.execution_id == execution_id, DeviceJob.device_id == device_id, DeviceJob.is_newest
    )
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def find_next(session: Session, device_id: int, now: datetime) -> DeviceJob | None:
    """Return what a device is to do: what it holds already, else the oldest of the most urgent that wait for it."""
    is_held = case((DeviceJob.state == DeviceJobState.IN_PROGRESS.value, 0), else_=1)
    statement = (
        select(DeviceJob)
        .where(
            DeviceJob.device_id == device_id,
            text("device_job." + ACTIVE_SQL),
            or_(DeviceJob.is_held.is_(False), DeviceJob.state == DeviceJobState.IN_PROGRESS.value),
            or_(DeviceJob.not_before.is_(None), DeviceJob.not_before <= now),
        )
        .order_by(is_held, DeviceJob.priority.desc(), DeviceJob.queued_at, DeviceJob.id)
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


def list_held(session: Session, device_id: int) -> Sequence[tuple[DeviceJob, Execution]]:
    """Return what a device has and has not finished, with its orders."""
    statement = (
        select(DeviceJob, Execution)
        .join(Execution, Execution.id == DeviceJob.execution_id)
        .where(DeviceJob.device_id == device_id, DeviceJob.state == DeviceJobState.IN_PROGRESS.value)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def list_untold(session: Session, device_id: int) -> Sequence[tuple[DeviceJob, str]]:
    """Return what was taken back while a device had it and it has not heard of yet, with the names of its orders."""
    statement = (
        select(DeviceJob, Execution.job_id)
        .join(Execution, Execution.id == DeviceJob.execution_id)
        .where(DeviceJob.device_id == device_id, text(UNTOLD_SQL))
    )
    return [(row[0], row[1]) for row in session.execute(statement.order_by(DeviceJob.id))]


def swap_part(session: Session, part: DeviceJob, changes: Mapping[str, Any]) -> bool:
    """Compare-and-swap a part that still is as it was read; return whether it was."""
    statement = (
        update(DeviceJob)
        .where(DeviceJob.id == part.id, DeviceJob.state == part.state, DeviceJob.version == part.version)
        .values(version=part.version + 1, **changes)
    )
    is_swapped = bool(session.connection().execute(statement).rowcount)
    session.refresh(part)
    return is_swapped


def list_overdue(session: Session, now: datetime, limit: int) -> Sequence[DeviceJob]:
    """Return parts whose time is over, the longest first."""
    statement = select(DeviceJob).where(text("device_job." + _IN_PROGRESS_SQL), DeviceJob.deadline_at <= now)
    return session.scalars(statement.order_by(DeviceJob.deadline_at, DeviceJob.id).limit(limit)).all()


def list_active_parts(session: Session, execution_id: int, states: Sequence[DeviceJobState]) -> Sequence[DeviceJob]:
    """Return the newest parts of an order that are in some states."""
    statement = select(DeviceJob).where(
        DeviceJob.execution_id == execution_id, DeviceJob.is_newest, DeviceJob.state.in_([s.value for s in states])
    )
    return session.scalars(statement.order_by(DeviceJob.id)).all()


def uuids_of(session: Session, device_ids: Sequence[int]) -> dict[int, str]:
    """Return the uuids of devices by their ids."""
    found: dict[int, str] = {}
    for start in range(0, len(device_ids), 500):
        statement = select(Device.id, Device.uuid).where(Device.id.in_(device_ids[start : start + 500]))
        found.update({row[0]: row[1] for row in session.execute(statement)})
    return found


def count_states(session: Session, execution_id: int) -> dict[DeviceJobState, int]:
    """Return how many of the newest parts of an order are in each state."""
    statement = (
        select(_JOB.c.state, func.count())
        .where(_JOB.c.execution_id == execution_id, _JOB.c.is_newest)
        .group_by(_JOB.c.state)
    )
    return {DeviceJobState(state): int(count) for state, count in session.connection().execute(statement)}


def list_history(
    session: Session, device_id: int, *, state: str | None, limit: int, offset: int
) -> tuple[Sequence[tuple[DeviceJob, Execution]], int]:
    """Return what a device has had to do, newest first, and how much that is altogether."""
    conditions = [DeviceJob.device_id == device_id, *([DeviceJob.state == state] if state is not None else [])]
    total = session.scalar(select(func.count()).select_from(DeviceJob).where(*conditions)) or 0
    statement = select(DeviceJob, Execution).join(Execution, Execution.id == DeviceJob.execution_id).where(*conditions)
    rows = session.execute(
        statement.order_by(DeviceJob.queued_at.desc(), DeviceJob.id.desc()).limit(limit).offset(offset)
    )
    return [(row[0], row[1]) for row in rows], int(total)
