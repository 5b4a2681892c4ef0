"""What befell the schedulers themselves: clock jumps, suspends, stalls, a database that did not answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from watchbell.store.base import Base


class Incident(Base):
    """One thing that happened to a scheduler; append-only."""

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    #: clock_jumped, suspended, held_up, database_late, database_full, ...
    kind: Mapped[str]
    #: In words, for people.
    message: Mapped[str]
    host: Mapped[str] = mapped_column(default="")
    #: Which life of which scheduler tells it.
    incarnation: Mapped[str] = mapped_column(default="")
    #: The figures, such as the seconds of a jump and the times before and after.
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
