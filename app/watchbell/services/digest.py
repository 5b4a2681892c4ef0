"""What is made of runs after they have ended, each exactly once: so that none of it delays a run, or what deletes old ones.

Their numbers are added to their days, those that succeeded are judged beside earlier ones, failures are grouped, and
rules about their numbers raise alerts. How far this has come is a mark that moves in the same transaction. A run that is
deleted before is left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchbell.domain import tally
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import values_of
from watchbell.domain.tally import Tally
from watchbell.services import alerts, failures
from watchbell.services.judgements import Judge
from watchbell.services.metrics import MEASURED_MARK
from watchbell.store import marks, metric_days
from watchbell.store import samples as store
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session

#: Failures that wait to be looked at are counted up to this many transitions ahead.
_LOOKED_AHEAD = 10_000
#: The name of the mark.
MARK = "digest"
#: A server's transactions may be stored in another order than that of their numbers; none of ours is open for so long.
_SETTLED = timedelta(seconds=30)


class Digest:
    """What follows the ledger of one database; it knows the habits of the tasks that it has met last."""

    def __init__(self, db: Database, output_root: Path) -> None:
        self._db = db
        self._output_root = output_root
        self._judge = Judge()

    def step(self, *, now: datetime, limit: int) -> bool:
        """Look at up to so many of the next transitions, in one short transaction; return whether there may be more.

        Raises Unavailable with nothing done.
        """
        if not self.is_behind():
            return False
        before = datetime.max.replace(tzinfo=UTC) if self._db.is_sqlite else now - _SETTLED
        with self._db.write() as session:
            mark = marks.take(session, MARK)
            run_ids, reached = marks.list_ended(session, mark, before, store.MEASURED, limit)
            if reached == mark:
                return False
            if run_ids:
                self._make(session, store.list_measured_by_id(session, run_ids)[::-1], now)
            marks.put(session, MARK, reached)
        return True

    def is_behind(self) -> bool:
        """Return whether there are transitions that were not looked at."""
        with self._db.read() as session:
            return marks.get(session, MARK) < marks.newest_event(session)

    def _make(self, session: Session, runs: Sequence[Measured], now: datetime) -> None:
        """Make all that is made of runs, the oldest of which comes first."""
        _add_to_days(session, runs)
        self._judge.judge(session, [run for run in runs if run.recorded.state == RunState.SUCCEEDED])
        troubled = [run.run_id for run in runs if run.recorded.state in failures.STATES]
        if troubled:
            failures.group(session, troubled, self._output_root)
        alerts.raise_alerts(session, runs, now=now)


def count_waiting_failures(db: Database) -> int:
    """Return how many failures were not looked at yet, as far as so many transitions ahead tell."""
    ever = datetime.max.replace(tzinfo=UTC)
    with db.read() as session:
        mark = marks.get(session, MARK)
        run_ids, _reached = marks.list_ended(session, mark, ever, sorted(failures.STATES), _LOOKED_AHEAD)
    return len(set(run_ids))


def _add_to_days(session: Session, runs: Sequence[Measured]) -> None:
    days: dict[tuple[int, dt.date], tuple[int, dict[str, Tally]]] = {}
    for run in runs:
        key = (run.task_id, run.recorded.due_at.astimezone(UTC).date())
        count, tallies = days.get(key, (0, {}))
        tally.add(tallies, values_of(run.recorded))
        days[key] = (count + 1, tallies)
    metric_days.add(session, days)
    measured = sum(found.number for _count, tallies in days.values() for found in tallies.values())
    marks.put(session, MEASURED_MARK, marks.get(session, MEASURED_MARK) + measured)
