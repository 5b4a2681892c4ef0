"""The outbox: what happened, in the order of commits, for those who follow from outside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class Outbox(Base):
    """One event, written in the transaction of the change it tells of."""

    __tablename__ = "outbox"
    # Followers remember the last id they have seen, so an id must never come back.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    task_id: Mapped[int | None]
    run_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime]


_COLUMNS = (Outbox.id, Outbox.type, Outbox.task_id, Outbox.run_id, Outbox.data, Outbox.at)


def list_after(session: Session, event_id: int, limit: int = 500) -> Sequence[Row[Any]]:
    """Return the columns of the events after an id, oldest first."""
    return session.execute(select(*_COLUMNS).where(Outbox.id > event_id).order_by(Outbox.id).limit(limit)).all()


def list_newest(session: Session, limit: int) -> Sequence[Row[Any]]:
    """Return the columns of the newest events, newest first."""
    return session.execute(select(*_COLUMNS).order_by(Outbox.id.desc()).limit(limit)).all()


def newest_id(session: Session) -> int:
    """Return the id of the newest event, 0 if there is none."""
    return int(session.scalar(select(func.max(Outbox.id))) or 0)
