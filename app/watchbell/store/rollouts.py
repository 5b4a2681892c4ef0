"""Every query about orders that go through a fleet wave by wave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.orm import Session, aliased

from watchbell.domain.fleet_state import DeviceJobState, ExecutionState
from watchbell.domain.rollout import FAILURE_TYPES
from watchbell.store.base import in_lots
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution

_JOB: Any = DeviceJob.__table__
#: The condition of the index of those that go on, literally, so that it is used.
_ROLLING = text("execution.rollout IS NOT NULL AND execution.completed_at IS NULL")
#: So many of the newest failures are looked through for those that ended just now.
_LOOKED_THROUGH = 200


def list_rolling(session: Session) -> Sequence[int]:
    """Return the ids of the orders that go on wave by wave and are not paused, the oldest first."""
    statement = select(Execution.id).where(
        _ROLLING, Execution.paused_reason.is_(None), Execution.is_cancelled.is_(False)
    )
    return session.scalars(statement.order_by(Execution.id)).all()


def list_undoable(session: Session, ended_since: datetime) -> Sequence[int]:
    """Return the ids of rollouts that have failed since a moment, and that something would undo and nothing has yet."""
    newest = select(Execution.id).where(Execution.state == ExecutionState.FAILED.value)
    undoing = aliased(Execution)
    statement = select(Execution.id).where(
        Execution.id.in_(newest.order_by(Execution.id.desc()).limit(_LOOKED_THROUGH).scalar_subquery()),
        Execution.completed_at >= ended_since,
        Execution.rollout.is_not(None),
        Execution.rollback_document.is_not(None),
        Execution.paused_reason.is_(None),
        ~exists().where(undoing.rollback_of == Execution.job_id),
    )
    return session.scalars(statement.order_by(Execution.id)).all()


def count_by_wave(session: Session, execution_id: int) -> dict[int, dict[DeviceJobState, int]]:
    """Return for each wave of an order how many of its newest parts are in each state."""
    statement = (
        select(_JOB.c.wave, _JOB.c.state, func.count())
        .where(_JOB.c.execution_id == execution_id, _JOB.c.is_newest)
        .group_by(_JOB.c.wave, _JOB.c.state)
    )
    found: dict[int, dict[DeviceJobState, int]] = {}
    for wave, state, count in session.connection().execute(statement):
        found.setdefault(int(wave), {})[DeviceJobState(state)] = int(count)
    return found


def list_failed(session: Session, execution_id: int) -> Sequence[int]:
    """Return the ids of the newest parts of an order that have gone wrong."""
    words = [state.value for state in FAILURE_TYPES["ALL"]]
    statement = select(DeviceJob.id).where(
        DeviceJob.execution_id == execution_id, DeviceJob.is_newest, DeviceJob.state.in_(words)
    )
    return session.scalars(statement.order_by(DeviceJob.id)).all()


def count_newest_of(session: Session, part_ids: Sequence[int]) -> dict[DeviceJobState, int]:
    """Return how many of these parts that are the newest of their devices still are in each state."""
    found: dict[DeviceJobState, int] = {}
    for some in in_lots(part_ids):
        statement = select(_JOB.c.state, func.count()).where(_JOB.c.id.in_(some), _JOB.c.is_newest)
        for word, count in session.connection().execute(statement.group_by(_JOB.c.state)):
            state = DeviceJobState(word)
            found[state] = found.get(state, 0) + int(count)
    return found


def hold_all(session: Session, execution_id: int) -> None:
    """Let no further device be offered an order."""
    _set_held(session, execution_id, is_held=True)


def release(session: Session, execution_id: int, wave: int) -> None:
    """Let the devices of all waves up to this one be offered an order."""
    _set_held(session, execution_id, DeviceJob.wave <= wave, is_held=False)


def list_reached(session: Session, execution_id: int) -> Sequence[Device]:
    """Return the active devices that have begun an order, whatever has become of it there."""
    begun = [state.value for state in DeviceJobState if state not in _NEVER_BEGUN]
    statement = (
        select(Device)
        .join(DeviceJob, DeviceJob.device_id == Device.id)
        .where(
            DeviceJob.execution_id == execution_id, DeviceJob.is_newest, DeviceJob.state.in_(begun), Device.is_active
        )
    )
    return session.scalars(statement.order_by(DeviceJob.id)).all()


def find_rollback(session: Session, job_id: str) -> Execution | None:
    """Return the order that takes another one back, or None."""
    return session.scalars(select(Execution).where(Execution.rollback_of == job_id)).one_or_none()


_NEVER_BEGUN = frozenset({DeviceJobState.QUEUED, DeviceJobState.REJECTED, DeviceJobState.CANCELLED})


def _set_held(session: Session, execution_id: int, *conditions: Any, is_held: bool) -> None:
    statement = update(DeviceJob).where(
        DeviceJob.execution_id == execution_id,
        DeviceJob.is_newest,
        DeviceJob.state == DeviceJobState.QUEUED.value,
        *conditions,
    )
    session.connection().execute(statement.values(is_held=is_held))
    session.expire_all()
