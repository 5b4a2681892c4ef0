"""What a person has paused: everything, a queue, or a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base
from watchbell.store.runs import QUEUED_SQL, Run


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


def add_words(session: Session, words: str, *, queue: str | None = None, task_id: int | None = None) -> None:
    """Say on the rows of what waits, of everything or of a queue or task, why it does not start."""
    longer = case((Run.reason == "", words), else_=Run.reason + "; " + words)
    _say(session, longer, queue=queue, task_id=task_id)


def replace_words(
    session: Session, before: str, words: str, *, queue: str | None = None, task_id: int | None = None
) -> None:
    """Say something else on the rows of what waits, of everything or of a queue or task, in place of what stood there."""
    _say(session, func.replace(Run.reason, before, words), queue=queue, task_id=task_id)


def _say(session: Session, reason: Any, *, queue: str | None, task_id: int | None) -> None:
    statement = update(Run).where(text(QUEUED_SQL)).values(reason=reason)
    if queue is not None:
        statement = statement.where(Run.queue == queue)
    if task_id is not None:
        statement = statement.where(Run.task_id == task_id)
    session.execute(statement.execution_options(synchronize_session=False))
