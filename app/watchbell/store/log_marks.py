"""From when on the log of something is shown: clearing it moves this mark and deletes nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class LogMark(Base):
    """The last clearing of one log."""

    __tablename__ = "log_mark"

    #: Whose log it is, such as task:7.
    name: Mapped[str] = mapped_column(primary_key=True)
    cleared_at: Mapped[datetime]
    cleared_by: Mapped[str] = mapped_column(default="")


def find_cleared_at(session: Session, name: str) -> datetime | None:
    """Return when a log was cleared last, or None."""
    mark = session.get(LogMark, name)
    return mark.cleared_at if mark is not None else None


def set_cleared(session: Session, name: str, *, at: datetime, by: str) -> None:
    """Note that a log has been cleared."""
    session.merge(LogMark(name=name, cleared_at=at, cleared_by=by))
