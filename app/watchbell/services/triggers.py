"""Asking for a run by hand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbell.domain.catch_up import Trigger
from watchbell.domain.permissions import Right
from watchbell.domain.policies import HIGHEST_PRIORITY, Overlap, Policies
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, ownership, parameters, pauses, quotas, task_rows, transitions
from watchbell.store import ledger
from watchbell.store import runs as store
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

KEY_LIMIT = 200
#: So many runs of one task that were asked for by hand may wait at a time.
MOST_WAITING = 1000
#: Ahead of everything that a task may ask for.
SOON_PRIORITY = HIGHEST_PRIORITY + 1


class QuotaReached(Conflict):
    """As many runs that somebody has asked for wait already as may."""

    code = "quota_reached"


def run_now(
    db: Database,
    task_id: int,
    *,
    now: datetime,
    actor: str,
    key: str | None = None,
    given: Mapping[str, object] | None = None,
    value_set: str | None = None,
    version: int | None = None,
    rerun_of: int | None = None,
) -> Run:
    """Ask for a run of a task at once and return it, queued; a disabled task may be run by hand, too.

    ``given`` are values of its parameters, over those of its set ``value_set``, ``version`` is the one that is run, by default
    the one in force, and ``rerun_of`` the run that this one repeats. The same ``key`` asked for again answers with the run that it made the first
    time. Raises NotFound, InputError for values that it does not take, and QuotaReached when too many wait.
    """
    if key is not None and not (0 < len(key) <= KEY_LIMIT and key.isprintable()):
        raise InputError.of("key", f"must be 1 to {KEY_LIMIT} printable characters", "deploy-2026-11-22")
    with db.write() as session:
        task = task_store.find_task(session, task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        ownership.require(session, Right.OPERATE, task)
        if version not in {None, task.version}:
            # It brings back a command that somebody has taken out of force.
            ownership.require(session, Right.EDIT, task)
            ownership.require_user(task.name, Policies.from_json(_said(session, task, version)["policies"]).as_user)
        if value_set is not None:
            given = {**_set_of(_said(session, task, version), value_set), **(given or {})}
        occurrence_key = f"man:{key or uuid.uuid4().hex}"
        if key is None or store.find_run_by_key(session, task_id, occurrence_key) is None:
            refuse_too_many(session, task)
            quotas.require_start(session, now)
            detail = {"version": version} if version is not None else None
            audit.note(session, "task.run", f"task:{task_id}", now=now, actor=actor, name=task.name, detail=detail)
        reason = f"run by hand by {actor}" + (
            f"; version {version} of the task" if version not in {None, task.version} else ""
        )
        values = {"rerun_of": rerun_of} if rerun_of is not None else {}
        return ask(
            session, task, occurrence_key, now=now, actor=actor, reason=reason, given=given, version=version, **values
        )


def run_like(db: Database, run: Run, *, now: datetime, actor: str) -> Run:
    """Ask for another run of the task of a run, as it is defined now, with those values that it still takes."""
    with db.read() as session:
        task = task_store.find_task(session, run.task_id)
        given = parameters.fitting(task_rows.definition_of(task).to_json(), run.parameters) if task else {}
    return run_now(db, run.task_id, now=now, actor=actor, given=given)


def run_exactly(db: Database, run: Run, *, now: datetime, actor: str) -> Run:
    """Ask for another run by the version and with the values of a run, which it repeats; raises what ``run_now`` raises."""
    given, version = run.parameters or {}, run.task_version
    return run_now(db, run.task_id, now=now, actor=actor, given=given, version=version, rerun_of=run.id)


def _said(session: Session, task: Task, version: int | None) -> Mapping[str, Any]:
    """Return what a run needs of a version of a task, by default of the one in force."""
    if version is None or version == task.version:
        names = ("command", "parameters", "parameter_sets", "policies")
        return {name: getattr(task, name) for name in names}
    kept = task_store.find_revision(session, task.id, version)
    if kept is None:
        raise NotFound(f"task {task.id} has no version {version}")
    return kept.definition


def _set_of(said: Mapping[str, Any], title: str) -> Mapping[str, object]:
    sets: Mapping[str, Mapping[str, object]] = said.get("parameter_sets") or {}
    if title not in sets:
        raise InputError.of("value_set", f"{title[:40]!r} is not a set of this task", next(iter(sets), None))
    return sets[title]


def refuse_too_many(session: Session, task: Task) -> None:
    """Raise QuotaReached if more runs of a task wait than one may ask for by hand."""
    waiting = store.count_waiting_up_to(session, task.id, Trigger.MANUAL.value, MOST_WAITING)
    if waiting >= MOST_WAITING:
        raise QuotaReached(
            f"{MOST_WAITING:,} runs of task {task.name!r} that somebody has asked for wait already; let them start, or "
            "cancel some, before asking for more"
        )


def run_soon(db: Database, task_id: int, *, now: datetime, actor: str) -> Run:
    """Ask for a run of a task as soon as possible, ahead of everything else that waits, and return it, queued.

    There is at most one such run of a task waiting: asked for again, it is returned as it is. Raises NotFound, and Conflict
    for a disabled task.
    """
    with db.write() as session:
        task = task_store.lock_task(session, task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        ownership.require(session, Right.OPERATE, task)
        if not task.enabled:
            raise Conflict(f"task {task.name!r} is disabled; enable it, or run it by hand")
        waiting = store.find_waiting(session, task.id, Trigger.ASAP.value)
        if waiting is not None:
            return waiting
        quotas.require_start(session, now)
        audit.note(session, "task.run", f"task:{task_id}", now=now, actor=actor, name=task.name, detail={"soon": True})
        return ask(
            session,
            task,
            f"asap:{uuid.uuid4().hex}",
            now=now,
            actor=actor,
            reason=f"asked for as soon as possible by {actor}",
            trigger=Trigger.ASAP.value,
            priority=SOON_PRIORITY,
        )


def forget_soon(db: Database, task_id: int, *, now: datetime, actor: str) -> None:
    """Cancel the run of a task that was asked for as soon as possible, if one still waits."""
    with db.write() as session:
        ownership.require_of_run(session, Right.OPERATE, task_id)
        waiting = store.find_waiting(session, task_id, Trigger.ASAP.value)
        if waiting is not None:
            reason = f"{actor} has asked for it no longer"
            transitions.move(session, waiting, [RunState.CANCELLED], now=now, actor=actor, reason=reason)


def list_soon(db: Database) -> set[int]:
    """Return the ids of the tasks of which a run waits that was asked for as soon as possible."""
    with db.read() as session:
        return store.list_waiting_tasks(session, Trigger.ASAP.value)


def ask(
    session: Session,
    task: Task,
    occurrence_key: str,
    *,
    now: datetime,
    actor: str,
    reason: str,
    given: Mapping[str, object] | None = None,
    version: int | None = None,
    **values: Any,
) -> Run:
    """Put a run of a task into its queue, unless there is one under this key, and return it; ``values`` are columns.

    Raises InputError if its parameters do not take what is ``given``, or need more, and NotFound if it has no such version.
    """
    said = _said(session, task, version)
    policies = Policies.from_json(said["policies"])
    read = parameters.read(said, given or {})
    if read:
        values["parameters"] = read
    reason = "; ".join([reason, *pauses.why_held(session, task.id, policies.queue, now)])
    row = {
        "task_id": task.id,
        "task_name": task.name,
        "task_version": task.version if version is None else version,
        "occurrence_key": occurrence_key,
        "trigger": Trigger.MANUAL.value,
        "due_at": now,
        "zone": task.zone,
        "local_time": "",
        "state": RunState.QUEUED.value,
        "reason": reason,
        "requested_by": actor,
        "may_overlap": policies.overlap is Overlap.ALLOW,
        "queue": policies.queue,
        "priority": policies.priority,
        "created_at": now,
        **values,
    }
    made = ledger.insert_runs(session, [row])
    for run_id in made.values():
        ledger.add_events(
            session, [ledger.event_row(run_id, None, [RunState.QUEUED], at=now, actor=actor, fence=0, reason=reason)]
        )
        ledger.add_outbox(session, [transitions.outbox_row(run_id, task.id, task.name, RunState.QUEUED, now, reason)])
    run = store.find_run_by_key(session, task.id, occurrence_key)
    if run is None:
        raise NotFound("the run that was just made is gone")
    return run
