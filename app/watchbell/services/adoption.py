"""What a scheduler finds when it starts: runs that an earlier life of it has left in flight."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection
from datetime import datetime

from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.services import restores, transitions
from watchbell.services.lives import mark_of
from watchbell.services.tickets import Ticket
from watchbell.store import heartbeats as heartbeat_store
from watchbell.store import runs as store
from watchbell.store.runs import Attempt, Run
from watchbell.store.session import Database

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """A run in flight whose scheduler is gone, and which is ours now."""

    ticket: Ticket
    state: RunState
    attempt: Attempt
    #: The boot in which its scheduler lived; None if that is not known.
    boot_id: str | None
    #: Why its row may be older than what has become of it, empty as a rule.
    stale_words: str = ""


def take_over(
    db: Database, *, holder: str, host: str, now: datetime, actor: str, owns_database: bool = False
) -> list[Orphan]:
    """Make this data directory's runs in flight our own and return them; claimed ones, not started, go back.

    To be called while holding the lock of the data directory, which proves that the earlier life is over. It proves
    nothing of a scheduler in another one, and the run folders of that one are not ours to look into. A database that
    lies in the data directory (``owns_database``) has no other one: its runs are ours, wherever it has been moved to.
    """
    found: list[Orphan] = []
    foreign: list[int] = []
    with db.write() as session:
        gaps = restores.gaps_in(session)
        for run in store.list_in_state(session, [RunState.CLAIMED, *IN_FLIGHT]):
            if run.holder == holder:
                continue
            earlier = heartbeat_store.find_scheduler(session, run.holder) if run.holder else None
            # The embedded database is on one machine only, whatever that is called by now.
            is_elsewhere = earlier is not None and earlier.host != host and not db.is_sqlite
            is_foreign = is_elsewhere or (run.holder and mark_of(run.holder) != mark_of(holder))
            if is_foreign and not owns_database:
                foreign.append(run.id)
                continue
            if run.state == RunState.CLAIMED.value:
                reason = "its scheduler is gone and nothing was started"
                transitions.move(session, run, [RunState.QUEUED], now=now, actor=actor, reason=reason)
                continue
            attempt = store.find_attempt(session, run.id)
            if attempt is None:
                if run.state == RunState.CANCELLING.value:
                    # Its end was asked for while it was claimed, and nobody was left to hear of it.
                    reason = "cancelled before it was started"
                    transitions.move(session, run, [RunState.CANCELLED], now=now, actor=actor, reason=reason)
                continue
            run.holder = holder
            attempt.holder = holder
            found.append(
                Orphan(
                    _ticket(run, attempt),
                    RunState(run.state),
                    attempt,
                    earlier.boot_id if earlier else None,
                    restores.explain(gaps, earlier.started_at if earlier else None),
                )
            )
    if foreign:
        log.warning("%d run(s) in flight belong to the scheduler of another data directory or host", len(foreign))
    return found


def list_cancelling(db: Database, holder: str) -> list[int]:
    """Return the ids of the runs of a scheduler that somebody has asked to end."""
    with db.read() as session:
        return [r.id for r in store.list_in_state(session, [RunState.CANCELLING]) if r.holder == holder]


def states(db: Database, run_ids: Collection[int]) -> dict[int, tuple[RunState, int]]:
    """Return the state and fence of runs as they are in the ledger."""
    with db.read() as session:
        runs = [store.find_run(session, run_id) for run_id in run_ids]
        return {run.id: (RunState(run.state), run.fence) for run in runs if run is not None}


def _ticket(run: Run, attempt: Attempt) -> Ticket:
    return Ticket(
        run_id=run.id,
        attempt_id=attempt.id,
        number=attempt.number,
        fence=run.fence,
        task_id=run.task_id,
        task_version=run.task_version,
        task_name=run.task_name,
        due_at=run.due_at,
        trigger=run.trigger,
    )
