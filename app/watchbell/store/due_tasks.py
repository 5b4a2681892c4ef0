"""How many tasks are due within a time, and by which schedules, without reading the tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, case, cast, func, select
from sqlalchemy.orm import Session

from watchbell.store.tasks import Task, decoded, filtered


def count_due(session: Session, *, after: datetime, until: datetime, at_most: int) -> int:
    """Return how many enabled tasks have their next moment within a time, counting no further than a bound."""
    chosen = filtered(select(Task.id), enabled=True).where(Task.next_due_at > after, Task.next_due_at <= until)
    return int(session.scalar(select(func.count()).select_from(chosen.limit(at_most).subquery())) or 0)


def list_schedules_due(session: Session, *, now: datetime, until: datetime) -> list[tuple[Any, datetime, int]]:
    """Return the schedules of the enabled tasks that are due until a time, from when each counts, and how many tasks have it.

    Thousands of tasks have few schedules between them, so each is told once.
    """
    ahead = case((Task.cursor_at > now, Task.cursor_at))
    statement = filtered(select(cast(Task.schedule, String), ahead, func.count()), enabled=True)
    rows = session.execute(statement.where(Task.next_due_at <= until).group_by(cast(Task.schedule, String), ahead))
    return [(decoded(text), cursor or now, int(count)) for text, cursor, count in rows]
