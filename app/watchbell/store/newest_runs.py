"""The newest runs of each of many tasks at once, as lists of tasks and what needs attention are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from watchbell.store.history import find_by_ids
from watchbell.store.runs import Run

#: The indexes of so many tasks are walked by one statement; databases bound of how many parts it may be.
_WALKED_AT_ONCE = 100


def list_per_task(session: Session, task_ids: Sequence[int], limit: int = 30) -> dict[int, list[Run]]:
    """Return the newest runs of each of the given tasks, newest first."""
    found: dict[int, list[Run]] = {task_id: [] for task_id in task_ids}
    for run in find_by_ids(session, _newest_ids(session, task_ids, limit)):
        found[run.task_id].append(run)
    return found


class RunLine(NamedTuple):
    """What became of a run, as little of it as a mark among many shows."""

    id: int
    task_id: int
    state: str
    reason: str
    due_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


_OF_LINE = (Run.id, Run.task_id, Run.state, Run.reason, Run.due_at, Run.started_at, Run.ended_at)


def list_lines(session: Session, task_ids: Sequence[int], limit: int = 30) -> dict[int, list[RunLine]]:
    """Return what became of the newest runs of each of the given tasks, newest first: a page of tasks has thousands of them."""
    found: dict[int, list[RunLine]] = {task_id: [] for task_id in task_ids}
    for row in find_by_ids(session, _newest_ids(session, task_ids, limit), _OF_LINE):
        found[row.task_id].append(RunLine._make(row))
    return found


def list_results(session: Session, task_ids: Sequence[int], limit: int) -> dict[int, Sequence[Any]]:
    """Return id, state, reason and decision of the newest runs of each of the given tasks, newest first."""
    found: dict[int, list[Any]] = {task_id: [] for task_id in task_ids}
    columns = (Run.id, Run.task_id, Run.state, Run.reason, Run.decision)
    for row in find_by_ids(session, _newest_ids(session, task_ids, limit), columns):
        found[row.task_id].append(row)
    return dict(found)


def _newest_ids(session: Session, task_ids: Sequence[int], limit: int) -> list[int]:
    """Return the numbers of the newest runs of each of some tasks, from the index alone."""
    found: list[int] = []
    for start in range(0, len(task_ids), _WALKED_AT_ONCE):
        # A statement for each costs more than what it finds. What stands in the text are numbers of ours.
        walks = (
            f"SELECT id FROM (SELECT id FROM run WHERE task_id = {int(task_id)} ORDER BY id DESC LIMIT {int(limit)}) AS newest"  # noqa: S608
            for task_id in task_ids[start : start + _WALKED_AT_ONCE]
        )
        found += session.connection().exec_driver_sql(" UNION ALL ".join(walks)).scalars()
    return found
