"""What tasks are marked with: which tags, hosts, owners and teams there are, and how many tasks have each tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, cast, func, literal_column, select
from sqlalchemy.orm import Session

from watchbell.store.tasks import LAST_STATE, Task, decoded, filtered


def list_marks(session: Session) -> Sequence[Any]:
    """Return each combination of stored tags, host, owner and team that tasks have, as many as a list of choices can use."""
    statement: Any = select(cast(Task.tags, String).label("tags"), Task.host, Task.owner, Task.team).distinct()
    return session.connection().execute(filtered(statement).limit(2000)).all()


def count_tagged(session: Session) -> Sequence[tuple[Any, str | None, int]]:
    """Return for each combination of tags and state of the newest run how many tasks have it; those without tags are left out."""
    tags: Any = cast(Task.tags, String)
    statement: Any = select(tags.label("tags"), LAST_STATE.label("state"), func.count(Task.id))
    grouped = filtered(statement).where(tags != "[]").group_by(tags, literal_column("2"))
    return [(decoded(stored), state, int(count)) for stored, state, count in session.connection().execute(grouped)]
