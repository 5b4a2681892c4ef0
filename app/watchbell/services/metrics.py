"""The numbers of runs, as they are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from watchbell.domain.samples import METRICS, value_of, values_of
from watchbell.domain.tally import Tally
from watchbell.store import alerts as alert_store
from watchbell.store import marks, script_counts
from watchbell.store import metric_days as day_store
from watchbell.store import samples as store
from watchbell.store.samples import Measured
from watchbell.store.script_counts import Counted
from watchbell.store.session import Database, Session

#: The name of the mark that counts all values that were ever measured.
MEASURED_MARK = "measured"
#: Of so many of the newest executions durations are told where all executions are meant.
NEWEST = 1000
_RECOUNT = timedelta(minutes=5)


def list_runs(
    db: Database,
    *,
    task_ids: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
    offset: int = 0,
    exit_code: int | None = None,
    failed: bool = False,
) -> list[Measured]:
    """Return runs that were tried and are over, newest first: of some tasks or of all, and due since a time and before one.

    They may be asked for by their exit code, of which one that has none has -1, or as those that did not succeed.
    """
    with db.read() as session:
        return store.list_measured(
            session,
            task_ids=task_ids,
            since=since,
            until=until,
            limit=limit,
            offset=offset,
            exit_code=exit_code,
            failed=failed,
        )


def find_run(db: Database, run_id: int) -> Measured | None:
    """Return a run that was tried and is over, or None."""
    with db.read() as session:
        return next(iter(store.list_measured_by_id(session, [run_id])), None)


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


def values(runs: Sequence[Measured], metric: str) -> list[tuple[Measured, float]]:
    """Return the runs that have a value of a metric with it, turned into the order of time."""
    found = []
    for run in reversed(runs):
        value = value_of(run.recorded, metric)
        if value is not None:
            found.append((run, value))
    return found


def by_metric(runs: Sequence[Measured]) -> dict[str, list[float]]:
    """Return all values of runs by their metrics, in the order of time; the metrics in that of their list."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for run in reversed(runs):
        for name, value in values_of(run.recorded).items():
            found.setdefault(name, []).append(value)
    return {name: listed for name, listed in found.items() if listed}


class Totals:
    """What all executions come to; the days that are over are counted anew every now and then only."""

    def __init__(self) -> None:
        self._over: tuple[date, datetime, Counted] | None = None

    def count(self, session: Session, now: datetime) -> Counted:
        """Return what the executions up to now come to; how many tasks there are may be minutes old."""
        today = now.astimezone(UTC).date()
        if self._over is None or self._over[0] != today or now - self._over[1] > _RECOUNT:
            over = script_counts.count(session, until=today)._replace(tasks=script_counts.count(session).tasks)
            self._over = (today, now, over)
        over, new = self._over[2], script_counts.count(session, since=today)
        return Counted(
            over.executions + new.executions,
            over.successful + new.successful,
            over.seconds + new.seconds,
            max(over.tasks, new.tasks),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """The numbers of the whole database."""

    counted: Counted
    #: How many values were ever measured.
    metrics: int
    alerts: int
    database_file: str
    database_bytes: int
    #: The durations of the newest executions.
    durations: Tally | None


def overview(db: Database, totals: Totals, now: datetime) -> Overview:
    """Return the numbers of the whole database."""
    with db.read() as session:
        counted = totals.count(session, now)
        measured = marks.get(session, MEASURED_MARK)
        kept_alerts = alert_store.count_all(session)
        durations = store.tally_durations(session, NEWEST)
        size = script_counts.size_bytes(session) if db.file is None else 0
    if db.file is not None:
        size = _size(db.file) + db.log_bytes()
    return Overview(counted, measured, kept_alerts, str(db.file or db.engine.url.database or ""), size, durations)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        # It is being put in the place of another.
        return 0


def list_states(db: Database, *, limit: int) -> list[str]:
    """Return the states of the newest runs that were tried and are over."""
    with db.read() as session:
        return store.list_states(session, limit)
