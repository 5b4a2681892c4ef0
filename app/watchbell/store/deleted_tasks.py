"""Tasks that were deleted and can still be restored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from watchbell.store.base import in_lots
from watchbell.store.tasks import Task, filtered


def list_deleted_since(session: Session, moment: datetime, search: str, limit: int) -> Sequence[Task]:
    """Return the tasks that were deleted after a moment and hold some words, the newest deletion first."""
    chosen = filtered(select(Task), search=search, deleted=True).where(Task.deleted_at > moment)
    return session.scalars(chosen.order_by(Task.deleted_at.desc(), Task.name, Task.id).limit(limit)).all()


def list_taken(session: Session, names: Sequence[str]) -> set[str]:
    """Return which of some names tasks have that are not deleted."""
    found: set[str] = set()
    for lot in in_lots(list(dict.fromkeys(names))):
        found.update(session.scalars(select(Task.name).where(Task.name.in_(lot), Task.deleted_at.is_(None))))
    return found
