"""What is made of templates and handlers: queries over orders and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.orm import Session

from watchbell.domain.fleet_state import EXECUTION_FINAL
from watchbell.store.base import pattern
from watchbell.store.fleet_jobs import Execution
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.job_library import JobTemplate

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


def list_templates_with(session: Session, words: str) -> Sequence[JobTemplate]:
    """Return the templates whose document holds some words, by name."""
    statement = select(JobTemplate).where(_holds(JobTemplate.document, words))
    return session.scalars(statement.order_by(func.lower(JobTemplate.name), JobTemplate.id)).all()


def list_schedules_with(session: Session, words: str) -> Sequence[FleetSchedule]:
    """Return the schedules whose document holds some words, by name."""
    statement = select(FleetSchedule).where(_holds(FleetSchedule.document, words))
    return session.scalars(statement.order_by(func.lower(FleetSchedule.name), FleetSchedule.id)).all()


def list_unfinished_with(session: Session, words: str) -> Sequence[Execution]:
    """Return the orders that have not ended and whose document, or what undoes it, holds some words, newest first."""
    either = or_(_holds(Execution.document, words), _holds(Execution.rollback_document, words))
    statement = select(Execution).where(Execution.state.not_in(_FINAL_WORDS), either)
    return session.scalars(statement.order_by(Execution.id.desc())).all()


def _holds(column: Any, words: str) -> ColumnElement[bool]:
    return cast(column, String).like(pattern(words), escape="\\")
