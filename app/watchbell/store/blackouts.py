"""Blackout windows, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold


class BlackoutWindow(Base):
    """A window in which moments of tasks are left out."""

    __tablename__ = "blackout"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    #: What ``domain.blackouts.fields_of`` makes of it.
    definition: Mapped[dict[str, Any]]
    #: Whose moments it leaves out; empty for all tasks.
    task_ids: Mapped[list[Any]]
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")


def find_blackout(session: Session, blackout_id: int) -> BlackoutWindow | None:
    """Return a window, or None."""
    return session.get(BlackoutWindow, blackout_id) if can_hold(blackout_id) else None


def find_blackout_by_name(session: Session, name: str) -> BlackoutWindow | None:
    """Return the window of a name, or None."""
    statement = select(BlackoutWindow).where(BlackoutWindow.name == name)
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_blackouts(session: Session) -> Sequence[BlackoutWindow]:
    """Return all windows by name."""
    return session.scalars(select(BlackoutWindow).order_by(func.lower(BlackoutWindow.name), BlackoutWindow.id)).all()


def add_blackout(session: Session, row: BlackoutWindow) -> None:
    """Store a new window."""
    session.add(row)
    session.flush()


def delete_blackout(session: Session, row: BlackoutWindow) -> None:
    """Delete a window."""
    session.delete(row)
    session.flush()
