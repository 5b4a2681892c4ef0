"""Queues: where runs wait for their turn, and how many of each may be in flight at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from watchbell.store.base import Base


class Queue(Base):
    """The bounds of one queue; a queue that no row names has none."""

    __tablename__ = "queue"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: How many of its runs may be in flight at a time; None for no bound of its own.
    max_running: Mapped[int | None]
    comment: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")
