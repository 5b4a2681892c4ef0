"""How far the moments of each task have become rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from watchbell.store.batch import Batch
from watchbell.store.session import all_or_none
from watchbell.store.tasks import Task

_TASK: Any = Task.__table__
_MOVE_CURSOR = Batch(
    update(_TASK)
    .where(_TASK.c.id == bindparam("task"), _TASK.c.change == bindparam("known"))
    .where(_TASK.c.enabled, _TASK.c.deleted_at.is_(None))
    .values(cursor_at=bindparam("cursor"), next_due_at=bindparam("next_due"))
)


def move_cursors(session: Session, moves: Sequence[tuple[int, int, datetime, datetime | None]]) -> list[int]:
    """Set the cursor and the next moment of tasks, given as (task id, known change mark, cursor, next moment).

    Returns the ids of those that have changed since, are off or deleted: they keep what they have.
    """
    if not moves:
        return []
    rows = [{"task": task, "known": known, "cursor": cursor, "next_due": due} for task, known, cursor, due in moves]
    if all_or_none(session, len(rows), lambda: _MOVE_CURSOR.execute(session, rows)):
        return []
    return [move[0] for move, row in zip(moves, rows, strict=True) if _MOVE_CURSOR.execute(session, [row]) != 1]
