"""Which tasks a person should look at: those whose newest result was not a good one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchbell.domain.run_state import RunState
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
_RUNS_PER_TASK = 20


def list_troubles(db: Database, *, now: datetime, limit: int = 5) -> Sequence[Run]:
    """Return the newest run of each task that is enabled and whose newest result is a trouble, newest first."""
    with db.read() as session:
        since = now - WINDOW
        bad = store.list_runs(session, states=[state.value for state in TROUBLE], since=since, limit=_LOOKED_AT)
        task_ids = list(dict.fromkeys(run.task_id for run in bad))
        newest = store.list_newest_per_task(session, task_ids, _RUNS_PER_TASK)
        alive = task_store.list_enabled(session, task_ids)
    found = [
        result
        for task_id in task_ids
        if task_id in alive and (result := _newest_result(newest[task_id])) is not None
        if RunState(result.state) in TROUBLE
    ]
    return found[:limit]


def _newest_result(runs: Sequence[Run]) -> Run | None:
    """Return the newest run that has ended and says something about the task."""
    ended = (run for run in runs if run.ended_at is not None or RunState(run.state) in TROUBLE)
    return next((run for run in ended if RunState(run.state) not in _SILENT), None)
