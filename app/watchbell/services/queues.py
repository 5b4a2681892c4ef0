"""Queues: what waits in each, how many of its runs may be in flight, and changing that."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from watchbell.domain.policies import build_policies
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, NotFound, Problem, VersionConflict
from watchbell.services import audit
from watchbell.services.pauses import queue_scope
from watchbell.store import ledger
from watchbell.store import pauses as pause_store
from watchbell.store import queues as store
from watchbell.store.engine import ENGINE, SCHEDULER
from watchbell.store.pauses import Pause
from watchbell.store.queues import Queue
from watchbell.store.session import Database, Session

#: More of one queue than this cannot be in flight on any machine that this was made for.
MAX_RUNNING_LIMIT = 100_000
COMMENT_LIMIT = 500
#: What may carry the runs of a queue.
CARRIERS = (SCHEDULER, ENGINE)


@dataclasses.dataclass(frozen=True, slots=True)
class QueueView:
    """One queue as a person sees it."""

    name: str
    #: How many of its runs may be in flight at a time; None for no bound of its own.
    max_running: int | None
    comment: str
    pause: Pause | None
    #: Runs that wait, for their turn or for another attempt.
    queued: int
    in_flight: int
    #: How many tasks put their runs into it.
    tasks: int
    #: Another number after every change of bound or comment; 0 while it has neither.
    version: int = 0
    #: What carries its runs: scheduler or engine.
    carrier: str = SCHEDULER


def version_of(queue: Queue | None) -> int:
    """Return the version of a queue, None for one without bound and comment."""
    return int(queue.updated_at.timestamp() * 1_000_000) if queue is not None else 0


def get(db: Database, name: str, *, now: datetime) -> QueueView:
    """Return a queue; raises NotFound for one that nobody has ever named."""
    found = next((queue for queue in list_all(db, now=now) if queue.name == name), None)
    if found is None:
        raise NotFound(f"there is no queue {name[:50]!r}")
    return found


def list_all(db: Database, *, now: datetime) -> list[QueueView]:
    """Return all queues by name, also those that only tasks or waiting runs name."""
    with db.read() as session:
        rows = {queue.name: queue for queue in store.list_queues(session)}
        paused = {pause.scope: pause for pause in pause_store.list_in_force(session, now)}
        queued, in_flight = store.count_waiting(session), store.count_in_flight(session)
        tasks = store.count_tasks(session)
    prefix = queue_scope("")
    named = {scope.removeprefix(prefix) for scope in paused if scope.startswith(prefix)}
    return [
        QueueView(
            name=name,
            max_running=rows[name].max_running if name in rows else None,
            comment=rows[name].comment if name in rows else "",
            pause=paused.get(queue_scope(name)),
            queued=queued.get(name, 0),
            in_flight=in_flight.get(name, 0),
            tasks=tasks.get(name, 0),
            version=version_of(rows.get(name)),
            carrier=rows[name].carrier if name in rows else SCHEDULER,
        )
        for name in sorted({"default", *rows, *named, *queued, *in_flight, *tasks})
    ]


def set_bounds(
    db: Database,
    name: str,
    *,
    max_running: int | None,
    comment: str = "",
    now: datetime,
    actor: str,
    expected_version: int | None = None,
    carrier: str | None = None,
) -> None:
    """Say how many runs of a queue may be in flight at a time, None for any number, and what carries them.

    A lower bound ends nothing that runs; it only keeps further runs waiting. With None as ``carrier`` that stays as it is.
    Raises InputError, and VersionConflict if ``expected_version`` is given and the queue has another one.
    """
    check_bounds(name, max_running=max_running, comment=comment, carrier=carrier)
    with db.write() as session:
        _require_version(store.find_queue(session, name), expected_version)
        put_bounds(session, name, max_running=max_running, comment=comment, now=now, actor=actor, carrier=carrier)


def check_bounds(name: str, *, max_running: int | None, comment: str, carrier: str | None = None) -> None:
    """Raise InputError for what cannot be said of a queue."""
    problems: list[Problem] = []
    try:
        build_policies({"queue": name})
    except InputError as error:
        problems += [dataclasses.replace(problem, field="name") for problem in error.problems]
    if max_running is not None and not 1 <= max_running <= MAX_RUNNING_LIMIT:
        problems.append(Problem("max_running", f"must be between 1 and {MAX_RUNNING_LIMIT}, or nothing", "2"))
    words = comment.strip()
    if len(words) > COMMENT_LIMIT or not is_visible(words):
        problems.append(Problem("comment", f"must be at most {COMMENT_LIMIT} printable characters"))
    if carrier not in {None, *CARRIERS}:
        problems.append(Problem("carrier", f"must be one of: {', '.join(CARRIERS)}", ENGINE))
    if problems:
        raise InputError(*problems)


def put_bounds(
    session: Session,
    name: str,
    *,
    max_running: int | None,
    comment: str,
    now: datetime,
    actor: str,
    carrier: str | None = None,
) -> None:
    """Store what was checked of a queue, within a transaction."""
    before = store.find_queue(session, name)
    carrier = carrier or (before.carrier if before is not None else SCHEDULER)
    queue = Queue(
        name=name, max_running=max_running, comment=comment.strip(), updated_at=now, updated_by=actor, carrier=carrier
    )
    store.put_queue(session, queue)
    _tell(session, "queue_updated", name, now, actor)
    said = {"max_running": max_running, "comment": queue.comment, "carrier": carrier}
    audit.note(session, "queue.change", f"queue:{name}", now=now, actor=actor, name=name, detail=said)


def remove(db: Database, name: str, *, now: datetime, actor: str, expected_version: int | None = None) -> None:
    """Take the bound and the comment from a queue; its runs and tasks keep it.

    Raises NotFound if it has neither, and VersionConflict if ``expected_version`` is given and it has another one.
    """
    with db.write() as session:
        queue = store.find_queue(session, name)
        if queue is None:
            raise NotFound(f"queue {name[:50]!r} has no bound and no comment")
        _require_version(queue, expected_version)
        store.delete_queue(session, queue)
        _tell(session, "queue_removed", name, now, actor)
        audit.note(session, "queue.remove", f"queue:{name}", now=now, actor=actor, name=name)


def _require_version(queue: Queue | None, expected: int | None) -> None:
    if expected is not None and version_of(queue) != expected:
        who = (queue.updated_by if queue is not None else "") or "somebody"
        raise VersionConflict(f"{who} has changed this queue meanwhile; look at it and change it again")


def _tell(session: Session, kind: str, name: str, now: datetime, actor: str) -> None:
    event = {"type": kind, "task_id": None, "run_id": None, "data": {"name": name, "by": actor}, "at": now}
    ledger.add_outbox(session, [event])
