"""Moments that were due, and not yet turned into rows, when somebody changed, switched off or deleted their task.

Nobody will start them any more, and each still gets its row that says why.
"""

from __future__ import annotations

from datetime import datetime

from watchbell.domain import parameters
from watchbell.domain import schedule as schedules
from watchbell.domain.catch_up import give_up
from watchbell.domain.line_checks import recorded, values_of_lines
from watchbell.domain.run_state import RunState
from watchbell.services import transitions
from watchbell.store import ledger
from watchbell.store.session import Session
from watchbell.store.tasks import Task

#: So many moments are looked at; of a longer past the row says that there were at least so many.
LOOKED_AT = 10_000


def write_down(session: Session, task: Task, *, now: datetime, actor: str, why: str) -> None:
    """Make rows of what an enabled task, still as it was before the change, has due; the caller moves its cursor."""
    if not task.enabled:
        return
    plan = schedules.from_json(task.schedule)
    due = list(schedules.occurrences(plan, task.cursor_at, LOOKED_AT, until=now))
    if not due:
        return
    given = values_of_lines(plan, parameters.from_json(task.parameters))
    at_least = "at least " if len(due) == LOOKED_AT else ""
    verdicts = give_up(due, f"{why} before it could be started", at_least=at_least)
    rows = [
        {
            "task_id": task.id,
            "task_name": task.name,
            "task_version": task.version,
            "occurrence_key": verdict.key,
            "trigger": verdict.trigger.value,
            "due_at": verdict.occurrence.due_at,
            "zone": verdict.occurrence.zone,
            "local_time": verdict.occurrence.local.isoformat(sep=" "),
            "stands_for": verdict.stands_for,
            "state": RunState.MISSED.value,
            "reason": verdict.reason,
            "created_at": now,
            "ended_at": now,
            # Whoever runs it again gets what it would have been given.
            "parameters": recorded(given, verdict.occurrence),
        }
        for verdict in verdicts
    ]
    made = ledger.insert_runs(session, rows)
    told = [(made[task.id, verdict.key], verdict.reason) for verdict in verdicts if (task.id, verdict.key) in made]
    ledger.add_events(
        session,
        [
            ledger.event_row(i, None, [RunState.MISSED], at=now, actor=actor, fence=0, reason=reason)
            for i, reason in told
        ],
    )
    ledger.add_outbox(
        session, [transitions.outbox_row(i, task.id, task.name, RunState.MISSED, now, reason) for i, reason in told]
    )
