"""Waiting runs whose time has come: the next attempt goes back into the queue, what is too late to start is given up.

Part of a turn; the transaction is the caller's.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from watchbell.domain.retry import NEXT_ATTEMPT
from watchbell.domain.run_state import RunState
from watchbell.services import transitions
from watchbell.services.tickets import Turn
from watchbell.store import runs as run_store
from watchbell.store import waiting as store
from watchbell.store.session import Database, Session

#: So many of each are moved in one turn; the next turn follows at once while there are more.
_AT_ONCE = 500


def pass_time(session: Session, turn: Turn) -> bool:
    """Move the runs whose time has come by the turn and return whether any of them may be started now."""
    retries = store.list_retries_due(session, turn.now, _AT_ONCE)
    transitions.move_all(
        session,
        retries,
        [RunState.QUEUED],
        now=turn.now,
        actor=turn.actor,
        reason=lambda run: f"{run.reason.partition(NEXT_ATTEMPT)[0]}; tried again",
        values={"retry_at": None},
    )
    late = store.list_too_late(session, turn.now, _AT_ONCE)
    transitions.move_all(session, late, [RunState.MISSED], now=turn.now, actor=turn.actor, reason=_too_late)
    # Behind one that is given up another run of its task may have waited.
    return bool(retries or late)


def next_moment(db: Database) -> datetime | None:
    """Return when the time of the next waiting run comes, or None."""
    with db.read() as session:
        return store.next_moment(session)


def _too_late(run: Any) -> str:
    words = f"not started by {run.start_by.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, its latest start"
    return f"{words}; {run.reason}" if run.reason else words


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """What came before an attempt in the same run."""

    #: How many attempts have failed.
    failures: int = 0
    #: When the first one was started; None if there was none.
    first_started_at: datetime | None = None


NO_PAST = Past()


def look_back(db: Database, run_id: int, number: int) -> Past:
    """Return what came before an attempt of a run."""
    with db.read() as session:
        # A failure that is tried again is the only move that ends in this state; what was lost goes on from it at once.
        waits = [event for event in run_store.list_events(session, run_id) if event.to_state == RunState.RETRY_WAIT]
        earlier = [a for a in run_store.list_attempts(session, run_id) if a.number < number and a.started_at]
        return Past(len(waits), min((a.started_at for a in earlier if a.started_at), default=None))
