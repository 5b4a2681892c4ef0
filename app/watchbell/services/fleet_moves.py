"""Moving the part of a device in an order along the state table, and what that makes of the order, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.fleet_state import (
    EXECUTION_FINAL,
    FINAL,
    DeviceJobState,
    ExecutionState,
    advance,
    execution_state,
    wire_word,
)
from watchbell.store import device_reports as log_store
from watchbell.store import events
from watchbell.store import fleet_jobs as store
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.session import Session

#: The names of the outbox events for a part and for an order.
PART_CHANGED = "device_job_changed"
ORDER_CHANGED = "execution_changed"
#: Why an order was taken back whose devices were deleted, every one.
NOBODY_LEFT = "all of its devices were deleted"


def move(
    session: Session,
    execution: Execution,
    part: DeviceJob,
    to: DeviceJobState,
    *,
    uuid: str,
    now: datetime,
    actor: str,
    reason: str = "",
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Take a part one legal step and return whether nobody else had moved it first; raises IllegalTransition."""
    before = DeviceJobState(part.state)
    advance(before, to)
    changes: dict[str, Any] = {"state": to.value, "updated_at": now, **(values or {})}
    if to in FINAL:
        changes["completed_at"] = now
        changes["deadline_at"] = None
    if reason and "reason" not in changes:
        changes["reason"] = reason
    if not store.swap_part(session, part, changes):
        return False
    log_store.add_events(session, [log_row(part.id, before, to, now=now, actor=actor, reason=reason)])
    tell(session, execution, [(uuid, to)], now=now)
    _shift(session, execution, before, to, now=now)
    return True


def tell(session: Session, execution: Execution, moved: Sequence[tuple[str, DeviceJobState]], *, now: datetime) -> None:
    """Put into the outbox what the parts of these devices have come to."""
    rows = [
        {
            "type": PART_CHANGED,
            "task_id": None,
            "run_id": None,
            "data": {
                "job_id": execution.job_id,
                "job_name": execution.name,
                "device_uuid": uuid,
                "status": wire_word(state),
                "timestamp": now.isoformat(),
            },
            "at": now,
        }
        for uuid, state in moved
    ]
    if rows:
        events.add(session, rows)


def log_row(
    part_id: int, before: DeviceJobState | None, to: DeviceJobState, *, now: datetime, actor: str, reason: str
) -> dict[str, Any]:
    """Return the row of the log for a step of a part."""
    return {
        "device_job_id": part_id,
        "kind": "moved",
        "from_state": before.value if before is not None else None,
        "to_state": to.value,
        "at": now,
        "actor": actor,
        "reason": reason[:1000],
        "data": {},
    }


def retry_row(part: DeviceJob, *, now: datetime, actor: str) -> dict[str, Any]:
    """Return the row of the log that says that another attempt follows a part."""
    row = log_row(part.id, None, DeviceJobState.QUEUED, now=now, actor=actor, reason=f"tried again by {actor}")
    return {**row, "kind": "retried", "data": {"number": part.number + 1}}


def recount(session: Session, execution: Execution, *, now: datetime) -> None:
    """Read the state of an order from its parts, whose rows are all written; the order is locked."""
    _settle(session, execution, store.count_states(session, execution.id), now=now)


def go_on_without(session: Session, execution: Execution, *, now: datetime) -> bool:
    """Read the state of an order that is locked after a device has left it; return whether that has ended the order.

    One that has ended stays what it was when nobody is left of it, and one that waits for nobody any more is taken back.
    """
    counts = store.count_states(session, execution.id)
    if any(counts.values()) or execution.is_open:
        _settle(session, execution, counts, now=now)
        return False
    if ExecutionState(execution.state) in EXECUTION_FINAL:
        execution.counts, execution.total = {}, 0
        session.flush()
        return False
    execution.is_cancelled, execution.paused_reason = True, NOBODY_LEFT
    _settle(session, execution, counts, now=now)
    return True


def _shift(
    session: Session, execution: Execution, before: DeviceJobState, to: DeviceJobState, *, now: datetime
) -> None:
    """Read the state of an order after one part of it has moved; the others are not looked at, which may be many."""
    counts = {state: int(execution.counts.get(state.value, 0)) for state in DeviceJobState}
    counts[before] -= 1
    counts[to] += 1
    _settle(session, execution, counts, now=now)


def _settle(session: Session, execution: Execution, counts: Mapping[DeviceJobState, int], *, now: datetime) -> None:
    state = execution_state(counts, is_cancelled=execution.is_cancelled, is_open=execution.is_open)
    execution.counts = {one.value: count for one, count in counts.items() if count}
    execution.total = sum(counts.values())
    execution.updated_at = now
    if state is not ExecutionState.QUEUED and execution.started_at is None and _has_begun(counts):
        execution.started_at = now
    if state.value != execution.state:
        execution.state = state.value
        execution.completed_at = now if state in EXECUTION_FINAL else None
        tell_order(session, execution, now=now)
    session.flush()


def tell_order(session: Session, execution: Execution, *, now: datetime) -> None:
    """Put into the outbox what an order has come to."""
    status = wire_word(ExecutionState(execution.state))
    told = {"job_id": execution.job_id, "job_name": execution.name, "status": status}
    events.add(session, [{"type": ORDER_CHANGED, "task_id": None, "run_id": None, "data": told, "at": now}])


def _has_begun(counts: Mapping[DeviceJobState, int]) -> bool:
    return any(
        count and state not in {DeviceJobState.QUEUED, DeviceJobState.CANCELLED} for state, count in counts.items()
    )
