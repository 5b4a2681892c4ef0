"""Templates of tasks, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold


class TaskTemplate(Base):
    """A definition that new tasks begin from; it is no task, and never due."""

    __tablename__ = "task_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    #: What TaskDefinition.to_json made of it.
    definition: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(default="")


def find_template(session: Session, template_id: int) -> TaskTemplate | None:
    """Return a template, or None."""
    return session.get(TaskTemplate, template_id) if can_hold(template_id) else None


def find_template_by_name(session: Session, name: str) -> TaskTemplate | None:
    """Return the template of a name, or None."""
    statement = select(TaskTemplate).where(TaskTemplate.name == name)
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_templates(session: Session) -> Sequence[TaskTemplate]:
    """Return all templates by name."""
    return session.scalars(select(TaskTemplate).order_by(func.lower(TaskTemplate.name), TaskTemplate.id)).all()


def count_templates(session: Session) -> int:
    """Return how many there are."""
    return int(session.scalar(select(func.count(TaskTemplate.id))) or 0)
