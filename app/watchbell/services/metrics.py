"""The numbers of runs, as they are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from watchbell.domain.tally import Tally
from watchbell.store import metric_days as day_store
from watchbell.store import samples as store
from watchbell.store.samples import Measured
from watchbell.store.session import Database


def list_runs(
    db: Database,
    *,
    task_ids: Sequence[int] | None = None,
    since: datetime | None = None,
    limit: int,
    offset: int = 0,
) -> list[Measured]:
    """Return runs that were tried and are over, newest first: of some tasks or of all, and due at a time or later."""
    with db.read() as session:
        return store.list_measured(session, task_ids=task_ids, since=since, limit=limit, offset=offset)


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """What the runs of a task that were due on one day in UTC came to."""

    task_id: int
    day: date
    runs: int
    tallies: Mapping[str, Tally]


def list_days(db: Database, *, since: date, until: date, task_ids: Sequence[int] | None = None) -> list[Day]:
    """Return the days from the first to the last, both included, oldest first; they outlive the runs."""
    with db.read() as session:
        rows = day_store.list_days(session, since=since, until=until, task_ids=task_ids)
    return [Day(row.task_id, row.day, row.runs, day_store.unpacked(row.tallies)) for row in rows]
