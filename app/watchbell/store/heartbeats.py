"""Scheduler instances and their heartbeats, and every query about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class Scheduler(Base):
    """One life of a scheduler process, from its first heartbeat to its end."""

    __tablename__ = "scheduler"
    __table_args__ = (Index("ix_scheduler_started", "started_at"),)

    #: Random at each process start; never a host name or PID.
    incarnation: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str]
    host: Mapped[str]
    #: production or development.
    environment: Mapped[str]
    #: Microseconds since the epoch at the start, as text: the session id that the dashboard's users know.
    session_id: Mapped[str]
    version: Mapped[str]
    pid: Mapped[int]
    start_ticks: Mapped[int]
    boot_id: Mapped[str]
    started_at: Mapped[datetime]
    #: Set again and again while the loop turns.
    beat_at: Mapped[datetime]
    running: Mapped[int] = mapped_column(default=0)
    #: How many processes waited for a processor of its machine, on the average of the last minute; None if that is not told.
    load: Mapped[float | None]
    #: Set by an end in good order.
    stopping_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    stop_reason: Mapped[str] = mapped_column(default="")


class Heartbeat(Base):
    """Proof of life of a scheduler at one moment."""

    __tablename__ = "heartbeat"
    __table_args__ = (Index("ix_heartbeat_scheduler", "incarnation", "at"), Index("ix_heartbeat_at", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    incarnation: Mapped[str] = mapped_column(ForeignKey("scheduler.incarnation"))
    at: Mapped[datetime]
    running: Mapped[int] = mapped_column(default=0)


def find_scheduler(session: Session, incarnation: str) -> Scheduler | None:
    """Return one life of a scheduler, or None."""
    return session.get(Scheduler, incarnation)


def list_schedulers(session: Session, incarnations: Collection[str]) -> Sequence[Scheduler]:
    """Return the lives of schedulers with these incarnations."""
    return session.scalars(select(Scheduler).where(Scheduler.incarnation.in_(sorted(incarnations)))).all()


def find_newest(session: Session, host: str | None = None) -> Scheduler | None:
    """Return the scheduler that was started last (on a host), or None."""
    statement = select(Scheduler).order_by(Scheduler.started_at.desc()).limit(1)
    if host is not None:
        statement = statement.where(Scheduler.host == host)
    return session.scalars(statement).one_or_none()


def list_started(session: Session, since: datetime, limit: int) -> Sequence[Scheduler]:
    """Return the newest lives of schedulers that started after a time, the first one first."""
    newest = select(Scheduler).where(Scheduler.started_at > since).order_by(Scheduler.started_at.desc()).limit(limit)
    return session.scalars(newest).all()[::-1]


def list_newest(session: Session, limit: int = 50) -> Sequence[Scheduler]:
    """Return the lives of schedulers, the one that beat last first."""
    return session.scalars(select(Scheduler).order_by(Scheduler.beat_at.desc()).limit(limit)).all()


def count_working(session: Session, since: datetime, *, besides: str) -> int:
    """Return how many schedulers beside one have beaten since a time and were not asked to stop."""
    others = select(func.count()).where(Scheduler.beat_at > since, Scheduler.incarnation != besides)
    return int(session.scalar(others.where(Scheduler.stopping_at.is_(None), Scheduler.stopped_at.is_(None))) or 0)


def list_beats(session: Session, incarnations: Sequence[str], since: datetime) -> Sequence[Heartbeat]:
    """Return the heartbeats of the given schedulers since a time, oldest first."""
    return session.scalars(
        select(Heartbeat).where(Heartbeat.incarnation.in_(incarnations), Heartbeat.at >= since).order_by(Heartbeat.at)
    ).all()
