"""The newest runs of each of many tasks at once, as lists of tasks and what needs attention are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from watchbell.store.base import read_moment
from watchbell.store.history import find_by_ids
from watchbell.store.runs import Run

#: The indexes of so many tasks are walked by one statement; databases bound of how many parts it may be.
_WALKED_AT_ONCE = 100
_NUMBER = itemgetter(0)


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


def list_lines(session: Session, task_ids: Sequence[int], limit: int = 30) -> dict[int, list[RunLine]]:
    """Return what became of the newest runs of each of the given tasks, newest first: a page of tasks has thousands of them."""
    found: dict[int, list[RunLine]] = {task_id: [] for task_id in task_ids}
    # As the driver gives them: reading thousands of moments by way of the columns takes longer than all else on the page.
    for row in _walk(session, task_ids, limit, "id, task_id, state, reason, due_at, started_at, ended_at"):
        number, task_id, state, reason, due_at, started_at, ended_at = row
        start, end = started_at and read_moment(started_at), ended_at and read_moment(ended_at)
        found[task_id].append(RunLine(number, task_id, state, reason, read_moment(due_at), start, end))
    for lines in found.values():
        lines.sort(key=_NUMBER, reverse=True)
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
    return [number for (number,) in _walk(session, task_ids, limit, "id")]


def _walk(session: Session, task_ids: Sequence[int], limit: int, columns: str) -> Iterator[Any]:
    """Yield columns of the newest runs of each of some tasks, as the driver gives them."""
    for start in range(0, len(task_ids), _WALKED_AT_ONCE):
        # A statement for each costs more than what it finds. What stands in the text are numbers and names of ours.
        walks = (
            f"SELECT * FROM (SELECT {columns} FROM run WHERE task_id = {int(task_id)} ORDER BY id DESC LIMIT {int(limit)}) AS newest"  # noqa: S608
            for task_id in task_ids[start : start + _WALKED_AT_ONCE]
        )
        yield from session.connection().exec_driver_sql(" UNION ALL ".join(walks)).fetchall()
