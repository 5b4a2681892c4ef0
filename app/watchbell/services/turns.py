"""One turn of the scheduler's loop against the ledger, in one transaction.

A turn stores what has ended and what has been started since the last one, makes rows of what is due, and takes as many
runs to "starting" as there is room for. Only when it is durable does the caller start the processes of its tickets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from watchbell.domain.run_state import FINAL, RunState
from watchbell.services import births, deadlines, late_reports, pauses
from watchbell.services.chain_steps import Followed
from watchbell.services.claims import Seats
from watchbell.services.following import Follower
from watchbell.services.tickets import DueTask, Result, Started, Ticket, Turn, Turned
from watchbell.services.transitions import log_moves
from watchbell.store import cursors, leases, waiting
from watchbell.store import engine as engine_store
from watchbell.store import ledger as store
from watchbell.store import runs as run_store
from watchbell.store import secrets as secret_store
from watchbell.store import steps as step_store
from watchbell.store.session import Database, Session

__all__ = ["DueTask", "Result", "Started", "Ticket", "Turn", "Turned", "take_turn"]


def take_turn(db: Database, turn: Turn, follower: Follower | None = None) -> Turned:
    """Store a turn and return the tickets that it gives; raises Unavailable with nothing stored.

    With a ``follower`` the ends of runs are followed in the same transaction: what runs after them comes to the queue.
    """
    with db.write() as session:
        if turn.claims or follower is not None:
            # What waits may have come later than the last look at the pauses, and behind one of them.
            turn = dataclasses.replace(turn, holds=turn.holds.joined(pauses.read_holds(session, now=turn.now)))
        surprises = _store_started(session, turn) | _store_results(session, turn)
        is_released = deadlines.pass_time(session, turn) if turn.is_time else False
        followed = follower.follow(session, turn) if follower is not None else Followed()
        # What has just come to the queue need not wait for another turn.
        turn = dataclasses.replace(turn, claims=turn.claims or (followed.has_queued and turn.room > 0))
        tickets: list[Ticket] = []
        seats = Seats.count(session, turn)
        claimed = births.claim(session, turn, seats) if turn.claims else None
        if claimed is not None:
            tickets += claimed.tickets
        allowed = _allowed(session, turn)
        moves = [(due.task_id, due.change, due.cursor_at, due.next_due_at) for due in allowed]
        stale = set(cursors.move_cursors(session, moves))
        current = [due for due in allowed if due.task_id not in stale]
        born = births.materialise(session, turn, current, turn.room - len(tickets), seats)
        tickets += born.tickets
        next_moment = waiting.next_moment(session) if turn.is_time else _next_made(turn, born)
    planned = frozenset(due.task_id for due in current)
    return Turned(
        tickets=tickets,
        changed_tasks=frozenset(due.task_id for due in turn.due) - planned,
        planned_tasks=planned,
        surprises=frozenset(surprises),
        has_backlog=born.is_waiting
        or is_released
        or (claimed.has_backlog if claimed is not None else followed.has_queued),
        has_more=(claimed is not None and claimed.has_more) or is_released or born.has_made_way,
        is_behind=followed.has_more or born.has_made_way or bool(followed.replaced),
        next_moment=next_moment,
        replaced=followed.replaced | born.replaced,
        is_deposed=len(allowed) < len(turn.due),
    )


def _allowed(session: Session, turn: Turn) -> Sequence[DueTask]:
    """Return what is due and for the caller to make rows of: what may run anywhere only as long as it leads."""
    if turn.term is None or not any(due.is_anywhere for due in turn.due):
        return turn.due
    if leases.is_held(session, turn.holder, turn.term):
        return turn.due
    return [due for due in turn.due if not due.is_anywhere]


def _next_made(turn: Turn, born: births.Born) -> datetime | None:
    """Return when the time comes of a run that this turn has made wait."""
    moments = [born.start_by, *(result.retry_at for result in turn.results)]
    return min((moment for moment in moments if moment is not None), default=None)


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
                again.append(_without_another(result))
    left = _swap_results(session, turn, again)
    surprises = (surprises - {result.ticket.run_id for result in again}) | left
    stored = [result for result in turn.results if result.ticket.run_id not in surprises]
    if surprises:
        late_reports.keep(session, turn, [result for result in turn.results if result.ticket.run_id in surprises])
    store.set_attempts_ended(session, [{"attempt": r.ticket.attempt_id, **r.attempt} for r in stored])
    store.add_outputs(session, [row for result in stored for row in result.outputs])
    if turn.announced is not None and stored:
        engine_store.drop_live(session, [result.ticket.attempt_id for result in stored])
    unmasked = [result.ticket.attempt_id for result in stored if result.is_unmasked]
    if unmasked:
        secret_store.mark_unmasked(session, unmasked)
    step_store.add_steps(session, [row for result in stored for row in result.steps])
    return surprises


def _without_another(result: Result) -> Result:
    """Return what becomes of an attempt whose run somebody has asked to end: no other one is made."""
    known = dataclasses.replace(result, state=RunState.CANCELLING, retry_at=None, decision=None)
    if result.path[-1] in FINAL:
        return known
    words = str(result.attempt["new_reason"])
    if result.without_retry is not None:
        # It had failed before it could be ended.
        return dataclasses.replace(known, path=(result.without_retry,), reason=words)
    return dataclasses.replace(known, path=(RunState.CANCELLED,), reason=f"cancelled; {words}")


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
    if any(r.retry_at or r.decision for r in results):
        for row, r in zip(rows, results, strict=True):
            row |= {"new_retry_at": r.retry_at, "new_decision": r.decision}
    failed = set(store.swap_runs(session, rows))
    for state in {r.state for r in results}:
        told = [(r.ticket, r.path, r.reason) for r in results if r.state is state and r.ticket.run_id not in failed]
        log_moves(session, turn, state, told)
    return failed
