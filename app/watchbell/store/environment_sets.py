"""Named sets of environment variables, and every query about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold, pattern
from watchbell.store.task_templates import TaskTemplate
from watchbell.store.tasks import Task, decoded


class EnvironmentSet(Base):
    """Variables that the tasks which name it share."""

    __tablename__ = "environment_set"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    variables: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")


_NAMES: Any = cast(Task.environment_sets, String)


def find_set(session: Session, name: str) -> EnvironmentSet | None:
    """Return the set of a name, or None."""
    statement = select(EnvironmentSet).where(EnvironmentSet.name == name)
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_sets(session: Session) -> Sequence[EnvironmentSet]:
    """Return all sets by name."""
    return session.scalars(select(EnvironmentSet).order_by(func.lower(EnvironmentSet.name), EnvironmentSet.id)).all()


def add_set(session: Session, made: EnvironmentSet) -> None:
    """Store a new set."""
    session.add(made)
    session.flush()


def delete_set(session: Session, gone: EnvironmentSet) -> None:
    """Delete a set."""
    session.delete(gone)
    session.flush()


def count_uses(session: Session) -> dict[str, int]:
    """Return how many tasks that are not deleted name each set; one that none names is left out."""
    statement = select(_NAMES, func.count()).where(Task.deleted_at.is_(None), _NAMES != "[]").group_by(_NAMES)
    found: dict[str, int] = {}
    for stored, count in session.connection().execute(statement):
        for name in decoded(stored):
            found[str(name)] = found.get(str(name), 0) + int(count)
    return found


def list_users(session: Session, name: str, *, deleted_since: datetime | None = None) -> Sequence[Task]:
    """Return the tasks that name a set, by name; those that are deleted are left out but for the ones since a moment."""
    is_meant: ColumnElement[bool] = Task.deleted_at.is_(None)
    if deleted_since is not None:
        is_meant |= Task.deleted_at > deleted_since
    # Names hold no signs that a text of JSON writes otherwise.
    statement = select(Task).where(is_meant, _NAMES.like(pattern(json.dumps(name)), escape="\\"))
    # The pattern does not tell capitals apart.
    found = session.scalars(statement.order_by(Task.name)).all()
    return [task for task in found if name in task.environment_sets]


def list_template_users(session: Session, name: str) -> Sequence[str]:
    """Return the names of the templates of tasks that name a set."""
    stored = cast(TaskTemplate.definition, String)
    statement = select(TaskTemplate).where(stored.like(pattern(json.dumps(name)), escape="\\"))
    found = session.scalars(statement.order_by(TaskTemplate.name)).all()
    return [one.name for one in found if name in (one.definition.get("environment_sets") or ())]


def list_sets_with(session: Session, words: str) -> Sequence[EnvironmentSet]:
    """Return the sets one of whose variables holds some words, by name."""
    holds = cast(EnvironmentSet.variables, String).like(pattern(words), escape="\\")
    return session.scalars(select(EnvironmentSet).where(holds).order_by(EnvironmentSet.name)).all()
