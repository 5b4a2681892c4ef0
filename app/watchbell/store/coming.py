"""Which tasks are due within a time, as little of each as their moments are worked out from."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from watchbell.store.tasks import Task, filtered


@dataclasses.dataclass(frozen=True, slots=True)
class PlanLine:
    """What of a task says when it is due."""

    id: int
    name: str
    #: As it is stored.
    schedule: str
    cursor_at: datetime


def list_due(
    session: Session, *, until: datetime, after: datetime | None = None, limit: int | None = None, **filters: Any
) -> list[PlanLine]:
    """Return the tasks of a list whose next moment is not later than one time and later than another one, the soonest first.

    The filters are those of ``store.tasks.list_tasks``.
    """
    statement: Any = select(Task.id, Task.name, cast(Task.schedule, String), Task.cursor_at)
    statement = filtered(statement, **filters).where(Task.next_due_at <= until)
    if after is not None:
        statement = statement.where(Task.next_due_at > after)
    rows = session.connection().execute(statement.order_by(Task.next_due_at, Task.name).limit(limit))
    return [PlanLine(*row) for row in rows]


def count_due(session: Session, *, until: datetime, **filters: Any) -> int:
    """Return how many tasks of a list have their next moment until a time."""
    statement = filtered(select(func.count(Task.id)), **filters).where(Task.next_due_at <= until)
    return int(session.scalar(statement) or 0)
