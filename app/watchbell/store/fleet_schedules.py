"""Orders that are given again and again, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, false, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold

#: The condition of the index of those that devices carry.
CARRIED_SQL = "is_carried AND is_active"


class FleetSchedule(Base):
    """An order that is given to devices whenever it is due."""

    __tablename__ = "fleet_schedule"
    __table_args__ = (
        Index("ix_fleet_schedule_due", "next_at", sqlite_where=text("is_active"), postgresql_where=text("is_active")),
        # Every agent asks for those.
        Index("ix_fleet_schedule_carried", "id", sqlite_where=text(CARRIED_SQL), postgresql_where=text(CARRIED_SQL)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str | None]
    document: Mapped[dict[str, Any]]
    target_type: Mapped[str]
    target_devices: Mapped[list[Any] | None] = mapped_column(JSON)
    target_filter: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    schedule_type: Mapped[str]
    cron_expression: Mapped[str | None]
    interval_minutes: Mapped[int | None]
    #: From when on an interval counts.
    anchor_at: Mapped[datetime]
    zone: Mapped[str]
    max_executions: Mapped[int | None]
    timeout_seconds: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)
    #: Whether devices carry it and work out themselves when it is due, each by its own clock.
    is_carried: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: What becomes there of moments that have passed.
    catch_up: Mapped[str] = mapped_column(default="last", server_default=text("'last'"))
    #: Grows with every change that a device has to hear of.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    #: Moments before it are none: it rested, or was due at other times.
    counts_from: Mapped[datetime | None]
    execution_count: Mapped[int] = mapped_column(default=0)
    last_execution_at: Mapped[datetime | None]
    #: When it is due next; None for never again.
    next_at: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


def find_schedule(session: Session, schedule_id: str, *, lock: bool = False) -> FleetSchedule | None:
    """Return a schedule, or None; whoever else locks it waits until this transaction is over."""
    if not can_hold(schedule_id):
        return None
    statement = select(FleetSchedule).where(FleetSchedule.schedule_id == schedule_id)
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def list_schedules(session: Session, *, is_active: bool | None = None) -> Sequence[FleetSchedule]:
    """Return schedules, newest first."""
    statement = select(FleetSchedule)
    if is_active is not None:
        statement = statement.where(FleetSchedule.is_active.is_(is_active))
    return session.scalars(statement.order_by(FleetSchedule.id.desc())).all()


def list_due(session: Session, now: datetime, limit: int) -> Sequence[FleetSchedule]:
    """Return active schedules that are due by now, the longest first; nobody else gets them in this transaction."""
    statement = select(FleetSchedule).where(text("fleet_schedule.is_active"), FleetSchedule.next_at <= now)
    ordered = statement.order_by(FleetSchedule.next_at, FleetSchedule.id).limit(limit)
    return session.scalars(ordered.with_for_update(skip_locked=True)).all()


def next_moment(session: Session) -> datetime | None:
    """Return when the next active schedule is due, None if none is."""
    return session.scalar(select(func.min(FleetSchedule.next_at)).where(text("is_active")))


def list_carried(session: Session) -> Sequence[FleetSchedule]:
    """Return the active schedules that devices carry, the first one first."""
    return session.scalars(select(FleetSchedule).where(text(CARRIED_SQL)).order_by(FleetSchedule.id)).all()
