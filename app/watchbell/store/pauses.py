"""What a person has paused: everything, a queue, or a task."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

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
