"""Pausing everything, a queue or a task: nothing of it starts until somebody resumes, or until a given time.

A pause never touches a command that runs. A moment that comes while its task, or everything, is paused becomes a skipped run;
what waits already goes on waiting.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.permissions import Right
from watchbell.domain.policies import build_policies
from watchbell.domain.scopes import EVERYTHING, QUEUE, TASK, describe_pause, minute, queue_scope, task_scope
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, NotFound
from watchbell.services import audit, blackouts, ownership
from watchbell.services.tickets import Holds
from watchbell.store import ledger
from watchbell.store import pauses as store
from watchbell.store import queues as queue_store
from watchbell.store import tasks as task_store
from watchbell.store.engine import ENGINE
from watchbell.store.pauses import Pause
from watchbell.store.session import Database, Session

__all__ = [
    "EVERYTHING",
    "REASON_LIMIT",
    "describe",
    "find",
    "hold_words",
    "list_all",
    "load_holds",
    "pause",
    "queue_scope",
    "read_holds",
    "resume",
    "task_scope",
    "to_holds",
    "why_held",
]  # fmt: skip
#: How long the reason of a pause, which stands in the reason of each skipped run, may be.
REASON_LIMIT = 200

#: What ``hold_words`` and the end of a pause write into the reason of a run that waits.
_HELD = re.compile(r"(?:^|; )(?:queue \S+|the task|everything) (?:is paused by|was paused until) ")


def pause(
    db: Database, scope: str, *, now: datetime, actor: str, reason: str = "", until: datetime | None = None
) -> Pause:
    """Pause something and return the pause; pausing it again gives a new reason and end, and it has been paused since.

    Raises InputError, and NotFound for a task that does not exist.
    """
    # It becomes a clause of sentences, which have their own full stop.
    words = " ".join(reason.split()).rstrip(" ;.")
    if len(words) > REASON_LIMIT or not is_visible(words):
        raise InputError.of("reason", f"must be at most {REASON_LIMIT} printable characters", "the disk is changed")
    if until is not None and until <= now:
        raise InputError.of("until", "must be in the future", "2030-01-31 09:30")
    with db.write() as session:
        _check(session, scope)
        _require_own(session, scope)
        store.delete_over(session, now)
        earlier = store.list_in_force(session, now, scopes=[scope])
        if earlier:
            made = earlier[0]
            before = hold_words(made)
            made.until, made.by, made.reason = until, actor, words
            store.replace_words(session, before, hold_words(made), **_chosen(scope))
        else:
            made = Pause(scope=scope, since=now, until=until, by=actor, reason=words)
            store.add_pause(session, made)
            store.add_words(session, hold_words(made), **_chosen(scope))
        _tell(session, "paused", scope, now, actor)
        said = {"reason": words, "until": until.isoformat() if until is not None else None}
        audit.note(session, "pause.begin", scope, now=now, actor=actor, detail=said)
        return made


def resume(db: Database, scope: str, *, now: datetime, actor: str) -> bool:
    """End the pause of something and return whether it was paused."""
    with db.write() as session:
        _require_own(session, scope)
        found = store.list_in_force(session, now, scopes=[scope])
        for pause in found:
            over = f"{_thing(scope)} was paused until {minute(now)}"
            store.replace_words(session, hold_words(pause), over, **_chosen(scope))
            _tell(session, "resumed", scope, now, actor)
        store.delete_pause(session, scope)
        if found:
            audit.note(session, "pause.end", scope, now=now, actor=actor)
        return bool(found)


def list_all(db: Database, *, now: datetime) -> list[Pause]:
    """Return the pauses in force, the one of everything first."""
    with db.read() as session:
        return list(store.list_in_force(session, now))


def find(db: Database, scope: str, *, now: datetime) -> Pause | None:
    """Return the pause of something, or None if it is not paused."""
    with db.read() as session:
        found = store.list_in_force(session, now, scopes=[scope])
        return found[0] if found else None


def describe(found: Pause) -> str:
    """Return a pause in words, such as ``paused by ann since 2030-01-31 09:30 UTC: the disk is changed``."""
    return describe_pause(found.by, found.since, found.until, found.reason)


def hold_words(found: Pause) -> str:
    """Return why nothing of what is paused starts, as the reason of a run says it."""
    return f"{_thing(found.scope)} is {describe(found)}"


def was_held(reason: str) -> bool:
    """Return whether the reason of a run says that a pause has held it, be it over by now or not."""
    return _HELD.search(reason) is not None


def why_held(session: Session, task_id: int, queue: str, now: datetime) -> list[str]:
    """Return why a run of a task in a queue would not start now, for each pause that holds it."""
    scopes = [EVERYTHING, queue_scope(queue), task_scope(task_id)]
    return [hold_words(found) for found in store.list_in_force(session, now, scopes=scopes)]


def load_holds(db: Database, *, now: datetime) -> Holds:
    """Return what keeps runs from starting by a person's will: pauses, and the queues that have a bound."""
    with db.read() as session:
        return read_holds(session, now=now)


