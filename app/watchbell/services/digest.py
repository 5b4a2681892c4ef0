"""What is made of runs after they have ended, each exactly once: so that none of it delays a run, or what deletes old ones.

How far it has come is a mark that moves in the transaction of what was made. A run that is deleted before is left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from watchbell.domain import tally
from watchbell.domain.samples import values_of
from watchbell.domain.tally import Tally
from watchbell.store import marks, metric_days
from watchbell.store import samples as store
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session

#: The name of the mark.
MARK = "digest"
#: A server's transactions may be stored in another order than that of their numbers; none of ours is open for so long.
_SETTLED = timedelta(seconds=30)


def step(db: Database, *, now: datetime, limit: int) -> bool:
    """Look at up to so many of the next transitions, in one short transaction; return whether there may be more.

    Raises Unavailable with nothing done.
    """
    if not is_behind(db):
        return False
    before = datetime.max.replace(tzinfo=UTC) if db.is_sqlite else now - _SETTLED
    with db.write() as session:
        mark = marks.take(session, MARK)
        run_ids, reached = marks.list_ended(session, mark, before, store.MEASURED, limit)
        if reached == mark:
            return False
        if run_ids:
            _digest(session, store.list_measured_by_id(session, run_ids))
        marks.put(session, MARK, reached)
    return True


def is_behind(db: Database) -> bool:
    """Return whether there are transitions that were not looked at."""
    with db.read() as session:
        return marks.get(session, MARK) < marks.newest_event(session)


def _digest(session: Session, runs: Sequence[Measured]) -> None:
    days: dict[tuple[int, dt.date], tuple[int, dict[str, Tally]]] = {}
    for run in runs:
        key = (run.task_id, run.recorded.due_at.astimezone(UTC).date())
        count, tallies = days.get(key, (0, {}))
        tally.add(tallies, values_of(run.recorded))
        days[key] = (count + 1, tallies)
    metric_days.add(session, days)
