"""What devices carry of schedules, and what has become of the moments there: tables, and every query about them.

Schedules are named by their outside name, and not by a key of their table: a device may tell of one that was deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution


class CarriedVersion(Base):
    """A schedule as a device was given it; a later change of the schedule changes it no more."""

    __tablename__ = "carried_version"
    __table_args__ = (UniqueConstraint("schedule_uuid", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_uuid: Mapped[str]
    version: Mapped[int]
    name: Mapped[str]
    document: Mapped[dict[str, Any]]
    timeout_seconds: Mapped[int]
    #: When it is due, as devices are told; None of one that was given before this was kept.
    timing: Mapped[dict[str, Any] | None]
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


class CarriedCopy(Base):
    """That a device was given a schedule, and which version it says that it carries."""

    __tablename__ = "carried_copy"
    __table_args__ = (Index("ix_carried_copy_device", "device_id"),)

    schedule_uuid: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)
    #: The newest that it was given.
    given_version: Mapped[int]
    given_at: Mapped[datetime]
    #: The one that it says, and since when; None before it has said so and when it has dropped it.
    version: Mapped[int | None]
    since: Mapped[datetime | None]


class CarriedMoment(Base):
    """What has become of one moment of a schedule on one device; the first that the device has said of it stands."""

    __tablename__ = "carried_moment"
    __table_args__ = (
        UniqueConstraint("schedule_uuid", "device_id", "key"),
        Index("ix_carried_moment_due", "schedule_uuid", "due_at", "id"),
        Index("ix_carried_moment_reported", "reported_at"),
        Index("ix_carried_moment_device_job_id", "device_job_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_uuid: Mapped[str]
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    #: By which the device names it: of a calendar its own local time.
    key: Mapped[str]
    version: Mapped[int]
    due_at: Mapped[datetime]
    outcome: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    #: Of how many moments the row tells, the last of which it names.
    stands_for: Mapped[int] = mapped_column(default=1)
    #: The part of the device in the order of the moment, if it has begun it, as long as that is kept.
    device_job_id: Mapped[int | None] = mapped_column(ForeignKey("device_job.id", ondelete="SET NULL"))
    digest: Mapped[str] = mapped_column(default="")
    reported_at: Mapped[datetime]


def find_version(session: Session, schedule_uuid: str, version: int, *, lock: bool = False) -> CarriedVersion | None:
    """Return a schedule as it was given, or None."""
    statement = select(CarriedVersion).where(
        CarriedVersion.schedule_uuid == schedule_uuid, CarriedVersion.version == version
    )
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def first_given_at(session: Session, schedule_uuid: str) -> datetime | None:
    """Return when any device was first given any version of a schedule."""
    statement = select(func.min(CarriedVersion.created_at)).where(CarriedVersion.schedule_uuid == schedule_uuid)
    return session.scalar(statement)


def find_copy(session: Session, schedule_uuid: str, device_id: int) -> CarriedCopy | None:
    """Return that a device was given a schedule, or None."""
    return session.get(CarriedCopy, (schedule_uuid, device_id))


def list_copies(session: Session, device_id: int) -> Sequence[CarriedCopy]:
    """Return what a device was ever given."""
    statement = select(CarriedCopy).where(CarriedCopy.device_id == device_id)
    return session.scalars(statement.order_by(CarriedCopy.schedule_uuid)).all()


def list_carriers(session: Session, schedule_uuid: str) -> Sequence[tuple[CarriedCopy, Device]]:
    """Return the devices that were given a schedule, by name."""
    statement = (
        select(CarriedCopy, Device)
        .join(Device, Device.id == CarriedCopy.device_id)
        .where(CarriedCopy.schedule_uuid == schedule_uuid)
    )
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Device.name, Device.id))]


def find_moment(session: Session, schedule_uuid: str, device_id: int, key: str) -> CarriedMoment | None:
    """Return what a device has said of a moment, or None."""
    statement = select(CarriedMoment).where(
        CarriedMoment.schedule_uuid == schedule_uuid, CarriedMoment.device_id == device_id, CarriedMoment.key == key
    )
    return session.scalars(statement).one_or_none()


def list_moments(
    session: Session, schedule_uuid: str, *, limit: int, offset: int = 0, outcome: str | None = None
) -> Sequence[tuple[CarriedMoment, Device, DeviceJob | None, Execution | None]]:
    """Return what has become of moments, those that were due last first, with the device and its part in the order."""
    statement = (
        select(CarriedMoment, Device, DeviceJob, Execution)
        .join(Device, Device.id == CarriedMoment.device_id)
        .outerjoin(DeviceJob, DeviceJob.id == CarriedMoment.device_job_id)
        .outerjoin(Execution, Execution.id == DeviceJob.execution_id)
        .where(*_of(schedule_uuid, outcome))
        .order_by(CarriedMoment.due_at.desc(), CarriedMoment.id.desc())
    )
    found = session.execute(statement.limit(limit).offset(offset))
    return [(row[0], row[1], row[2], row[3]) for row in found]


def count_moments(session: Session, schedule_uuid: str, outcome: str | None = None) -> int:
    """Return of how many moments devices have told."""
    statement = select(func.count()).select_from(CarriedMoment).where(*_of(schedule_uuid, outcome))
    return int(session.scalar(statement) or 0)


def _of(schedule_uuid: str, outcome: str | None) -> list[Any]:
    named = [CarriedMoment.outcome == outcome] if outcome is not None else []
    return [CarriedMoment.schedule_uuid == schedule_uuid, *named]


def has_older(session: Session, before: datetime) -> bool:
    """Return whether ``delete_older`` would forget anything."""
    return session.scalar(_older(before).limit(1)) is not None


def delete_older(session: Session, before: datetime, limit: int) -> int:
    """Forget moments that were told before a time, if no part in an order is kept of them; return how many."""
    chosen = _older(before).limit(limit)
    return int(session.connection().execute(delete(CarriedMoment).where(CarriedMoment.id.in_(chosen))).rowcount)


def _older(before: datetime) -> Select[Any]:
    return select(CarriedMoment.id).where(CarriedMoment.reported_at < before, CarriedMoment.device_job_id.is_(None))
