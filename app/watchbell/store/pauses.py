"""What a person has paused: everything, a queue, or a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class Pause(Base):
    """One pause in force; it is gone when somebody resumes."""

    __tablename__ = "pause"

    #: everything, queue:NAME or task:ID.
    scope: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    #: When it ends by itself; None for when somebody resumes.
    until: Mapped[datetime | None]
    by: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")


def list_in_force(session: Session, now: datetime, *, scopes: Sequence[str] | None = None) -> Sequence[Pause]:
    """Return the pauses that hold at a time, the one of everything first; only of some scopes if they are given."""
    statement = select(Pause).where(or_(Pause.until.is_(None), Pause.until > now))
    if scopes is not None:
        statement = statement.where(Pause.scope.in_(scopes))
    return session.scalars(statement.order_by(Pause.scope != "everything", Pause.scope)).all()


def add_pause(session: Session, pause: Pause) -> None:
    """Store a pause."""
    session.add(pause)
    session.flush()


def delete_over(session: Session, now: datetime) -> None:
    """Delete the pauses that have ended by themselves."""
    session.execute(delete(Pause).where(Pause.until <= now))


def delete_pause(session: Session, scope: str) -> bool:
    """Delete the pause of a scope and return whether there was one."""
    # A deleted task resumes what it paused, in the middle of a session whose objects are looked at no more.
    statement = delete(Pause).where(Pause.scope == scope).execution_options(synchronize_session=False)
    return bool(session.connection().execute(statement).rowcount)
