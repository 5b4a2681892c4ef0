"""What is made of templates and handlers: queries over orders and schedules."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from watchbell.domain.fleet_state import EXECUTION_FINAL
from watchbell.store.fleet_jobs import Execution

_FINAL_WORDS = sorted(state.value for state in EXECUTION_FINAL)


def list_unfinished(session: Session) -> Sequence[Execution]:
    """Return the orders that have not ended, newest first."""
    statement = select(Execution).where(Execution.state.not_in(_FINAL_WORDS))
    return session.scalars(statement.order_by(Execution.id.desc())).all()


def count_executions(session: Session, template_id: int) -> int:
    """Return how many orders were given by a template."""
    statement = select(func.count()).select_from(Execution).where(Execution.template_id == template_id)
    return int(session.scalar(statement) or 0)


def list_newest(session: Session, template_id: int, limit: int) -> Sequence[Execution]:
    """Return the newest orders that were given by a template, newest first."""
    statement = select(Execution).where(Execution.template_id == template_id)
    return session.scalars(statement.order_by(Execution.id.desc()).limit(limit)).all()
