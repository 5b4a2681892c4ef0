"""Which tasks a person should look at: those whose newest result was not a good one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain.run_state import ACTIVE, FINAL, RunState
from watchbell.services import decisions, pauses
from watchbell.store import history
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database

TROUBLE = (RunState.FAILED, RunState.TIMED_OUT, RunState.LOST, RunState.MISSED)
#: A trouble that is older than this is history.
WINDOW = timedelta(days=7)
#: States that neither make a trouble nor take one away.
_SILENT = frozenset({RunState.SKIPPED, RunState.CANCELLED})
_LOOKED_AT = 200
_RUNS_PER_TASK = 50
_LAST_RUNS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """A task whose newest result is not a good one."""

    run: Run
    #: When the first of the bad results in a row was due, as far back as was looked.
    since: datetime
    in_a_row: int

    @property
    def is_long(self) -> bool:
        """Return whether there may be more in a row than were looked at."""
        return self.in_a_row >= _RUNS_PER_TASK


def list_troubles(db: Database, *, now: datetime, limit: int = 100) -> list[Trouble]:
    """Return the troubles of the enabled tasks, the newest first.

    A missed run is no trouble any more once a later one has been started, whatever will become of that.
    """
    with db.read() as session:
        since = now - WINDOW
        bad = history.list_runs(session, states=[state.value for state in TROUBLE], since=since, limit=_LOOKED_AT)
        enabled = task_store.list_enabled(session, list({run.task_id for run in bad}))
        task_ids = [task_id for task_id in dict.fromkeys(run.task_id for run in bad) if task_id in enabled]
        # Most of them have gone well since, which a few runs tell.
        last = history.list_newest_results(session, task_ids, _LAST_RUNS)
        still_bad = [task_id for task_id, rows in last.items() if not _is_good(rows)]
        newest = history.list_newest_results(session, still_bad, _RUNS_PER_TASK)
        streaks = [streak for streak in map(_streak, newest.values()) if streak is not None][:limit]
        runs = history.list_by_ids(session, [row.id for streak in streaks for row in (streak[0], streak[-1])])
    return [
        Trouble(run=runs[streak[0].id], since=runs[streak[-1].id].due_at, in_a_row=len(streak)) for streak in streaks
    ]


def trouble_of(runs: Sequence[Run]) -> Trouble | None:
    """Return the trouble that a task's runs, the newest first, tell of, or None if its newest result is a good one."""
    streak = _streak(runs)
    return Trouble(run=streak[0], since=streak[-1].due_at, in_a_row=len(streak)) if streak else None


def _is_good(runs: Sequence[Any]) -> bool:
    """Return whether the newest result among these runs, the newest first, is known and a good one."""
    return next((run.state for run in runs if _counts(run)), None) == RunState.SUCCEEDED


def _counts(run: Any) -> bool:
    """Return whether a run says how its task does: not one that a person held back, or has decided about."""
    if RunState(run.state) not in FINAL - _SILENT:
        return False
    if run.state == RunState.MISSED:
        return not pauses.was_held(run.reason)
    return run.decision in (None, decisions.OPEN)


def _streak(runs: Sequence[Any]) -> list[Any] | None:
    """Return the newest results in a row that were not good, of what ``list_newest_results`` gives, or None."""
    results = [run for run in runs if _counts(run)]
    bad = list(itertools.takewhile(lambda run: RunState(run.state) in TROUBLE, results))
    if not bad:
        return None
    last = bad[0]
    if last.state == RunState.MISSED and any(run.id > last.id and RunState(run.state) in ACTIVE for run in runs):
        return None
    return bad
