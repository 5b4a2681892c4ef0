"""Counts of executions by task and in all, from the totals of days, which outlive the runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import case, func, or_, select, text
from sqlalchemy.orm import Session

from watchbell.domain.run_state import RunState
from watchbell.store.base import id_list, ids_select, pattern
from watchbell.store.runs import Run
from watchbell.store.samples import MEASURED
from watchbell.store.tasks import Task
from watchbell.store.totals import RunDay

_DAY: Any = RunDay.__table__
_TASK: Any = Task.__table__
_SUCCEEDED = RunState.SUCCEEDED.value
#: So many of the newest runs of a task are looked at for the one that was executed last.
_LOOKED_AT = 50


class Counted(NamedTuple):
    """What executions come to."""

    executions: int = 0
    successful: int = 0
    seconds: float = 0.0
    tasks: int = 0


def list_counts(session: Session) -> Sequence[Any]:
    """Return how often each task was executed, and how often well."""
    good = func.sum(case((_DAY.c.state == _SUCCEEDED, _DAY.c.runs), else_=0))
    statement = select(_DAY.c.task_id, func.sum(_DAY.c.runs).label("executions"), good.label("successful"))
    executed = statement.where(_DAY.c.state.in_(MEASURED)).group_by(_DAY.c.task_id)
    return session.connection().execute(executed).all()


def count(session: Session, since: dt.date | None = None, until: dt.date | None = None) -> Counted:
    """Return what all executions come to that were due from a day on and before another."""
    good = func.sum(case((_DAY.c.state == _SUCCEEDED, _DAY.c.runs), else_=0))
    statement = select(
        func.coalesce(func.sum(_DAY.c.runs), 0),
        func.coalesce(good, 0),
        func.coalesce(func.sum(_DAY.c.seconds), 0.0),
        func.count(func.distinct(_DAY.c.task_id)),
    ).where(_DAY.c.state.in_(MEASURED))
    if since is not None:
        statement = statement.where(_DAY.c.day >= since)
    if until is not None:
        statement = statement.where(_DAY.c.day < until)
    executions, successful, seconds, tasks = session.connection().execute(statement).one()
    return Counted(int(executions), int(successful), float(seconds), int(tasks))


def list_commands(session: Session, task_ids: Sequence[int]) -> Sequence[Any]:
    """Return id, name, command and directory of tasks, deleted ones included."""
    wanted = _TASK.c.id.in_(ids_select(session.get_bind().dialect.name))
    statement = select(_TASK.c.id, _TASK.c.name, _TASK.c.command, _TASK.c.directory).where(wanted)
    return session.connection().execute(statement, {"ids": id_list(session, task_ids)}).all()


def find_commands(session: Session, name: str, script: str) -> Sequence[Any]:
    """Return id, name, command and directory of tasks with a name, or whose command has a script's name in it."""
    has_script = _TASK.c.command.like(pattern(script), escape="\\")
    statement = select(_TASK.c.id, _TASK.c.name, _TASK.c.command, _TASK.c.directory)
    return session.connection().execute(statement.where(or_(_TASK.c.name == name, has_script))).all()


def list_newest(session: Session, task_ids: Sequence[int]) -> dict[int, dt.datetime]:
    """Return when the newest executed run of each task began, of those that have one among their newest runs."""
    dialect = session.get_bind().dialect.name
    recent = (
        select(Run.id, Run.state, Run.attempts).where(Run.task_id == Task.id).order_by(Run.id.desc()).limit(_LOOKED_AT)
    )
    inner = recent.correlate(Task).subquery()
    executed = select(func.max(inner.c.id)).where(inner.c.state.in_(MEASURED), inner.c.attempts > 0).scalar_subquery()
    newest = select(executed).where(Task.id.in_(ids_select(dialect)))
    rows = session.execute(
        select(Run.task_id, func.coalesce(Run.started_at, Run.due_at, type_=Run.due_at.type)).where(Run.id.in_(newest)),
        {"ids": id_list(session, task_ids)},
    )
    return {row[0]: row[1] for row in rows}


def size_bytes(session: Session) -> int:
    """Return the size of a server's database."""
    return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
