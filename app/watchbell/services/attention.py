"""Which tasks a person should look at: those whose newest result was not a good one."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain.permissions import Right
from watchbell.domain.run_state import ACTIVE, FINAL, RunState
from watchbell.errors import Conflict, NotFound
from watchbell.services import audit, decisions, ownership, pauses
from watchbell.store import history, newest_runs
from watchbell.store import mutes as mute_store
from watchbell.store import runs as run_store
from watchbell.store import tasks as task_store
from watchbell.store.mutes import Mute
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
_NUMBERS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """A task whose newest result is not a good one."""

    run: Run
    #: When the first of the bad results in a row was due, as far back as was looked.
    since: datetime
    in_a_row: int
    #: What somebody has muted it by, if it is still the same.
    muted: Mute | None = None

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
        last = newest_runs.list_results(session, task_ids, _LAST_RUNS)
        still_bad = [task_id for task_id, rows in last.items() if not _is_good(rows)]
        newest = newest_runs.list_results(session, still_bad, _RUNS_PER_TASK)
        streaks = [streak for streak in map(_streak, newest.values()) if streak is not None][:limit]
        runs = history.list_by_ids(session, [row.id for streak in streaks for row in (streak[0], streak[-1])])
        mutes = mute_store.list_mutes(session)
    return [
        Trouble(
            run=runs[streak[0].id],
            since=runs[streak[-1].id].due_at,
            in_a_row=len(streak),
            muted=_still_muted(mutes.get(runs[streak[0].id].task_id), runs[streak[0].id], streak),
        )
        for streak in streaks
    ]


def mute(db: Database, run_id: int, *, now: datetime, actor: str) -> Run:
    """Let the failure that a run is need no attention until it changes, and return the run.

    It changes when the task fails in another way, or again after it has gone well. Raises NotFound, Conflict for a run
    that is no failure, and NotYours.
    """
    with db.write() as session:
        run = run_store.find_run(session, run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        if RunState(run.state) not in TROUBLE:
            raise Conflict(f"run {run_id} is no failure: {run.state}")
        # Whoever may not run it has not to hide from its people that it fails.
        ownership.require_of_run(session, Right.OPERATE, run.task_id)
        made = Mute(task_id=run.task_id, run_id=run.id, mark=_mark(run), at=now, by=actor)
        mute_store.put(session, made)
        audit.note(session, "failure.mute", f"run:{run.id}", now=now, actor=actor, name=run.task_name)
        return run


def unmute(db: Database, task_id: int, *, now: datetime, actor: str) -> bool:
    """Let the failure of a task need attention again and return whether it was muted; raises NotYours."""
    with db.write() as session:
        ownership.require_of_run(session, Right.OPERATE, task_id)
        was_muted = mute_store.remove(session, task_id)
        if was_muted:
            audit.note(session, "failure.unmute", f"task:{task_id}", now=now, actor=actor)
        return was_muted


def _mark(run: Run) -> str:
    """Return what failures have in common that are the same: all but the numbers, such as times, in what they say."""
    return f"{run.state} {run.exit_code} {_NUMBERS.sub('#', run.reason)}"


def _still_muted(found: Mute | None, newest: Run, streak: Sequence[Any]) -> Mute | None:
    if found is None or found.mark != _mark(newest):
        return None
    # Of a long streak the beginning was not looked at, but nothing good has come since the mute if its run is older.
    is_same = any(row.id <= found.run_id for row in streak) or len(streak) >= _RUNS_PER_TASK
    return found if is_same else None


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
    """Return the newest results in a row that were not good, of what ``newest_runs.list_results`` gives, or None."""
    results = [run for run in runs if _counts(run)]
    bad = list(itertools.takewhile(lambda run: RunState(run.state) in TROUBLE, results))
    if not bad:
        return None
    last = bad[0]
    if last.state == RunState.MISSED and any(run.id > last.id and RunState(run.state) in ACTIVE for run in runs):
        return None
    return bad
