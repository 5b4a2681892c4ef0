"""One turn of the scheduler's loop against the ledger, in one transaction.

A turn stores what has ended and what has been started since the last one, makes rows of what is due, and takes as many
runs to "starting" as there is room for. Only when it is durable does the caller start the processes of its tickets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from watchbell.domain.run_state import FINAL, RunState
from watchbell.services import births
from watchbell.services.tickets import DueTask, Result, Started, Ticket, Turn, Turned
from watchbell.services.transitions import log_moves
from watchbell.store import ledger as store
from watchbell.store import runs as run_store
from watchbell.store import tasks as task_store
from watchbell.store.session import Database, Session

__all__ = ["DueTask", "Result", "Started", "Ticket", "Turn", "Turned", "take_turn"]


def take_turn(db: Database, turn: Turn) -> Turned:
    """Store a turn and return the tickets that it gives; raises Unavailable with nothing stored."""
    with db.write() as session:
        surprises = _store_started(session, turn) | _store_results(session, turn)
        tickets: list[Ticket] = []
        claimed = births.claim(session, turn) if turn.claims else None
        if claimed is not None:
            tickets += claimed.tickets
        moves = [(due.task_id, due.change, due.cursor_at, due.next_due_at) for due in turn.due]
        stale = set(task_store.move_cursors(session, moves))
        current = [due for due in turn.due if due.task_id not in stale]
        born, queued = births.materialise(session, turn, current, turn.room - len(tickets))
        tickets += born
    planned = frozenset(due.task_id for due in current)
    return Turned(
        tickets=tickets,
        changed_tasks=frozenset(due.task_id for due in turn.due) - planned,
        planned_tasks=planned,
        surprises=frozenset(surprises),
        has_backlog=queued or (claimed is not None and claimed.has_backlog),
        has_more=claimed is not None and claimed.has_more,
    )


def _store_started(session: Session, turn: Turn) -> set[int]:
    rows = [
        {
            "run": s.ticket.run_id,
            "from_state": RunState.STARTING.value,
            "from_fence": s.ticket.fence,
            "new_state": RunState.RUNNING.value,
            "new_started_at": s.at,
        }
        for s in turn.started
    ]
    failed = set(store.swap_runs(session, rows))
    store.set_attempts_started(
        session,
        [
            {
                "attempt": s.ticket.attempt_id,
                "new_folder": s.folder,
                "new_pid": s.pid,
                "new_start_ticks": s.start_ticks,
                "new_boot_id": s.boot_id,
                "new_started_at": s.at,
            }
            for s in turn.started
        ],
    )
    told = [(s.ticket, (RunState.RUNNING,), "") for s in turn.started if s.ticket.run_id not in failed]
    log_moves(session, turn, RunState.STARTING, told)
    # A run that somebody asked to end before we could say that it runs keeps the state "cancelling".
    return failed


def _store_results(session: Session, turn: Turn) -> set[int]:
    """Store how attempts ended; a row that somebody moved to cancelling in between is taken from there."""
    surprises = _swap_results(session, turn, turn.results)
    again: list[Result] = []
    for result in turn.results:
        if result.ticket.run_id in surprises and result.state is not RunState.CANCELLING:
            run = run_store.find_run(session, result.ticket.run_id)
            if run is not None and run.state == RunState.CANCELLING.value and run.fence == result.ticket.fence:
                known = result
                if result.path[-1] not in FINAL:
                    reason = f"cancelled; {result.attempt['new_reason']}"
                    known = dataclasses.replace(result, path=(RunState.CANCELLED,), reason=reason)
                again.append(dataclasses.replace(known, state=RunState.CANCELLING))
    left = _swap_results(session, turn, again)
    surprises = (surprises - {result.ticket.run_id for result in again}) | left
    stored = [result for result in turn.results if result.ticket.run_id not in surprises]
    store.set_attempts_ended(session, [{"attempt": r.ticket.attempt_id, **r.attempt} for r in stored])
    store.add_outputs(session, [row for result in stored for row in result.outputs])
    return surprises


def _swap_results(session: Session, turn: Turn, results: Sequence[Result]) -> set[int]:
    rows = [
        {
            "run": r.ticket.run_id,
            "from_state": r.state.value,
            "from_fence": r.ticket.fence,
            "new_state": r.path[-1].value,
            "new_reason": r.reason,
            "new_started_at": r.attempt["new_started_at"],
            "new_ended_at": r.attempt["new_ended_at"] if r.path[-1] in FINAL else None,
            "new_exit_code": r.attempt["new_exit_code"],
        }
        for r in results
    ]
    failed = set(store.swap_runs(session, rows))
    for state in {r.state for r in results}:
        told = [(r.ticket, r.path, r.reason) for r in results if r.state is state and r.ticket.run_id not in failed]
        log_moves(session, turn, state, told)
    return failed
