"""What is kept of one moment of a task: its rows, the definition that was in force, and whether the task was enabled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from watchbell.store.audit import AuditEntry
from watchbell.store.runs import Run
from watchbell.store.tasks import TaskRevision

#: So many rows of one moment, and changes of one task, are looked at.
_MOST_RUNS, _MOST_ENTRIES = 20, 500
#: Keys of rows that stand for many moments begin with the first of these words, and sort before the second one.
_RANGES = ("range:", "range;")


def list_runs_due(session: Session, task_id: int, start: datetime, until: datetime) -> Sequence[Run]:
    """Return the rows of a task that were due in a short stretch of time, in their order."""
    # By the time: a task may have a million rows, a minute has few. The sum keeps the database from going by the task.
    statement = select(Run).where(Run.due_at >= start, Run.due_at < until, Run.task_id + 0 == task_id)
    return session.scalars(statement.order_by(Run.due_at, Run.id).limit(_MOST_RUNS)).all()


def list_ranges(session: Session, task_id: int) -> Sequence[Run]:
    """Return the rows of a task that stand for many moments each."""
    first, last = _RANGES
    chosen = select(Run).where(Run.task_id == task_id, Run.occurrence_key >= first, Run.occurrence_key < last)
    return session.scalars(chosen.order_by(Run.id.desc()).limit(_MOST_ENTRIES)).all()


def find_oldest_run(session: Session, task_id: int) -> Run | None:
    """Return the first row of a task that is kept."""
    return session.scalars(select(Run).where(Run.task_id == task_id).order_by(Run.id).limit(1)).first()


def find_revision_at(session: Session, task_id: int, at: datetime) -> TaskRevision | None:
    """Return the definition that a task had at a moment, or None before its first one."""
    statement = select(TaskRevision).where(TaskRevision.task_id == task_id, TaskRevision.at <= at)
    return session.scalars(statement.order_by(TaskRevision.version.desc()).limit(1)).first()


def list_switches(session: Session, task_id: int) -> Sequence[AuditEntry]:
    """Return the entries of the audit that may say whether a task was enabled, the newest first."""
    statement = select(AuditEntry).where(AuditEntry.subject == f"task:{task_id}", AuditEntry.action.like("task.%"))
    return session.scalars(statement.order_by(AuditEntry.id.desc()).limit(_MOST_ENTRIES)).all()
