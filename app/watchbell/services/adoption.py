"""What a scheduler finds when it starts: runs that an earlier life of it has left in flight."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from watchbell.domain.foreground import KEY_PREFIX
from watchbell.domain.incidents import Gap
from watchbell.domain.retry import NEXT_ATTEMPT
from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.services import restores, transitions
from watchbell.services.lives import is_call, is_call_at, is_worker, is_worker_at, mark_of
from watchbell.services.tickets import Ticket
from watchbell.store import heartbeats as heartbeat_store
from watchbell.store import runs as store
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Attempt, Run
from watchbell.store.session import Database, Session

log = logging.getLogger(__name__)
_IN_FLIGHT = frozenset(state.value for state in IN_FLIGHT)


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


#: Tells whether a call of ``watchbell exec`` lives.
Liveness = Callable[[str], bool]


def _nobody(_holder: str) -> bool:
    return False


def take_over(
    db: Database,
    *,
    holder: str,
    host: str,
    now: datetime,
    actor: str,
    owns_database: bool = False,
    is_alive: Liveness = _nobody,
    calls_only: bool = False,
) -> list[Orphan]:
    """Make this data directory's runs in flight our own and return them; claimed ones, not started, go back.

    To be called while holding the lock of the data directory, which proves that the earlier life is over. It proves
    nothing of a scheduler in another one, and the run folders of that one are not ours to look into. A database that
    lies in the data directory (``owns_database``) has no other one: its runs are ours, wherever it has been moved to.

    Runs in the foreground are left to their calls, as far as these live; with ``calls_only``, for which the lock is not
    needed, those of calls that are gone are taken over and nothing else.
    """
    found: list[Orphan] = []
    foreign: list[int] = []
    with db.write() as session:
        gaps = restores.gaps_in(session)
        for run in store.list_in_state(session, [RunState.CLAIMED, *IN_FLIGHT, RunState.RETRY_WAIT]):
            waits, in_front = run.state == RunState.RETRY_WAIT.value, is_call(run.holder)
            if run.holder == holder or (not in_front and (waits or calls_only)):
                continue
            if is_worker(run.holder) != is_worker(holder):
                # A worker's lease, or its own next start, decides what becomes of its runs.
                continue
            if run.holder is not None and in_front and is_alive(run.holder):
                continue
            earlier = heartbeat_store.find_scheduler(session, run.holder) if run.holder else None
            if not owns_database and _is_foreign(run.holder, earlier, holder, host, is_sqlite=db.is_sqlite):
                foreign.append(run.id)
                continue
            orphan = _take(session, run, earlier, gaps, holder=holder, now=now, actor=actor)
            if orphan is not None:
                found.append(orphan)
    if foreign:
        log.warning("%d run(s) in flight belong to the scheduler of another data directory or host", len(foreign))
    return found


def _is_foreign(held_by: str | None, earlier: Scheduler | None, holder: str, host: str, *, is_sqlite: bool) -> bool:
    """Return whether a run's folder is not ours to look into."""
    if held_by is None:
        return False
    # The embedded database is on one machine only, whatever that is called by now.
    is_elsewhere = earlier is not None and earlier.host != host and not is_sqlite
    is_elsewhere = is_elsewhere or (is_call(held_by) and not is_call_at(held_by, host) and not is_sqlite)
    is_elsewhere = is_elsewhere or (is_worker(held_by) and not is_worker_at(held_by, host))
    return is_elsewhere or mark_of(held_by) != mark_of(holder)


def _take(
    session: Session,
    run: Run,
    earlier: Scheduler | None,
    gaps: Sequence[Gap],
    *,
    holder: str,
    now: datetime,
    actor: str,
) -> Orphan | None:
    """Make a run ours and return it; one that has no process to be looked for goes on at once, and None is returned."""
    if run.state == RunState.CLAIMED.value:
        reason = "its scheduler is gone and nothing was started"
        transitions.move(session, run, [RunState.QUEUED], now=now, actor=actor, reason=reason)
        return None
    if run.state == RunState.RETRY_WAIT.value:
        reason = f"{run.reason.partition(NEXT_ATTEMPT)[0]}; no other attempt: the call that would have made it is gone"
        transitions.move(session, run, [RunState.CANCELLED], now=now, actor=actor, reason=reason)
        return None
    attempt = store.find_attempt(session, run.id)
    if attempt is None:
        if run.state == RunState.CANCELLING.value:
            # Its end was asked for while it was claimed, and nobody was left to hear of it.
            reason = "cancelled before it was started"
            transitions.move(session, run, [RunState.CANCELLED], now=now, actor=actor, reason=reason)
        return None
    run.holder = holder
    attempt.holder = holder
    return Orphan(
        ticket_of(run, attempt),
        RunState(run.state),
        attempt,
        earlier.boot_id if earlier else None,
        restores.explain(gaps, earlier.started_at if earlier else None),
    )


def list_calls(db: Database) -> set[str]:
    """Return the calls of ``watchbell exec`` that hold runs."""
    with db.read() as session:
        return store.list_call_holders(session)


def list_held(db: Database, run_ids: Collection[int], is_alive: Liveness) -> set[int]:
    """Return which runs are in flight, held by calls of ``watchbell exec`` that live."""
    with db.read() as session:
        runs = [store.find_run(session, run_id) for run_id in run_ids]
    held = {run.id: run.holder for run in runs if run is not None and run.state in _IN_FLIGHT and run.holder}
    return {run_id for run_id, holder in held.items() if is_call(holder) and is_alive(holder)}


def list_cancelling(db: Database, holder: str) -> list[int]:
    """Return the ids of the runs of a scheduler that somebody has asked to end."""
    with db.read() as session:
        return [r.id for r in store.list_in_state(session, [RunState.CANCELLING]) if r.holder == holder]


def states(db: Database, run_ids: Collection[int]) -> dict[int, tuple[RunState, int]]:
    """Return the state and fence of runs as they are in the ledger."""
    with db.read() as session:
        runs = [store.find_run(session, run_id) for run_id in run_ids]
        return {run.id: (RunState(run.state), run.fence) for run in runs if run is not None}


def ticket_of(run: Run, attempt: Attempt) -> Ticket:
    """Return the ticket on which an attempt of a run was made."""
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
        is_left=run.occurrence_key.startswith(KEY_PREFIX),
    )
