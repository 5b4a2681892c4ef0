"""Which tasks a person should look at: those whose newest result was not a good one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchbell.domain.run_state import ACTIVE, FINAL, RunState
from watchbell.store import runs as store
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
        bad = store.list_runs(session, states=[state.value for state in TROUBLE], since=since, limit=_LOOKED_AT)
        task_ids = list(dict.fromkeys(run.task_id for run in bad))
        newest = store.list_newest_per_task(session, task_ids, _RUNS_PER_TASK)
        found = [task_store.find_task(session, task_id) for task_id in task_ids]
    troubles = (trouble_of(newest[task.id]) for task in found if task is not None and task.enabled)
    return [trouble for trouble in troubles if trouble is not None][:limit]


def trouble_of(runs: Sequence[Run]) -> Trouble | None:
    """Return the trouble that a task's runs, the newest first, tell of, or None if its newest result is a good one."""
    results = [run for run in runs if RunState(run.state) in FINAL - _SILENT]
    bad = list(itertools.takewhile(lambda run: RunState(run.state) in TROUBLE, results))
    if not bad:
        return None
    last = bad[0]
    if last.state == RunState.MISSED and any(run.id > last.id and RunState(run.state) in ACTIVE for run in runs):
        return None
    return Trouble(run=last, since=bad[-1].due_at, in_a_row=len(bad))