def read_holds(session: Session, *, now: datetime) -> Holds:
    """Return what ``load_holds`` does, within a transaction."""
    found = store.list_in_force(session, now)
    queues = queue_store.list_queues(session)
    bounded = frozenset(queue.name for queue in queues if queue.max_running is not None)
    carried = frozenset(queue.name for queue in queues if queue.carrier == ENGINE)
    return dataclasses.replace(to_holds(found, bounded), blackouts=blackouts.read(session), carried=carried)


def to_holds(found: Sequence[Pause], bounded: frozenset[str] = frozenset()) -> Holds:
    """Return the pauses as a turn of the scheduler wants them."""
    words = {item.scope: hold_words(item) for item in found}
    return Holds(
        everything=words.get(EVERYTHING, ""),
        queues={scope.removeprefix(QUEUE): told for scope, told in words.items() if scope.startswith(QUEUE)},
        tasks={int(scope.removeprefix(TASK)): told for scope, told in words.items() if scope.startswith(TASK)},
        bounded=bounded,
        until=min((item.until for item in found if item.until is not None), default=None),
    )


def _check(session: Session, scope: str) -> None:
    """Refuse a scope that names nothing; a queue needs no task yet."""
    if scope.startswith(QUEUE):
        build_policies({"queue": scope.removeprefix(QUEUE)})
    elif scope.startswith(TASK):
        number = scope.removeprefix(TASK)
        is_number = number.isascii() and number.isdigit() and number == str(int(number[:20]))
        if not is_number or task_store.find_task(session, int(number)) is None:
            raise NotFound(f"there is no task {number[:20]}")
    elif scope != EVERYTHING:
        raise InputError.of("scope", "must be everything, queue:NAME or task:NUMBER", EVERYTHING)


def _require_own(session: Session, scope: str) -> None:
    """Raise NotYours for a task that is kept from whoever asks; a queue, and everything, is nobody's own."""
    number = scope.removeprefix(TASK)
    if scope.startswith(TASK) and number.isascii() and number.isdigit():
        ownership.require_of_run(session, Right.OPERATE, int(number[:20]))


def _thing(scope: str) -> str:
    if scope.startswith(QUEUE):
        return f"queue {scope.removeprefix(QUEUE)}"
    return "the task" if scope.startswith(TASK) else EVERYTHING


def _chosen(scope: str) -> dict[str, Any]:
    """Return whose runs a pause holds, as the store chooses them."""
    if scope.startswith(QUEUE):
        return {"queue": scope.removeprefix(QUEUE)}
    return {"task_id": int(scope.removeprefix(TASK))} if scope.startswith(TASK) else {}


def _tell(session: Session, kind: str, scope: str, now: datetime, actor: str) -> None:
    number = scope.removeprefix(TASK) if scope.startswith(TASK) else ""
    event = {
        "type": kind,
        "task_id": int(number) if number.isdigit() else None,
        "run_id": None,
        "data": {"scope": scope, "by": actor},
        "at": now,
    }
    ledger.add_outbox(session, [event])
