"""Queues: where runs wait for their turn, and how many of each may be in flight at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.store.base import Base
from watchbell.store.runs import ACTIVE_SQL, Run
from watchbell.store.tasks import Task

#: The states that count against the bound of a queue.
IN_FLIGHT_STATES = (RunState.CLAIMED.value, *sorted(state.value for state in IN_FLIGHT))


class Queue(Base):
    """The bounds of one queue; a queue that no row names has none."""

    __tablename__ = "queue"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: How many of its runs may be in flight at a time; None for no bound of its own.
    max_running: Mapped[int | None]
    comment: Mapped[str] = mapped_column(default="")
    #: What carries its runs: scheduler or engine.
    carrier: Mapped[str] = mapped_column(default="scheduler", server_default="scheduler")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")


def find_queue(session: Session, name: str) -> Queue | None:
    """Return the bounds of a queue, or None if it has none."""
    return session.get(Queue, name)


def list_queues(session: Session) -> Sequence[Queue]:
    """Return the queues that have a row of their own, by name."""
    return session.scalars(select(Queue).order_by(Queue.name)).all()


def put_queue(session: Session, queue: Queue) -> None:
    """Store the bounds of a queue in place of what it had."""
    session.merge(queue)
    session.flush()


def delete_queue(session: Session, queue: Queue) -> None:
    """Delete the bounds of a queue."""
    session.delete(queue)


def read_bounds(session: Session) -> dict[str, int]:
    """Return how many runs of each bounded queue may be in flight.

    Where several schedulers can write at a time this makes them go one after the other, so that none of them starts one
    too many.
    """
    statement = select(Queue.name, Queue.max_running).where(Queue.max_running.is_not(None)).order_by(Queue.name)
    rows = session.connection().execute(statement.with_for_update())
    return {name: most for name, most in rows if most is not None}


def count_in_flight(session: Session, names: Sequence[str] | None = None) -> dict[str, int]:
    """Return how many runs are in flight by queue; queues without one are left out."""
    return _count_runs(session, IN_FLIGHT_STATES, names)


def count_waiting(session: Session) -> dict[str, int]:
    """Return how many runs wait by queue, those that wait for another attempt included."""
    return _count_runs(session, (RunState.QUEUED.value, RunState.RETRY_WAIT.value), None)


def _count_runs(session: Session, states: Sequence[str], names: Sequence[str] | None) -> dict[str, int]:
    statement = select(Run.queue, func.count()).where(text(ACTIVE_SQL), Run.state.in_(states)).group_by(Run.queue)
    if names is not None:
        statement = statement.where(Run.queue.in_(names))
    return {name: int(count) for name, count in session.connection().execute(statement)}


def count_tasks(session: Session) -> dict[str, int]:
    """Return how many tasks that are not deleted put their runs into each queue."""
    # A task that was stored by an earlier version says nothing about it.
    name = func.coalesce(Task.policies["queue"].as_string(), "default")
    statement = select(name, func.count()).where(Task.deleted_at.is_(None)).group_by(name)
    return {found: int(count) for found, count in session.connection().execute(statement)}
