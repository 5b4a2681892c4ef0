"""Which schedules and tasks are due within a time, as little of each as their moments are worked out from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import String, case, cast, func, select
from sqlalchemy.orm import Session, load_only

from watchbell.store.base import id_list, ids_select, in_lots
from watchbell.store.tasks import Task, filtered


class PlanLine(NamedTuple):
    """Tasks that are due at the same moments: thousands of tasks have few schedules."""

    #: As it is stored.
    schedule: str
    #: From when on it counts; None for tasks whose moments are settled no further than up to now.
    begin: datetime | None


def list_due(
    session: Session,
    *,
    now: datetime,
    until: datetime,
    after: datetime | None = None,
    limit: int | None = None,
    **filters: Any,
) -> list[PlanLine]:
    """Return the schedules of the tasks of a list whose next moment is not later than one time and later than another one.

    Those of the soonest come first; the filters are those of ``store.tasks.list_tasks``.
    """
    columns = (cast(Task.schedule, String), _begin(now))
    statement: Any = filtered(select(*columns, func.min(Task.next_due_at)), **filters).where(Task.next_due_at <= until)
    if after is not None:
        statement = statement.where(Task.next_due_at > after)
    statement = statement.group_by(*columns).order_by(func.min(Task.next_due_at)).limit(limit)
    return [PlanLine(schedule, begin) for schedule, begin, _soonest in session.connection().execute(statement).all()]


def list_named(
    session: Session, lines: Sequence[PlanLine], *, now: datetime, **filters: Any
) -> dict[PlanLine, list[tuple[str, int]]]:
    """Return the tasks of a list that have some of its schedules, as name and number, by their names."""
    found: dict[PlanLine, list[tuple[str, int]]] = {line: [] for line in lines}
    texts = [line.schedule for line in lines]
    for lot in in_lots(list(dict.fromkeys(texts))):
        schedule, begin = cast(Task.schedule, String), _begin(now)
        statement: Any = filtered(select(schedule, begin, Task.name, Task.id), **filters).where(schedule.in_(lot))
        for text, start, name, number in session.connection().execute(statement.order_by(Task.name)):
            members = found.get(PlanLine(text, start))
            if members is not None:
                members.append((name, number))
    return found


#: What is shown of a task that is due; a list of thousands would read their policies and environments for nothing.
_SHOWN = (Task.name, Task.command, Task.schedule, Task.schedule_words, Task.zone, Task.tags, Task.owner, Task.host)


def list_shown(session: Session, ids: Sequence[int]) -> Sequence[Task]:
    """Return those of some tasks that are there and not deleted, with no more than lists of moments show of them."""
    chosen = select(Task).where(Task.id.in_(ids_select(session.get_bind().dialect.name)), Task.deleted_at.is_(None))
    shown = chosen.options(load_only(*_SHOWN, raiseload=True))
    return session.scalars(shown, {"ids": id_list(session, ids)}).all()


def next_moment(session: Session, number: int, *, after: datetime, until: datetime, **filters: Any) -> datetime | None:
    """Return the next moment of the task of a list that is due as the so manieth one within a time; None if they are fewer."""
    statement: Any = filtered(select(Task.next_due_at), **filters).where(
        Task.next_due_at > after, Task.next_due_at <= until
    )
    found: datetime | None = session.scalar(statement.order_by(Task.next_due_at).offset(number - 1).limit(1))
    return found


def _begin(now: datetime) -> Any:
    return case((Task.cursor_at > now, Task.cursor_at), else_=None)


def count_due(session: Session, *, until: datetime, **filters: Any) -> int:
    """Return how many tasks of a list have their next moment until a time."""
    statement = filtered(select(func.count(Task.id)), **filters).where(Task.next_due_at <= until)
    return int(session.scalar(statement) or 0)
