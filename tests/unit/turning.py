"""What a turn is given in tests - occurrences that are due, processes that were started, results - and what it leaves."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from tests.database import NOW
from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Overlap, Policies
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence
from watchbell.execution import Finished, Outcome, Usage
from watchbell.execution.outcome import Captured
from watchbell.scheduler.reap import to_result
from watchbell.services import runs
from watchbell.services.turns import DueTask, Result, Started, Ticket, Turn, Turned, take_turn
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

MINUTE = timedelta(minutes=1)
HOLDER = "me.home"
#: The path of an attempt that may be made again.
AGAIN = (RunState.RETRY_WAIT, RunState.QUEUED)


def verdict_at(minute: int = 0, **values: Any) -> Verdict:
    """Return a verdict about the occurrence so many minutes from now; it starts unless said otherwise."""
    at = NOW + minute * MINUTE
    occurrence = Occurrence(at, f"utc:{at:%FT%T}Z", at.replace(tzinfo=None), 0, "UTC")
    return Verdict(occurrence, **{"is_missed": False, "trigger": Trigger.SCHEDULE, **values})


def due_task(task: Task, *verdicts: Verdict, overlap: Overlap = Overlap.SKIP) -> DueTask:
    """Return a task as the plan hands it over, due now unless other verdicts are given."""
    chosen = verdicts or (verdict_at(),)
    cursor_at = chosen[-1].occurrence.due_at
    return DueTask(
        task_id=task.id,
        name=task.name,
        version=task.version,
        change=task.change,
        zone=task.zone,
        overlap=overlap,
        verdicts=chosen,
        cursor_at=cursor_at,
        next_due_at=cursor_at + MINUTE,
    )


def turn(db: Database, *due: DueTask, room: int = 10, **values: Any) -> Turned:
    """Take a turn now."""
    return take_turn(db, Turn(now=NOW, holder=HOLDER, actor="scheduler@x", room=room, due=due, **values))


def started_on(ticket: Ticket) -> Started:
    """Return a process that was started on a ticket, a minute from now."""
    return Started(ticket, folder="/run/1", pid=7, start_ticks=8, boot_id="boot", at=NOW + MINUTE)


def result_of(ticket: Ticket, *path: RunState, state: RunState = RunState.RUNNING, **values: Any) -> Result:
    """Return a result with all its columns; the run has succeeded unless another path is given."""
    outcome = Outcome(exit_code=0, signal=None, ended_at=NOW + MINUTE, reason="of the attempt")
    finished = Finished(
        (ticket.run_id, ticket.number), outcome, Usage(0.5), ((0.0, 1.0, 2, 3),), Captured(0), Captured(0)
    )
    made = to_result(ticket, state, None, finished, policies=Policies(), output_root=None)  # type: ignore[arg-type]
    return dataclasses.replace(made, path=path or (RunState.SUCCEEDED,), **{"reason": "exit code 0", **values})


def all_runs(db: Database) -> list[Run]:
    """Return all runs, the oldest first."""
    return list(reversed(runs.list_page(db, limit=500).runs))


def states_of(db: Database) -> list[str]:
    """Return the states of all runs, the oldest first."""
    return [run.state for run in all_runs(db)]


def transitions(db: Database, run_id: int) -> list[str]:
    """Return the transitions of a run, such as ``>queued,claimed,starting`` for a birth on its way."""
    events = runs.get_detail(db, run_id).events
    return [f"{e.from_state or ''}>{','.join(filter(None, [e.path, e.to_state]))}" for e in events]
