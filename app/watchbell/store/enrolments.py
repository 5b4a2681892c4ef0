"""Codes by which devices join, and every query about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base
from watchbell.store.devices import Device


class EnrolmentCode(Base):
    """What one device may join with, once and for a short time; the code itself is kept nowhere."""

    __tablename__ = "enrolment_code"
    __table_args__ = (Index("ix_enrolment_code_device_id", "device_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of the code. It is random and long, so that a slow hash would gain nothing.
    code_hash: Mapped[str] = mapped_column(unique=True)
    #: How the code begins, by which people recognise it.
    prefix: Mapped[str]
    #: What the device gets when it joins; an empty name is the one that the device has for itself.
    name: Mapped[str] = mapped_column(default="")
    group_name: Mapped[str] = mapped_column(default="")
    tags: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: Whether the device waits until somebody lets it take part.
    needs_approval: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    #: The address from where it was used.
    used_from: Mapped[str] = mapped_column(default="")
    #: The device that has joined with it, as long as there is one.
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]


def find_code(session: Session, code_hash: str) -> EnrolmentCode | None:
    """Return the code with this hash, or None; whoever else locks it waits until this transaction is over."""
    statement = select(EnrolmentCode).where(EnrolmentCode.code_hash == code_hash).with_for_update()
    return session.scalars(statement).one_or_none()


def find_by_id(session: Session, code_id: int) -> EnrolmentCode | None:
    """Return a code, or None; whoever else locks it waits until this transaction is over."""
    return session.scalars(select(EnrolmentCode).where(EnrolmentCode.id == code_id).with_for_update()).one_or_none()


def find_by_prefix(session: Session, prefix: str) -> Sequence[EnrolmentCode]:
    """Return the codes that are shown by this beginning, newest first."""
    statement = select(EnrolmentCode).where(EnrolmentCode.prefix == prefix)
    return session.scalars(statement.order_by(EnrolmentCode.id.desc())).all()


def list_codes(session: Session) -> Sequence[tuple[EnrolmentCode, Device | None]]:
    """Return all codes, newest first, each with the device that has joined with it."""
    statement = select(EnrolmentCode, Device).outerjoin(Device, Device.id == EnrolmentCode.device_id)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(EnrolmentCode.id.desc()))]


def find_of_devices(session: Session, device_ids: Collection[int]) -> dict[int, EnrolmentCode]:
    """Return the codes with which some devices have joined, by the ids of the devices."""
    statement = select(EnrolmentCode).where(EnrolmentCode.device_id.in_(device_ids)).order_by(EnrolmentCode.id)
    return {code.device_id: code for code in session.scalars(statement) if code.device_id is not None}


def count_open(session: Session, now: datetime) -> int:
    """Return how many codes a device could join with."""
    statement = select(func.count()).select_from(EnrolmentCode)
    usable = (EnrolmentCode.used_at.is_(None), EnrolmentCode.revoked_at.is_(None), EnrolmentCode.expires_at > now)
    return int(session.scalar(statement.where(*usable)) or 0)


def forget_ended(session: Session, before: datetime) -> None:
    """Delete the codes that have ended before a time."""
    ended = or_(
        EnrolmentCode.used_at < before,
        EnrolmentCode.revoked_at < before,
        EnrolmentCode.expires_at < before,
    )
    session.connection().execute(delete(EnrolmentCode).where(ended))
