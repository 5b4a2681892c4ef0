"""What waits: which queued runs may start, in their order, and whose time has come."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, exists, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from watchbell.domain.foreground import HOLDER_PREFIX
from watchbell.domain.run_state import RunState
from watchbell.store.queues import IN_FLIGHT_STATES
from watchbell.store.runs import ACTIVE_SQL, QUEUED_SQL, Run
from watchbell.store.tasks import Task

_RUN: Any = Run.__table__
_STARTABLE_COLUMNS = (
    "id",
    "task_id",
    "task_name",
    "task_version",
    "fence",
    "attempts",
    "due_at",
    "trigger",
    "may_overlap",
    "reason",
    "queue",
    "priority",
)
#: While one of these is there, no other run of its task starts: it runs, or waits to go on.
_HOLDING = (*IN_FLIGHT_STATES, RunState.RETRY_WAIT.value)


def has_queued(session: Session) -> bool:
    """Return whether any run waits in the queue, held up by its own task or not."""
    statement = select(_RUN.c.id).where(text(QUEUED_SQL)).limit(1)
    return session.connection().execute(statement).first() is not None


def list_startable(
    session: Session,
    limit: int,
    host: str | None = None,
    *,
    now: datetime,
    without_queues: frozenset[str] = frozenset(),
    without_tasks: frozenset[int] = frozenset(),
    only_queues: frozenset[str] | None = None,
    only_runs: Collection[int] | None = None,
) -> Sequence[Any]:
    """Return queued runs that nothing of their own task holds up, in the order in which they are to start, one of a task.

    A task that allows overlap may have several. With ``host``, runs of tasks that name another host are left out, and so are
    those of some queues and tasks, and those that are too late by now. Of a deleted task only what has been tried before is
    started again: the others are about to be cancelled. ``only_queues`` and ``only_runs`` leave out all others.
    """
    found: list[Any] = []
    connection = session.connection()
    statement = _startable(host.lower() if host is not None else None, without_queues, without_tasks, only_queues)
    if only_runs is not None:
        statement = statement.where(_RUN.c.id.in_(sorted(only_runs)))
    # One after the other, because there are few of them and each is read in the order of the index, as far as is needed.
    for (priority,) in connection.execute(_PRIORITIES).all():
        values = {"now": now, "priority": priority, "limit": limit - len(found)}
        found += connection.execute(statement, values).all()
        if len(found) >= limit:
            break
    return found


_PRIORITIES = select(_RUN.c.priority).where(text(QUEUED_SQL)).distinct().order_by(_RUN.c.priority.desc())


@functools.lru_cache(maxsize=256)
def _startable(
    host: str | None,
    without_queues: frozenset[str],
    without_tasks: frozenset[int],
    only_queues: frozenset[str] | None,
) -> Select[Any]:
    other, older = _RUN.alias("other"), _RUN.alias("older")
    # Found once for all: asked for each row anew, the database would walk through the whole queue of a task each time.
    held_up = _RUN.c.task_id.in_(select(other.c.task_id).where(other.c.state.in_(_HOLDING)))
    is_behind = exists().where(
        text("older." + ACTIVE_SQL),
        older.c.task_id == _RUN.c.task_id,
        older.c.state == RunState.QUEUED.value,
        # One that waits in a queue of its own, where its task put it before it was changed, holds nobody up here.
        older.c.queue == _RUN.c.queue,
        tuple_(-older.c.priority, older.c.due_at, older.c.id) < tuple_(-_RUN.c.priority, _RUN.c.due_at, _RUN.c.id),
    )
    statement = select(*(_RUN.c[name] for name in _STARTABLE_COLUMNS)).where(
        text("run." + QUEUED_SQL),
        _RUN.c.priority == bindparam("priority"),
        or_(_RUN.c.may_overlap, and_(~held_up, ~is_behind)),
        or_(_RUN.c.start_by.is_(None), _RUN.c.start_by >= bindparam("now"), _RUN.c.attempts > 0),
        or_(_RUN.c.attempts > 0, ~exists().where(Task.id == _RUN.c.task_id, Task.deleted_at.is_not(None))),
    )
    if host is not None:
        here = select(Task.id).where(func.lower(Task.host).in_(["", host]))
        statement = statement.where(_RUN.c.task_id.in_(here))
    if only_queues is not None:
        statement = statement.where(_RUN.c.queue.in_(sorted(only_queues)))
    if without_queues:
        statement = statement.where(_RUN.c.queue.not_in(sorted(without_queues)))
    if without_tasks:
        statement = statement.where(_RUN.c.task_id.not_in(sorted(without_tasks)))
    return statement.order_by(_RUN.c.due_at, _RUN.c.id).limit(bindparam("limit", type_=Integer()))


_MOVED_COLUMNS = (_RUN.c.id, _RUN.c.task_id, _RUN.c.task_name, _RUN.c.state, _RUN.c.fence, _RUN.c.reason)
#: What runs in the foreground is tried again by whoever has started it.
_WAITS_TO_RETRY = (
    text(ACTIVE_SQL),
    _RUN.c.state == RunState.RETRY_WAIT.value,
    func.coalesce(_RUN.c.holder, "").not_like(f"{HOLDER_PREFIX}%"),
)
#: A run that was tried before is bounded by the time for all its attempts and not by this.
_MAY_BE_LATE = (text(QUEUED_SQL), _RUN.c.attempts == 0, _RUN.c.start_by.is_not(None))


def list_retries_due(session: Session, now: datetime, limit: int) -> Sequence[Any]:
    """Return the runs whose next attempt has its time by now, the longest due first."""
    statement = select(*_MOVED_COLUMNS).where(*_WAITS_TO_RETRY, or_(_RUN.c.retry_at.is_(None), _RUN.c.retry_at <= now))
    return session.connection().execute(statement.order_by(_RUN.c.retry_at, _RUN.c.id).limit(limit)).all()


def list_too_late(session: Session, now: datetime, limit: int) -> Sequence[Any]:
    """Return the queued runs that were not started in time; each has start_by, too."""
    statement = select(*_MOVED_COLUMNS, _RUN.c.start_by).where(*_MAY_BE_LATE, _RUN.c.start_by < now)
    return session.connection().execute(statement.order_by(_RUN.c.start_by, _RUN.c.id).limit(limit)).all()


def next_moment(session: Session) -> datetime | None:
    """Return when the next waiting run is tried again, or is too late; None while no run waits for either."""
    moments = [
        session.scalar(select(func.min(_RUN.c.retry_at)).where(*_WAITS_TO_RETRY)),
        session.scalar(select(func.min(_RUN.c.start_by)).where(*_MAY_BE_LATE)),
    ]
    return min((moment for moment in moments if moment is not None), default=None)
