"""What a person decides about a run of which nobody can know whether it ran, where its task is set to ask."""

from __future__ import annotations

from datetime import datetime

from watchbell.domain.decision import CHOICES, LEAVE, OPEN, RUN_AGAIN
from watchbell.domain.permissions import Right
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, groups, ownership, parameters, triggers
from watchbell.store import ledger
from watchbell.store import runs as store
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session

__all__ = ["CHOICES", "LEAVE", "OPEN", "RUN_AGAIN", "count_open", "decide", "find_rerun", "list_open"]


def list_open(db: Database, *, limit: int = 50) -> list[Run]:
    """Return the lost runs that wait for a decision, the newest first."""
    with db.read() as session:
        return list(store.list_undecided(session, limit))


def count_open(db: Database) -> int:
    """Return how many lost runs wait for a decision."""
    with db.read() as session:
        return store.count_undecided(session)


def find_rerun(db: Database, run: Run) -> Run | None:
    """Return the run that repeats this one by a person's decision, or None."""
    with db.read() as session:
        return store.find_run_by_key(session, run.task_id, _key(run.id)) if run.decision == RUN_AGAIN else None


def decide(db: Database, run_id: int, choice: str, *, now: datetime, actor: str) -> Run:
    """Decide about a lost run once and for all; return the new run that repeats it, or itself if it is left.

    The lost run stays what it is. Raises NotFound, InputError for an unknown choice, and Conflict if nothing, or nothing
    any more, is to be decided.
    """
    if choice not in CHOICES:
        raise InputError.of("choice", f"must be one of {', '.join(CHOICES)}", LEAVE)
    with db.write() as session:
        run = store.find_run(session, run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        ownership.require_of_run(session, Right.OPERATE, run.task_id)
        if run.decision is None:
            raise Conflict(f"nothing is to be decided about run {run_id}")
        if not store.decide(session, run_id, choice):
            words = {RUN_AGAIN: "run again", LEAVE: "left as it is"}.get(run.decision, "decided")
            raise Conflict(f"run {run_id} has been {words} already")
        session.refresh(run)
        answer = run if choice == LEAVE else _run_again(session, run, now=now, actor=actor)
        event = {
            "type": "run_decided",
            "task_id": run.task_id,
            "run_id": run.id,
            "data": {"name": run.task_name, "choice": choice, "by": actor},
            "at": now,
        }
        ledger.add_outbox(session, [event])
        said = {"choice": choice}
        audit.note(session, "run.decide", f"run:{run_id}", now=now, actor=actor, name=run.task_name, detail=said)
        return answer


def _run_again(session: Session, lost: Run, *, now: datetime, actor: str) -> Run:
    """Ask for a run for the moment that the lost one was for, by the present definition of the task."""
    if lost.state != RunState.LOST.value:
        raise Conflict(f"run {lost.id} is {lost.state}, not lost")
    task = task_store.find_task(session, lost.task_id)
    if task is None:
        raise Conflict(f"task {lost.task_name!r} has been deleted, so run {lost.id} cannot be run again")
    return triggers.ask(
        session,
        task,
        _key(lost.id),
        now=now,
        actor=actor,
        reason=f"run again by {actor}, because nobody knows how run #{lost.id} ended",
        due_at=lost.due_at,
        zone=lost.zone,
        local_time=lost.local_time,
        rerun_of=lost.id,
        **groups.follow_values(session, lost),
        given=parameters.fitting({"parameters": task.parameters}, lost.parameters),
    )


def _key(run_id: int) -> str:
    """Return the key of the run that repeats another one; there can be only one."""
    return f"again:{run_id}"
