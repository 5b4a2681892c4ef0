"""Daily totals of runs: how many ended in which state on which day, also long after the runs have been deleted.

They are kept by store.ledger, in the transaction that ends a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from watchbell.store import totals as store
from watchbell.store.session import Database
from watchbell.store.totals import RunDay

#: So many contradictions are told; more of them say nothing more.
_TOLD = 100


def list_days(db: Database, *, since: date, until: date, task_id: int | None = None) -> Sequence[RunDay]:
    """Return the totals of the days from the first to the last, both included, oldest first; the days are UTC's."""
    with db.read() as session:
        return store.list_days(session, since=since, until=until, task_id=task_id)


def sum_days(db: Database, *, since: date, until: date, task_id: int | None = None) -> Mapping[date, Mapping[str, int]]:
    """Return how many occurrences of each day, both ends included, have come to each final state; the days are UTC's."""
    with db.read() as session:
        return store.sum_days(session, since, until, task_id)


def verify(db: Database, *, complete: bool = False) -> list[str]:
    """Return where the totals contradict the runs that are there, one sentence each; nothing if all is well.

    There may be fewer runs than the totals say, because old ones are deleted; with ``complete`` none may be missing.
    """
    with db.read() as session:
        found = store.list_differences(session, complete=complete, limit=_TOLD)
    return [
        f"{row.day}, task {row.task_id}, {row.state}: {row.counted} counted, {row.present} there"
        + ("" if row.counted != row.present else ", with other occurrences or seconds")
        for row in found
    ]
