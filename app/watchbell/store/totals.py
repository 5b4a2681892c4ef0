"""Daily totals of runs, which outlive the runs themselves."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from watchbell.store.base import Base


class RunDay(Base):
    """How many occurrences of a task, due on one day in UTC, ended in one state, and how long those took together."""

    __tablename__ = "run_day"

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    #: Rows, and the occurrences that they stand for.
    runs: Mapped[int] = mapped_column(default=0)
    occurrences: Mapped[int] = mapped_column(default=0)
    #: Seconds from the first start to the end, of those that were started: their sum, and the longest.
    seconds: Mapped[float] = mapped_column(default=0.0)
    longest_seconds: Mapped[float] = mapped_column(default=0.0)
