"""Asking for a run by hand."""

from __future__ import annotations

import uuid
from datetime import datetime

from watchbell.domain.policies import Overlap, Policies
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import transitions
from watchbell.store import ledger
from watchbell.store import runs as store
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database

KEY_LIMIT = 200


def run_now(db: Database, task_id: int, *, now: datetime, actor: str, key: str | None = None) -> Run:
    """Ask for a run of a task at once and return it, queued; a disabled task may be run by hand, too.

    The same ``key`` asked for again answers with the run that it made the first time. Raises NotFound.
    """
    if key is not None and not (0 < len(key) <= KEY_LIMIT and key.isprintable()):
        raise InputError.of("key", f"must be 1 to {KEY_LIMIT} printable characters", "deploy-2026-11-22")
    occurrence_key = f"man:{key or uuid.uuid4().hex}"
    with db.write() as session:
        task = task_store.find_task(session, task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        reason = f"run by hand by {actor}"
        row = {
            "task_id": task.id,
            "task_name": task.name,
            "task_version": task.version,
            "occurrence_key": occurrence_key,
            "trigger": "manual",
            "due_at": now,
            "zone": task.zone,
            "local_time": "",
            "state": RunState.QUEUED.value,
            "reason": reason,
            "requested_by": actor,
            "may_overlap": Policies.from_json(task.policies).overlap is Overlap.ALLOW,
            "created_at": now,
        }
        made = ledger.insert_runs(session, [row])
        for run_id in made.values():
            ledger.add_events(
                session,
                [ledger.event_row(run_id, None, [RunState.QUEUED], at=now, actor=actor, fence=0, reason=reason)],
            )
            ledger.add_outbox(
                session, [transitions.outbox_row(run_id, task.id, task.name, RunState.QUEUED, now, reason)]
            )
        run = store.find_run_by_key(session, task.id, occurrence_key)
        if run is None:
            raise NotFound("the run that was just made is gone")
        return run
