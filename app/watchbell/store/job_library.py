"""What jobs are made of again and again: templates of documents and handlers, and every query about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold


class JobTemplate(Base):
    """A document to be executed again and again, with places for what differs."""

    __tablename__ = "job_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    category: Mapped[str]
    document: Mapped[dict[str, Any]]
    created_by: Mapped[str] = mapped_column(default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class JobHandler(Base):
    """A script that devices keep and that steps name."""

    __tablename__ = "job_handler"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    script_type: Mapped[str]
    script_content: Mapped[str] = mapped_column(Text)
    #: Of the content, by which a device knows whether it has it already, and unchanged.
    sha256: Mapped[str]
    permissions: Mapped[str] = mapped_column(default="700")
    default_args: Mapped[list[Any]] = mapped_column(JSON, default=list)
    created_by: Mapped[str] = mapped_column(default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


def find_template(session: Session, template_id: int) -> JobTemplate | None:
    """Return a template, or None."""
    return session.get(JobTemplate, template_id) if can_hold(template_id) else None


def find_template_by_name(session: Session, name: str) -> JobTemplate | None:
    """Return the template of a name, or None."""
    return (
        session.scalars(select(JobTemplate).where(JobTemplate.name == name)).one_or_none() if can_hold(name) else None
    )


def list_templates(session: Session, *, category: str | None, is_active: bool | None) -> Sequence[JobTemplate]:
    """Return templates by category and name."""
    statement = select(JobTemplate)
    if category is not None:
        statement = statement.where(JobTemplate.category == category)
    if is_active is not None:
        statement = statement.where(JobTemplate.is_active.is_(is_active))
    return session.scalars(statement.order_by(JobTemplate.category, JobTemplate.name)).all()


def find_handler(session: Session, name: str) -> JobHandler | None:
    """Return the handler of a name, or None."""
    return session.scalars(select(JobHandler).where(JobHandler.name == name)).one_or_none() if can_hold(name) else None


def list_handlers(session: Session, names: Collection[str] | None = None) -> Sequence[JobHandler]:
    """Return the handlers that are in use, of these names if any are given, by name."""
    statement = select(JobHandler).where(JobHandler.is_active)
    if names is not None:
        statement = statement.where(JobHandler.name.in_(names))
    return session.scalars(statement.order_by(JobHandler.name)).all()
