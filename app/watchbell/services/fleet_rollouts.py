"""Orders that go through a fleet wave by wave: letting the next wave have them, pausing, going on and rolling back."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.domain import rollout
from watchbell.domain.fleet_state import EXECUTION_FINAL, DeviceJobState, ExecutionState
from watchbell.domain.rollout import FAILURE_TYPES, Rollout, Step
from watchbell.errors import Conflict
from watchbell.services import audit, fleet_jobs, fleet_moves
from watchbell.services.fleet_jobs import Shown
from watchbell.services.fleet_orders import MOST_PRIORITY, NAME_LIMIT, Order
from watchbell.store import fleet_jobs as store
from watchbell.store import rollouts as rollout_store
from watchbell.store.fleet_jobs import Execution
from watchbell.store.session import Database, Session

#: So the reason begins of what a person has paused.
_BY_PERSON = "paused by "
#: Who it is that lets a wave go and stops a rollout by its rules.
_SELF = "watchbell"
_log = logging.getLogger(__name__)


class NotRolling(Conflict):
    """The job does not go through the fleet in waves, or has ended."""


#: So long what has ended is looked at, if nobody says since when.
_ENDED_LATELY = timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """What a look at the rollouts has led to."""

    waves: int = 0
    stopped: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """One wave of an order."""

    number: int
    is_released: bool
    counts: Mapping[DeviceJobState, int]


def waves(db: Database, job_id: str) -> Sequence[Wave]:
    """Return the waves of an order with how many of their devices are in each state; raises ExecutionNotFound."""
    with db.read() as session:
        execution = fleet_jobs.require(session, job_id)
        counts = rollout_store.count_by_wave(session, execution.id)
        return [Wave(number, number <= execution.wave, counts[number]) for number in sorted(counts)]


def move_on(db: Database, *, now: datetime, ended_since: datetime | None = None) -> Moved:
    """Let each rollout take its next step, if it has one: another wave, or a stop.

    One that has ended since a moment, an hour ago if none is said, is still undone where a rule says so: its last devices may
    have been those that were too many.
    """
    with db.read() as session:
        rolling = rollout_store.list_rolling(session)
        ended = rollout_store.list_undoable(session, ended_since or now - _ENDED_LATELY)
    moved = Moved()
    for execution_id in (*rolling, *ended):
        with db.read() as session:
            step = _decide(session, store.get_execution(session, execution_id), now).step
            if step is Step.WAIT or (execution_id in ended and step is not Step.CANCEL):
                continue
        with db.write() as session:
            step = _step(session, execution_id, now)
        moved = Moved(moved.waves + (step is Step.RELEASE), moved.stopped + (step in {Step.PAUSE, Step.CANCEL}))
    return moved


def pause(db: Database, job_id: str, *, now: datetime, actor: str) -> Shown:
    """Let no further device begin; those that have begun go on. Raises ExecutionNotFound and Conflict."""
    with db.write() as session:
        execution = _require_active(session, job_id)
        if execution.paused_reason is not None:
            raise Conflict("the job is paused already")
        _pause(session, execution, f"{_BY_PERSON}{actor}", now=now)
        fleet_jobs.note(session, "pause", execution, now=now, actor=actor)
        return fleet_jobs.shown(session, execution)


def resume(db: Database, job_id: str, *, now: datetime, actor: str) -> Shown:
    """Let an order go on; the failures so far have been looked at and stop it no more. Raises as ``pause`` does."""
    with db.write() as session:
        execution = _require_active(session, job_id)
        if execution.paused_reason is None:
            raise Conflict("the job is not paused")
        # These very attempts: one that follows them is looked at anew.
        execution.let_pass = {"parts": list(rollout_store.list_failed(session, execution.id))}
        newest = rollout_store.count_by_wave(session, execution.id).get(execution.wave, {})
        if not any(count for state, count in newest.items() if state is not DeviceJobState.CANCELLED):
            execution.let_pass["empty_wave"] = execution.wave
        execution.paused_reason = None
        execution.updated_at = now
        fleet_jobs.note(session, "resume", execution, now=now, actor=actor)
        fleet_moves.tell_order(session, execution, now=now)
        session.flush()
        rollout_store.release(session, execution.id, execution.wave)
        return fleet_jobs.shown(session, execution)


def roll_back(db: Database, job_id: str, *, now: datetime, actor: str) -> Shown:
    """Give the order that undoes another one to all devices that have begun that, and take it back from the others.

    Raises ExecutionNotFound, and Conflict if there is nothing to undo it with, nobody who has begun, or it was undone before.
    """
    with db.write() as session:
        execution = fleet_jobs.require(session, job_id, lock=True)
        if execution.rollback_document is None:
            raise Conflict("the job was given without anything that undoes it")
        if rollout_store.find_rollback(session, job_id) is not None:
            raise Conflict("the job was rolled back before")
        if ExecutionState(execution.state) not in EXECUTION_FINAL:
            fleet_jobs.take_back(session, execution, now=now, actor=actor, force=False)
        given = _roll_back(session, execution, now=now, actor=actor)
        if given is None:
            raise Conflict("no device has begun the job")
        return given


def _step(session: Session, execution_id: int, now: datetime) -> Step:
    execution = store.get_execution(session, execution_id, lock=True)
    decision = _decide(session, execution, now)
    if decision.step is Step.RELEASE:
        execution.wave += 1
        execution.wave_at = now
        session.flush()
        rollout_store.release(session, execution.id, execution.wave)
        _log.info("Wave %d of %d of %r goes", execution.wave, execution.waves, execution.name)
    elif decision.step in {Step.PAUSE, Step.CANCEL}:
        _log.warning("Job %r stops: %s", execution.name, decision.reason)
        detail = {"reason": decision.reason}
        subject = f"device_job:{execution.job_id}"
        audit.note(session, "device_job.stop", subject, now=now, actor=_SELF, name=execution.name, detail=detail)
        if decision.step is Step.PAUSE:
            _pause(session, execution, decision.reason, now=now)
        else:
            execution.paused_reason = decision.reason
            if ExecutionState(execution.state) not in EXECUTION_FINAL:
                fleet_jobs.take_back(session, execution, now=now, actor=_SELF, force=False)
            is_undone = rollout_store.find_rollback(session, execution.job_id) is not None
            if execution.rollback_document is not None and not is_undone:
                _roll_back(session, execution, now=now, actor=_SELF)
    return decision.step


def _decide(session: Session, execution: Execution, now: datetime) -> rollout.Decision:
    if execution.rollout is None or execution.is_cancelled or execution.paused_reason is not None:
        # Somebody else was faster.
        return rollout.Decision(Step.WAIT)
    counts = rollout_store.count_by_wave(session, execution.id)
    reached: dict[DeviceJobState, int] = {}
    for number, wave in counts.items():
        for state, count in wave.items():
            if number <= execution.wave:
                reached[state] = reached.get(state, 0) + count
    for state, count in _let_pass(session, execution).items():
        reached[state] = max(0, reached.get(state, 0) - count)
    return rollout.decide(
        rules_of(execution),
        reached,
        counts.get(execution.wave, {}),
        waves_left=execution.waves - execution.wave,
        seconds_since=(now - (execution.wave_at or execution.queued_at)).total_seconds(),
        lets_empty_pass=execution.let_pass.get("empty_wave") == execution.wave,
    )


def _let_pass(session: Session, execution: Execution) -> dict[DeviceJobState, int]:
    """Return how many failures of each kind were looked at and still are what has become of their devices."""
    told = execution.let_pass
    if "parts" in told:
        return rollout_store.count_newest_of(session, told["parts"])
    return {state: int(told[state.value]) for state in FAILURE_TYPES["ALL"] if state.value in told}


def rules_of(execution: Execution) -> Rollout:
    """Return the rules by which an order goes through the fleet."""
    return rollout.read(execution.rollout or {})


def is_stopped_by_rule(execution: Execution) -> bool:
    """Return whether its rules, and no person, have stopped an order."""
    return execution.paused_reason is not None and not execution.paused_reason.startswith(_BY_PERSON)


def _pause(session: Session, execution: Execution, reason: str, *, now: datetime) -> None:
    execution.paused_reason = reason
    execution.updated_at = now
    fleet_moves.tell_order(session, execution, now=now)
    session.flush()
    rollout_store.hold_all(session, execution.id)


def _roll_back(session: Session, execution: Execution, *, now: datetime, actor: str) -> Shown | None:
    """Give the order that undoes another one; None if no device has begun that."""
    reached = rollout_store.list_reached(session, execution.id)
    if not reached:
        return None
    order = Order(
        name=f"Roll back {execution.name}"[:NAME_LIMIT],
        target_type="device",
        document=execution.rollback_document,
        target_devices=[device.uuid for device in reached],
        timeout_seconds=execution.timeout_seconds,
        priority=MOST_PRIORITY,
        rollback_of=execution.job_id,
    )
    return fleet_jobs.give(session, order, now=now, actor=actor)


def _require_active(session: Session, job_id: str) -> Execution:
    execution = fleet_jobs.require(session, job_id, lock=True)
    if execution.is_cancelled or ExecutionState(execution.state) in EXECUTION_FINAL:
        raise NotRolling
    return execution
