"""Failures and which of them are the same one, by their fingerprint, across tasks and hosts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, UniqueConstraint, and_, delete, exists, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold, id_list, ids_select
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Attempt, Output, Run


class FailureGroup(Base):
    """All failures with one fingerprint; it stays when their runs are deleted."""

    __tablename__ = "failure_group"
    __table_args__ = (UniqueConstraint("fingerprint"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    #: What the fingerprint is of.
    text: Mapped[str]
    times: Mapped[int]
    first_run_id: Mapped[int]
    first_task_name: Mapped[str]
    first_task_version: Mapped[int]
    first_at: Mapped[datetime]
    last_run_id: Mapped[int]
    last_at: Mapped[datetime]
    #: What somebody has written down about it, for the next time.
    note: Mapped[str] = mapped_column(default="")
    note_by: Mapped[str] = mapped_column(default="")


class Failure(Base):
    """A run that failed, and the how manieth of its group it was."""

    __tablename__ = "failure"
    __table_args__ = (Index("ix_failure_group", "group_id", "task_id", "run_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("failure_group.id"))
    task_id: Mapped[int]
    task_version: Mapped[int]
    number: Mapped[int]


class Failed(NamedTuple):
    """A run that failed, with what its fingerprint is made of."""

    run_id: int
    task_id: int
    task_name: str
    task_version: int
    state: str
    exit_code: int | None
    reason: str
    at: datetime
    #: What is kept of the error output: the bytes if they are few, else the file.
    content: bytes | None
    file: str | None


def list_failed(session: Session, run_ids: Sequence[int]) -> list[Failed]:
    """Return those of some runs that failed or timed out, the oldest first."""
    joined = (
        select(
            *(Run.id, Run.task_id, Run.task_name, Run.task_version, Run.state, Run.exit_code, Run.reason),
            *(func.coalesce(Run.ended_at, Run.due_at, type_=Run.ended_at.type), Output.content, Output.file),
        )
        .outerjoin(Attempt, and_(Attempt.run_id == Run.id, Attempt.number == Run.attempts))
        .outerjoin(Output, and_(Output.attempt_id == Attempt.id, Output.stream == "stderr"))
    )
    wanted = Run.id.in_(ids_select(session.get_bind().dialect.name))
    statement = joined.where(wanted, Run.state.in_(("failed", "timed_out"))).order_by(Run.id)
    return [Failed._make(row) for row in session.execute(statement, {"ids": id_list(session, run_ids)})]


def count_in(session: Session, fingerprint: str, words: str, failed: Failed) -> None:
    """Count a failure in its group, which is made if it is the first."""
    group = session.scalars(select(FailureGroup).where(FailureGroup.fingerprint == fingerprint)).one_or_none()
    if group is None:
        group = FailureGroup(
            fingerprint=fingerprint,
            text=words,
            times=0,
            first_run_id=failed.run_id,
            first_task_name=failed.task_name,
            first_task_version=failed.task_version,
            first_at=failed.at,
            last_run_id=failed.run_id,
            last_at=failed.at,
            note="",
            note_by="",
        )
        session.add(group)
    group.times += 1
    group.last_run_id, group.last_at = failed.run_id, failed.at
    session.flush()
    session.add(
        Failure(
            run_id=failed.run_id,
            group_id=group.id,
            task_id=failed.task_id,
            task_version=failed.task_version,
            number=group.times,
        )
    )
    session.flush()


def find(session: Session, run_id: int) -> tuple[Failure, FailureGroup] | None:
    """Return a failure and its group, None for a run that has not failed or was not looked at yet."""
    statement = select(Failure, FailureGroup).join(FailureGroup, FailureGroup.id == Failure.group_id)
    row = session.execute(statement.where(Failure.run_id == run_id)).one_or_none()
    return None if row is None else (row[0], row[1])


def first_of_task(session: Session, group_id: int, task_id: int) -> Failure:
    """Return the first failure of a task in a group that is still there; there is one."""
    mine = select(Failure).where(Failure.group_id == group_id, Failure.task_id == task_id)
    return session.scalars(mine.order_by(Failure.run_id).limit(1)).one()


def count_tasks(session: Session, group_id: int) -> int:
    """Return how many tasks have failed in the way of a group, among the runs that are still there."""
    return int(
        session.scalar(select(func.count(func.distinct(Failure.task_id))).where(Failure.group_id == group_id)) or 0
    )


def list_groups(session: Session, limit: int) -> Sequence[FailureGroup]:
    """Return the groups with the newest failures, those first."""
    return session.scalars(select(FailureGroup).order_by(FailureGroup.last_run_id.desc()).limit(limit)).all()


def set_note(session: Session, group_id: int, note: str, by: str) -> bool:
    """Set the note of a group; return whether there is such a group."""
    changed = session.connection().execute(
        update(FailureGroup).where(FailureGroup.id == group_id).values(note=note, note_by=by)
    )
    return bool(changed.rowcount == 1)


def delete_forgotten(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many groups that nobody has written anything about, whose runs are gone and which are older than a time."""
    has_runs = exists().where(Failure.group_id == FailureGroup.id)
    old = select(FailureGroup.id).where(FailureGroup.last_at < before, FailureGroup.note == "", ~has_runs).limit(limit)
    return int(session.connection().execute(delete(FailureGroup).where(FailureGroup.id.in_(old))).rowcount)


class TaskFailures(NamedTuple):
    """How often a task has failed in the way of a group, among the runs that are still there."""

    task_id: int
    task_name: str
    times: int
    first_version: int
    last_run_id: int
    last_at: datetime


def find_group(session: Session, group_id: int) -> FailureGroup | None:
    """Return a group."""
    return session.get(FailureGroup, group_id) if can_hold(group_id) else None


def list_by_task(session: Session, group_ids: Sequence[int]) -> dict[int, list[TaskFailures]]:
    """Return by group which tasks have failed in its way, the one that did so last first."""
    last = func.max(Failure.run_id).label("last_run_id")
    wanted = Failure.group_id.in_(ids_select(session.get_bind().dialect.name))
    counted = (
        select(Failure.group_id, Failure.task_id, func.count().label("times"),
               func.min(Failure.task_version).label("first_version"), last)
        .where(wanted)
        .group_by(Failure.group_id, Failure.task_id)
        .subquery()
    )  # fmt: skip
    statement = (
        select(counted.c.group_id, counted.c.task_id, Run.task_name, counted.c.times, counted.c.first_version,
               counted.c.last_run_id, Run.due_at)
        .join(Run, Run.id == counted.c.last_run_id)
        .order_by(counted.c.last_run_id.desc())
    )  # fmt: skip
    found: dict[int, list[TaskFailures]] = {}
    for group_id, *row in session.execute(statement, {"ids": id_list(session, group_ids)}):
        found.setdefault(group_id, []).append(TaskFailures(*row))
    return found


def list_newest(session: Session, group_id: int, limit: int) -> list[tuple[Failure, Run]]:
    """Return the newest failures of a group with their runs, the newest first."""
    statement = select(Failure, Run).join(Run, Run.id == Failure.run_id).where(Failure.group_id == group_id)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Failure.run_id.desc()).limit(limit))]


def list_hosts(session: Session, group_id: int, newest: int) -> list[str]:
    """Return on which machines the newest failures of a group were, in order, as far as that is known."""
    mine = select(Failure.run_id).where(Failure.group_id == group_id).order_by(Failure.run_id.desc()).limit(newest)
    held = select(Attempt.holder).where(Attempt.run_id.in_(mine))
    return sorted(set(session.scalars(select(Scheduler.host).where(Scheduler.incarnation.in_(held)))))
