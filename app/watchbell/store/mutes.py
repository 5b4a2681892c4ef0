"""Failures that a person has muted: of which task, and what it was like."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class Mute(Base):
    """A failure of a task that needs no attention until it changes."""

    __tablename__ = "mute"

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    #: The run that was the newest failure then.
    run_id: Mapped[int]
    #: What the failure was like, in which those that are the same agree.
    mark: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(default="")


def list_mutes(session: Session) -> dict[int, Mute]:
    """Return what is muted, by task."""
    return {mute.task_id: mute for mute in session.scalars(select(Mute))}


def put(session: Session, mute: Mute) -> None:
    """Store a mute in the place of the one that its task has had."""
    session.merge(mute)
    session.flush()


def remove(session: Session, task_id: int) -> bool:
    """Forget the mute of a task and return whether there was one."""
    found = session.get(Mute, task_id)
    if found is not None:
        session.delete(found)
        session.flush()
    return found is not None
