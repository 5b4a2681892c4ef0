"""What runs were like beside the earlier ones of their tasks; one that was as usual has no row."""

from __future__ import annotations

from collections.abc import Sequence
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


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store verdicts; all rows have all columns."""
    if rows:
        session.execute(RunVerdict.__table__.insert(), list(rows))  # type: ignore[attr-defined]


def list_of_runs(session: Session, run_ids: Sequence[int]) -> dict[int, RunVerdict]:
    """Return the verdicts of those runs that have one."""
    wanted = RunVerdict.run_id.in_(ids_select(session.get_bind().dialect.name))
    rows = session.scalars(select(RunVerdict).where(wanted), {"ids": id_list(session, run_ids)})
    return {row.run_id: row for row in rows}
