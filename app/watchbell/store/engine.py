"""The engine: its workers, what was announced to them, what their commands are writing, and how the broker does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, delete, exists, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.store.base import Base
from watchbell.store.queues import Queue
from watchbell.store.runs import ACTIVE_SQL, QUEUED_SQL, Attempt, Run
from watchbell.store.tasks import Task

#: What carries the runs of a queue.
SCHEDULER, ENGINE = "scheduler", "engine"


class EngineWorker(Base):
    """One life of a worker; its lease is held for all of its runs together."""

    __tablename__ = "engine_worker"

    #: Made anew at each start, and whenever a lease has ended.
    incarnation: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str]
    host: Mapped[str]
    version: Mapped[str]
    pid: Mapped[int]
    boot_id: Mapped[str]
    #: The queues that it serves.
    queues: Mapped[list[Any]]
    max_running: Mapped[int]
    running: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    #: Rises with every renewal: whoever watches the lease needs no clock but their own.
    beats: Mapped[int] = mapped_column(default=0)
    #: What is wrong with its way to the broker, empty if nothing is.
    trouble: Mapped[str] = mapped_column(default="")
    #: Set when it was asked to stop, when it has ended, and when its lease was seen to have ended.
    stopping_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]


class Announcement(Base):
    """A queued run of which workers were told, and the nonce that a claim has to name."""

    __tablename__ = "announcement"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    nonce: Mapped[str]
    announced_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)


class LiveOutput(Base):
    """The end of what a command of a worker has written to a stream so far."""

    __tablename__ = "live_output"

    attempt_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stream: Mapped[str] = mapped_column(primary_key=True)
    #: Where ``content`` begins, and how much was written in all.
    start: Mapped[int]
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class EngineBroker(Base):
    """How the broker answers the scheduler of a host."""

    __tablename__ = "engine_broker"

    host: Mapped[str] = mapped_column(primary_key=True)
    #: What is wrong, empty if nothing is, and since when it is so.
    trouble: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime]
    told_at: Mapped[datetime]


def list_carried_queues(session: Session) -> frozenset[str]:
    """Return the queues whose runs the engine carries."""
    return frozenset(session.connection().scalars(select(Queue.name).where(Queue.carrier == ENGINE)))


def find_worker(session: Session, incarnation: str) -> EngineWorker | None:
    """Return one life of a worker, or None."""
    return session.get(EngineWorker, incarnation)


def is_leased(session: Session, incarnation: str) -> bool:
    """Return whether a worker may take runs: its lease has not been seen to end, and it has not ended itself."""
    held = select(EngineWorker.incarnation).where(
        EngineWorker.incarnation == incarnation, EngineWorker.lost_at.is_(None), EngineWorker.stopped_at.is_(None)
    )
    return session.connection().execute(held).first() is not None


def renew(session: Session, incarnation: str, *, now: datetime, running: int, trouble: str) -> bool:
    """Renew a lease; return whether it was still held."""
    statement = (
        update(EngineWorker)
        .where(EngineWorker.incarnation == incarnation, EngineWorker.lost_at.is_(None))
        .values(beats=EngineWorker.beats + 1, beat_at=now, running=running, trouble=trouble)
    )
    return bool(session.connection().execute(statement).rowcount)


def list_workers(session: Session, limit: int = 200) -> Sequence[EngineWorker]:
    """Return the lives of workers that beat last, the newest first."""
    return session.scalars(select(EngineWorker).order_by(EngineWorker.beat_at.desc()).limit(limit)).all()


def list_open_workers(session: Session) -> Sequence[EngineWorker]:
    """Return the lives whose leases have to be watched: those that have not ended, and those that left commands behind."""
    holds = exists().where(text(ACTIVE_SQL), Run.holder == EngineWorker.incarnation, Run.state.in_(_HELD))
    is_open = or_(EngineWorker.stopped_at.is_(None), holds)
    return session.scalars(select(EngineWorker).where(EngineWorker.lost_at.is_(None), is_open)).all()


_HELD = tuple(sorted(state.value for state in IN_FLIGHT))


def list_held(session: Session, incarnation: str) -> Sequence[Run]:
    """Return the runs in flight that a worker holds."""
    held = select(Run).where(text(ACTIVE_SQL), Run.state.in_(_HELD), Run.holder == incarnation)
    return session.scalars(held.order_by(Run.id)).all()


def delete_workers(session: Session, before: datetime) -> None:
    """Delete lives that have been over since a time."""
    over = or_(EngineWorker.stopped_at < before, EngineWorker.lost_at < before)
    session.connection().execute(delete(EngineWorker).where(over))


def count_announced(session: Session, queues: Collection[str]) -> dict[str, int]:
    """Return how many of the queued runs were announced, by queue."""
    statement = (
        select(Run.queue, func.count())
        .join(Announcement, Announcement.run_id == Run.id)
        .where(text("run." + QUEUED_SQL), Run.queue.in_(sorted(queues)))
        .group_by(Run.queue)
    )
    return {name: int(count) for name, count in session.connection().execute(statement)}


def find_announcements(session: Session, run_ids: Collection[int]) -> dict[int, Announcement]:
    """Return what was announced of some runs."""
    found = session.scalars(select(Announcement).where(Announcement.run_id.in_(sorted(run_ids))))
    return {row.run_id: row for row in found}


def note_announced(session: Session, run_ids: Collection[int], at: datetime) -> None:
    """Note that runs were announced once more."""
    told = update(Announcement).where(Announcement.run_id.in_(sorted(run_ids)))
    session.connection().execute(told.values(announced_at=at, times=Announcement.times + 1))


def drop_announcements(session: Session, run_ids: Collection[int]) -> None:
    """Forget that runs were announced."""
    session.connection().execute(delete(Announcement).where(Announcement.run_id.in_(sorted(run_ids))))


def nonces(session: Session, run_ids: Collection[int]) -> Mapping[int, str]:
    """Return the nonces under which runs were announced."""
    rows = session.connection().execute(
        select(Announcement.run_id, Announcement.nonce).where(Announcement.run_id.in_(sorted(run_ids)))
    )
    return {row.run_id: row.nonce for row in rows}


def hosts_of(session: Session, task_ids: Collection[int]) -> dict[int, str]:
    """Return the hosts that tasks name, by their ids; empty for any."""
    rows = session.connection().execute(select(Task.id, Task.host).where(Task.id.in_(sorted(task_ids))))
    return {row.id: row.host for row in rows}


def sweep(session: Session) -> None:
    """Delete announcements of runs that wait no more, and live outputs of attempts that are over."""
    connection = session.connection()
    waits = exists().where(Run.id == Announcement.run_id, Run.state == RunState.QUEUED.value)
    connection.execute(delete(Announcement).where(~waits))
    goes_on = exists().where(Attempt.id == LiveOutput.attempt_id, Attempt.ended_at.is_(None))
    connection.execute(delete(LiveOutput).where(~goes_on))


def put_live(session: Session, rows: Sequence[LiveOutput]) -> None:
    """Store what commands are writing in place of what was known of it."""
    for row in rows:
        session.merge(row)
    session.flush()


def find_live(session: Session, attempt_id: int, stream: str) -> LiveOutput | None:
    """Return what is known of what a command is writing, or None."""
    return session.get(LiveOutput, (attempt_id, stream))


def list_live(session: Session, attempt_ids: Collection[int]) -> dict[tuple[int, str], LiveOutput]:
    """Return what is known of what commands are writing, by attempt and stream."""
    found = session.scalars(select(LiveOutput).where(LiveOutput.attempt_id.in_(sorted(attempt_ids))))
    return {(one.attempt_id, one.stream): one for one in found}


def drop_live(session: Session, attempt_ids: Collection[int]) -> None:
    """Forget what commands were writing that have ended."""
    session.connection().execute(delete(LiveOutput).where(LiveOutput.attempt_id.in_(sorted(attempt_ids))))


def put_broker(session: Session, broker: EngineBroker) -> None:
    """Store how the broker answers, in place of what was known."""
    session.merge(broker)
    session.flush()


def list_brokers(session: Session) -> Sequence[EngineBroker]:
    """Return how the broker answers the schedulers, the one that was asked last first."""
    return session.scalars(select(EngineBroker).order_by(EngineBroker.told_at.desc())).all()
