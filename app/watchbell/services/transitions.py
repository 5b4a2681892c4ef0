"""Moving one run along the state table: compare-and-swap, transition log and outbox in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.run_state import FINAL, RunState, advance
from watchbell.services.tickets import Ticket, Turn
from watchbell.store import ledger as store
from watchbell.store.runs import Run
from watchbell.store.session import Session

#: The name of the outbox event for a state that outsiders hear of.
EVENT_TYPES = {
    RunState.QUEUED: "run_queued",
    RunState.STARTING: "run_started",
    RunState.RUNNING: "run_running",
    RunState.CANCELLING: "run_cancelling",
    RunState.RETRY_WAIT: "run_retry_wait",
    RunState.SUCCEEDED: "run_succeeded",
    RunState.FAILED: "run_failed",
    RunState.TIMED_OUT: "run_timed_out",
    RunState.CANCELLED: "run_cancelled",
    RunState.LOST: "run_lost",
    RunState.SKIPPED: "run_skipped",
    RunState.MISSED: "run_missed",
}
#: That name and the state's own, looked up once.
_WORDS = {state: (EVENT_TYPES.get(state, f"run_{state}"), state.value) for state in RunState}


def outbox_row(run_id: int, task_id: int, name: str, state: RunState, now: datetime, reason: str) -> dict[str, Any]:
    """Return the outbox event of a run that has come to a state."""
    kind, word = _WORDS[state]
    return {
        "type": kind,
        "task_id": task_id,
        "run_id": run_id,
        "data": {"name": name, "state": word, "reason": reason},
        "at": now,
    }


def move(
    session: Session,
    run: Run,
    path: Sequence[RunState],
    *,
    now: datetime,
    actor: str,
    reason: str = "",
    values: dict[str, Any] | None = None,
) -> bool:
    """Take a run along a path of legal steps; return False if somebody else moved it first.

    ``run`` is what the caller has read; on success it carries the new state. Raises IllegalTransition if the table
    does not have a step.
    """
    before = RunState(run.state)
    to = advance(before, *path)
    changes: dict[str, Any] = {"state": to.value, "reason": reason, **(values or {})}
    if to in FINAL:
        changes.setdefault("ended_at", now)
    if not store.swap_run(session, run.id, before, run.fence, changes):
        return False
    fence = int(changes.get("fence", run.fence))
    store.add_events(session, [store.event_row(run.id, before, path, at=now, actor=actor, fence=fence, reason=reason)])
    store.add_outbox(session, [outbox_row(run.id, run.task_id, run.task_name, to, now, reason)])
    session.refresh(run)
    return True


def move_all(
    session: Session,
    runs: Sequence[Any],
    path: Sequence[RunState],
    *,
    now: datetime,
    actor: str,
    reason: str | Callable[[Any], str],
    values: Mapping[str, Any] | None = None,
) -> set[int]:
    """Take many runs, from whatever state each is in, along one path and return those that nobody else moved first.

    Each of ``runs`` has id, task_id, task_name, state and fence; the reason may differ by run. Raises IllegalTransition as
    ``move`` does.
    """
    to = path[-1]
    changes = {f"new_{name}": value for name, value in (values or {}).items()}
    changes |= {"new_state": to.value, **({"new_ended_at": now} if to in FINAL else {})}
    told = [reason if isinstance(reason, str) else reason(run) for run in runs]
    rows = [
        {"run": r.id, "from_state": r.state, "from_fence": r.fence, "new_reason": words, **changes}
        for r, words in zip(runs, told, strict=True)
    ]
    stay = set(store.swap_runs(session, rows))
    moved = [(run, words) for run, words in zip(runs, told, strict=True) if run.id not in stay]
    store.add_events(
        session,
        [
            store.event_row(r.id, RunState(r.state), path, at=now, actor=actor, fence=r.fence, reason=words)
            for r, words in moved
        ],
    )
    store.add_outbox(session, [outbox_row(r.id, r.task_id, r.task_name, to, now, words) for r, words in moved])
    return {run.id for run, _words in moved}


def log_moves(
    session: Session, turn: Turn, state: RunState, told: Sequence[tuple[Ticket, tuple[RunState, ...], str]]
) -> None:
    """Log that the runs of tickets have gone from a state along paths, for reasons; the rows have been changed."""
    store.add_events(
        session,
        [
            store.event_row(t.run_id, state, path, at=turn.now, actor=turn.actor, fence=t.fence, reason=reason)
            for t, path, reason in told
        ],
    )
    store.add_outbox(
        session,
        [outbox_row(t.run_id, t.task_id, t.task_name, path[-1], turn.now, reason) for t, path, reason in told],
    )
