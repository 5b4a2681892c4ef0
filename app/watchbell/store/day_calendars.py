"""Named calendars of days, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold
from watchbell.store.tasks import Task


class NamedCalendar(Base):
    """A calendar that the schedules of tasks may name."""

    __tablename__ = "named_calendar"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    #: Lines and names of weekdays, as ``domain.day_calendar`` has them.
    days: Mapped[str]
    weekdays: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")


def find_calendar(session: Session, calendar_id: int) -> NamedCalendar | None:
    """Return a calendar, or None."""
    return session.get(NamedCalendar, calendar_id) if can_hold(calendar_id) else None


def find_calendar_by_name(session: Session, name: str) -> NamedCalendar | None:
    """Return the calendar of a name, or None."""
    statement = select(NamedCalendar).where(NamedCalendar.name == name)
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_calendars(session: Session) -> Sequence[NamedCalendar]:
    """Return all calendars by name."""
    return session.scalars(select(NamedCalendar).order_by(func.lower(NamedCalendar.name), NamedCalendar.id)).all()


def add_calendar(session: Session, calendar: NamedCalendar) -> None:
    """Store a new calendar."""
    session.add(calendar)
    session.flush()


def delete_calendar(session: Session, calendar: NamedCalendar) -> None:
    """Delete a calendar."""
    session.delete(calendar)
    session.flush()


def count_uses(session: Session) -> dict[str, int]:
    """Return how many tasks that are not deleted name each calendar; one that none names is left out."""
    name = Task.schedule["calendar"].as_string()
    statement = select(name, func.count()).where(Task.deleted_at.is_(None), name.is_not(None)).group_by(name)
    return {str(found): int(count) for found, count in session.connection().execute(statement)}


def list_users(session: Session, name: str, *, limit: int | None = None) -> Sequence[Task]:
    """Return the tasks that name a calendar, by name; those that are deleted are left out."""
    statement = select(Task).where(Task.deleted_at.is_(None), Task.schedule["calendar"].as_string() == name)
    return session.scalars(statement.order_by(Task.name).limit(limit)).all()
