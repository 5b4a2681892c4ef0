"""What jobs are made of again and again: templates of documents and handlers, and every query about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint, func, select
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


class JobHandlerVersion(Base):
    """What a handler has said once; the newest says what the handler says now."""

    __tablename__ = "job_handler_version"
    __table_args__ = (UniqueConstraint("handler_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    handler_id: Mapped[int] = mapped_column(ForeignKey("job_handler.id", ondelete="CASCADE"))
    #: Counted from 1 for each handler.
    number: Mapped[int]
    script_type: Mapped[str]
    script_content: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str]
    default_args: Mapped[list[Any]] = mapped_column(JSON, default=list)
    #: The version that it brought back, if it was not written anew.
    restores: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


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


def get_handler(session: Session, handler_id: int) -> JobHandler | None:
    """Return a handler by its number, or None."""
    return session.get(JobHandler, handler_id) if can_hold(handler_id) else None


def find_handler(session: Session, name: str) -> JobHandler | None:
    """Return the handler of a name, or None."""
    return session.scalars(select(JobHandler).where(JobHandler.name == name)).one_or_none() if can_hold(name) else None


def list_handlers(session: Session, names: Collection[str] | None = None) -> Sequence[JobHandler]:
    """Return the handlers that are in use, of these names if any are given, by name."""
    statement = select(JobHandler).where(JobHandler.is_active)
    if names is not None:
        statement = statement.where(JobHandler.name.in_(names))
    return session.scalars(statement.order_by(JobHandler.name)).all()


def list_versions(session: Session, handler_id: int) -> Sequence[JobHandlerVersion]:
    """Return all that a handler has said, newest first."""
    statement = select(JobHandlerVersion).where(JobHandlerVersion.handler_id == handler_id)
    return session.scalars(statement.order_by(JobHandlerVersion.number.desc())).all()


def find_version(session: Session, handler_id: int, number: int) -> JobHandlerVersion | None:
    """Return one version of a handler, or None."""
    if not can_hold(number):
        return None
    statement = select(JobHandlerVersion).where(
        JobHandlerVersion.handler_id == handler_id, JobHandlerVersion.number == number
    )
    return session.scalars(statement).one_or_none()


def find_version_by_digest(session: Session, handler_id: int, sha256: str) -> JobHandlerVersion | None:
    """Return the newest version of a handler whose script has this digest, or None."""
    if not can_hold(sha256):
        return None
    statement = select(JobHandlerVersion).where(
        JobHandlerVersion.handler_id == handler_id, JobHandlerVersion.sha256 == sha256
    )
    return session.scalars(statement.order_by(JobHandlerVersion.number.desc()).limit(1)).first()


def last_version_numbers(session: Session) -> dict[int, int]:
    """Return the number of the newest version of each handler, by its id."""
    newest = func.max(JobHandlerVersion.number)
    rows = session.execute(select(JobHandlerVersion.handler_id, newest).group_by(JobHandlerVersion.handler_id))
    return {int(row[0]): int(row[1]) for row in rows}


def add_version(
    session: Session, handler: JobHandler, *, number: int, at: datetime, by: str, restores: int | None = None
) -> None:
    """Note what a handler says from now on."""
    made = JobHandlerVersion(
        handler_id=handler.id,
        number=number,
        script_type=handler.script_type,
        script_content=handler.script_content,
        sha256=handler.sha256,
        default_args=list(handler.default_args),
        restores=restores,
        created_by=by,
        created_at=at,
    )
    session.add(made)
    session.flush()


def as_in(handler: JobHandler, version: JobHandlerVersion) -> JobHandler:
    """Return a handler as it was in a version; it is no row of the database."""
    names = ("id", "name", "description", "permissions", "created_by", "is_active", "created_at")
    told = ("script_type", "script_content", "sha256", "default_args")
    return JobHandler(
        **{name: getattr(handler, name) for name in names},
        **{name: getattr(version, name) for name in told},
        updated_at=version.created_at,
    )
