"""What runs were like beside the earlier ones of their tasks; one that was as usual has no row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, id_list, ids_select


class RunVerdict(Base):
    """A run that was not as usual."""

    __tablename__ = "run_verdict"
    __table_args__ = (Index("ix_run_verdict_task", "task_id", "run_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    task_id: Mapped[int]
    #: One of domain.analysis.judgement.Verdict.
    verdict: Mapped[str]
    #: The findings as they were, with the bands of that day.
    findings: Mapped[list[Any]]


class RunExpected(Base):
    """A run of which somebody has said that it was as it should be, however unusual."""

    __tablename__ = "run_expected"
    __table_args__ = (Index("ix_run_expected_task", "task_id", "run_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    task_id: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(default="")


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store verdicts; all rows have all columns."""
    if rows:
        session.execute(RunVerdict.__table__.insert(), list(rows))  # type: ignore[attr-defined]


def list_of_runs(session: Session, run_ids: Sequence[int]) -> dict[int, RunVerdict]:
    """Return the verdicts of those runs that have one."""
    wanted = RunVerdict.run_id.in_(ids_select(session.get_bind().dialect.name))
    rows = session.scalars(select(RunVerdict).where(wanted), {"ids": id_list(session, run_ids)})
    return {row.run_id: row for row in rows}


def list_of_task(session: Session, task_id: int, limit: int) -> Sequence[RunVerdict]:
    """Return the newest verdicts of a task, the newest first."""
    mine = select(RunVerdict).where(RunVerdict.task_id == task_id).order_by(RunVerdict.run_id.desc())
    return session.scalars(mine.limit(limit)).all()


def find_expected(session: Session, run_id: int) -> RunExpected | None:
    """Return what was said about a run, None if nothing was."""
    return session.get(RunExpected, run_id)


def list_expected(session: Session, task_id: int) -> dict[int, RunExpected]:
    """Return the runs of a task that were expected, by their number."""
    rows = session.scalars(select(RunExpected).where(RunExpected.task_id == task_id))
    return {row.run_id: row for row in rows}


def put_expected(session: Session, made: RunExpected) -> None:
    """Store that a run was expected."""
    session.merge(made)
    session.flush()


def remove_expected(session: Session, run_id: int) -> bool:
    """Forget that a run was expected and return whether it was."""
    found = session.get(RunExpected, run_id)
    if found is not None:
        session.delete(found)
        session.flush()
    return found is not None
