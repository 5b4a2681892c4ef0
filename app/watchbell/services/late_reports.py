"""Late reports: what comes home of an attempt after its run was judged without it, such as when a lease had ended.

What became of the run stays as it is. The report is kept beside it, as an entry of its history that moves nothing: the state
before and the one after are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchbell.services.tickets import Result, Turn
from watchbell.store import ledger
from watchbell.store import runs as run_store
from watchbell.store.session import Session


def keep(session: Session, turn: Turn, results: Sequence[Result]) -> None:
    """Keep those of some results that are about attempts that were ended without one, each once; part of a turn."""
    rows = []
    for result in results:
        ticket = result.ticket
        run = run_store.find_run(session, ticket.run_id)
        attempt = run_store.find_attempt(session, ticket.run_id, ticket.number)
        if run is None or attempt is None or attempt.ended_at is None or not _says_how(result):
            continue
        if attempt.exit_code is not None or attempt.signal is not None:
            # It is the report that has been stored already.
            continue
        ended = result.attempt["new_ended_at"]
        reason = (
            f"late report of attempt {ticket.number}: {result.attempt['new_reason']}, at {ended:%Y-%m-%d %H:%M:%S} UTC; "
            f"the run stays {run.state}"
        )
        if any(event.reason == reason for event in run_store.list_events(session, run.id)):
            continue
        rows.append(
            {
                "run_id": run.id, "from_state": run.state, "to_state": run.state, "path": "", "at": turn.now,
                "actor": turn.actor, "fence": run.fence, "reason": reason,
            }
        )  # fmt: skip
    if rows:
        ledger.add_events(session, rows)


def _says_how(result: Result) -> bool:
    """Return whether a result tells how a command ended, and not only that nobody knows."""
    return result.attempt["new_exit_code"] is not None or result.attempt["new_signal"] is not None
