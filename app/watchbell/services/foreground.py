"""Runs that a person starts in the foreground: the task that they belong to, their birth, and their further attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbell.domain.catch_up import Trigger
from watchbell.domain.foreground import KEY_PREFIX, TAG
from watchbell.domain.policies import Overlap, Policies
from watchbell.domain.retry import NEXT_ATTEMPT
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import ScheduleKind
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.errors import Conflict
from watchbell.services import audit, pauses, tasks
from watchbell.services.tickets import Ticket
from watchbell.services.transitions import outbox_row
from watchbell.store import ledger
from watchbell.store import runs as store
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

_BIRTH = (RunState.QUEUED, RunState.CLAIMED, RunState.STARTING)
#: So many of a task's newest versions are looked at for one that says the same: arguments come again.
_LOOKED_AT = 100


class Paused(Conflict):
    """Nothing of this is to be started at the moment."""

    code = "paused"


def begin(
    db: Database, fields: Mapping[str, object], *, call: str, now: datetime, actor: str, defaults: Defaults
) -> Ticket:
    """Make the row of a run in the foreground, which says that it starts, and return the permission to start it.

    Its task is made or changed as ``fields`` say. Asked again for the same ``call``, as after a commit whose reply was
    lost, it answers with the same run. Raises InputError, Conflict for a name that belongs to a task of another kind, and
    Paused.
    """
    key = f"{KEY_PREFIX}{call}"
    with db.write() as session:
        task, version = _find_task(session, fields, now=now, actor=actor, defaults=defaults)
        run = store.find_run_by_key(session, task.id, key)
        if run is None:
            held = pauses.why_held(session, task.id, Policies.from_json(task.policies).queue, now)
            if held:
                raise Paused(f"it is not started: {'; '.join(held)}")
            run = _make(session, task, version, key, call=call, now=now, actor=actor)
        return _ticket(session, run)


def again(db: Database, ticket: Ticket, *, call: str, now: datetime, actor: str) -> Ticket | None:
    """Take a run that waits for its next attempt to its start and return the permission; None if it waits no more."""
    with db.write() as session:
        run = store.find_run(session, ticket.run_id)
        if run is None or run.holder != call:
            return None
        if run.state == RunState.STARTING.value and run.attempts > ticket.number:
            return _ticket(session, run)
        if run.state != RunState.RETRY_WAIT.value:
            return None
        reason = f"{run.reason.partition(NEXT_ATTEMPT)[0]}; tried again"
        fence, number = run.fence + 1, run.attempts + 1
        changes: dict[str, Any] = {
            "state": RunState.STARTING.value, "fence": fence, "attempts": number, "retry_at": None, "reason": reason,
        }  # fmt: skip
        if not ledger.swap_run(session, run.id, RunState.RETRY_WAIT, run.fence, changes):
            return None
        _log(session, run, RunState.RETRY_WAIT, fence=fence, now=now, actor=actor, reason=reason)
        session.refresh(run)
        _add_attempt(session, run)
        return _ticket(session, run)


def _find_task(
    session: Session, fields: Mapping[str, object], *, now: datetime, actor: str, defaults: Defaults
) -> tuple[Task, int]:
    """Return the task of a run and which of its versions says what is to be run, made if there is none."""
    given = {"overlap": Overlap.ALLOW.value, **fields}
    task = task_store.find_task_by_name(session, str(fields["name"]))
    if task is None:
        definition = tasks.check(
            {**given, "kind": ScheduleKind.MANUAL.value, "tags": [TAG]}, now=now, defaults=defaults
        )
        return tasks.add_definition(session, definition, now=now, actor=actor), 1
    if TAG not in task.tags:
        raise Conflict(
            f"task {task.name!r} was not made by watchbell exec, which would change it; choose another --name, or run it: "
            f"watchbell task trigger {task.name} --wait"
        )
    base = tasks.definition_of(task)
    definition = tasks.check(given, now=now, defaults=defaults, base=base)
    version = _find_version(session, task, definition)
    if version is not None:
        return task, version
    if base.schedule.kind is not ScheduleKind.MANUAL:
        raise Conflict(
            f"task {task.name!r} has a schedule by now, whose command or settings this would change; choose another --name"
        )
    changed = tasks.change_definition(session, task, definition, now=now, actor=actor)
    return changed, changed.version


def _find_version(session: Session, task: Task, definition: TaskDefinition) -> int | None:
    """Return the newest version of a task that says the same, or None."""
    wanted = definition.to_json()
    known = reversed(task_store.list_revisions(session, task.id)[-_LOOKED_AT:])
    # Versions of an earlier Watchbell do not say what it did not know.
    said = ((one.version, TaskDefinition.from_json(one.definition).to_json()) for one in known)
    return next((version for version, definition in said if definition == wanted), None)


def _make(session: Session, task: Task, version: int, key: str, *, call: str, now: datetime, actor: str) -> Run:
    reason = f"run in the foreground by {actor}"
    policies = Policies.from_json(task.policies)
    row = {
        "task_id": task.id,
        "task_name": task.name,
        "task_version": version,
        "occurrence_key": key,
        "trigger": Trigger.MANUAL.value,
        "due_at": now,
        "zone": task.zone,
        "local_time": "",
        "state": RunState.STARTING.value,
        "reason": reason,
        "requested_by": actor,
        "may_overlap": True,
        "fence": 1,
        "attempts": 1,
        "holder": call,
        "queue": policies.queue,
        "priority": policies.priority,
        "created_at": now,
    }
    made = ledger.insert_runs(session, [row])
    run = store.find_run(session, made[task.id, key])
    assert run is not None
    _log(session, run, None, fence=1, now=now, actor=actor, reason=reason)
    audit.note(session, "task.run", f"task:{task.id}", now=now, actor=actor, name=task.name)
    _add_attempt(session, run)
    return run


def _log(
    session: Session, run: Run, before: RunState | None, *, fence: int, now: datetime, actor: str, reason: str
) -> None:
    event = ledger.event_row(run.id, before, _BIRTH, at=now, actor=actor, fence=fence, reason=reason)
    ledger.add_events(session, [event])
    ledger.add_outbox(session, [outbox_row(run.id, run.task_id, run.task_name, RunState.STARTING, now, reason)])


def _add_attempt(session: Session, run: Run) -> None:
    row = {
        "run_id": run.id, "number": run.attempts, "fence": run.fence, "holder": run.holder, "folder": "", "reason": "",
    }  # fmt: skip
    ledger.add_attempts(session, [row])


def _ticket(session: Session, run: Run) -> Ticket:
    attempt = store.find_attempt(session, run.id)
    assert attempt is not None
    return Ticket(
        run_id=run.id,
        attempt_id=attempt.id,
        number=run.attempts,
        fence=run.fence,
        task_id=run.task_id,
        task_version=run.task_version,
        task_name=run.task_name,
        due_at=run.due_at,
        trigger=run.trigger,
    )
