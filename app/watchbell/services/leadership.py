"""The leader among several schedulers: taking its lease, keeping it, losing it, and writing nothing once it is lost.

What every moment of a task becomes is decided by the unique key of its run, with any number of schedulers. The lease lets one of them
do what is to be done once for all hosts. Where there is one host only, on the embedded database, it costs nothing after the start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from watchbell.errors import LeaseLost
from watchbell.services.lives import mark_of
from watchbell.services.tickets import DueTask
from watchbell.store import heartbeats as heartbeat_store
from watchbell.store import leases as store
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database, Session, is_embedded

#: So long the lease holds from the last sign of its holder, who gives one with each beat.
LEASE_SECONDS = 15.0
#: A little after it has run out, so that one look is enough.
_AFTER_SECONDS = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What a scheduler knows of the lease after a beat."""

    #: The term that it holds; None for one that stands by.
    term: int | None
    #: In how many seconds somebody who stands by should look again.
    look_in: float = math.inf
    #: Who has it, or from whom it has just been taken; empty if nobody is known.
    other: str = ""
    #: For how long that one had given no sign when it was taken from it; 0 if it was given back.
    silent_seconds: float = 0.0
    #: How many schedulers work beside the leader, as far as the leader knows.
    company: int = 0


def greet(session: Session, scheduler: Scheduler) -> Standing:
    """Return where a scheduler stands with its first beat.

    Of two schedulers of one user on one host the newest wins. That an earlier life in the same data directory is over is
    certain, since that is locked.
    """
    found = store.look(session)
    holder = _scheduler(session, found)
    if found is None or _is_free(found) or (holder is not None and _gives_way(holder, scheduler)):
        return _take(session, scheduler.incarnation, scheduler.started_at, found)
    return _stand_by(session, found)


def keep(session: Session, incarnation: str, term: int | None, *, now: datetime) -> Standing:
    """Return where a scheduler stands with a later beat: the lease is renewed, or taken if nobody holds it."""
    if is_embedded(session):
        return Standing(term)
    if term is not None and store.renew(session, incarnation, term, LEASE_SECONDS):
        since = now - timedelta(seconds=LEASE_SECONDS)
        return Standing(term, company=heartbeat_store.count_working(session, since, besides=incarnation))
    found = store.look(session)
    if found is None or _is_free(found):
        return _take(session, incarnation, now, found)
    return _stand_by(session, found)


def share(due: Sequence[DueTask], *, own: int, hands: int, turn: int) -> list[DueTask]:
    """Return what is due with all but an equal share left in the queue for the other schedulers.

    Only what may run anywhere is shared, and not the first ``own`` of that, which is started here at once. ``hands`` is how many
    schedulers there are, and ``turn`` counts up from call to call, so that single ones go round, too.
    """
    shared: list[DueTask] = []
    for task in due:
        if not task.is_anywhere:
            shared.append(task)
        elif own > 0:
            own -= 1
            shared.append(task)
        else:
            shared.append(dataclasses.replace(task, is_shared=turn % hands != 0))
            turn += 1
    return shared


def is_free(db: Database) -> bool:
    """Return whether nobody holds the lease; a look that costs one statement."""
    with db.glance() as session:
        found = store.look(session)
    return found is None or _is_free(found)


def fenced(db: Database, incarnation: str, term: Callable[[], int | None]) -> Database:
    """Return a database that the leader alone can write to: each change first makes sure that the term is still its own.

    Raises LeaseLost from there if it is not. The embedded database is returned as it is.
    """
    return db if db.is_sqlite else _Fenced(db, incarnation, term)


class _Fenced(Database):
    """A database as the leader uses it."""

    def __init__(self, database: Database, incarnation: str, term: Callable[[], int | None]) -> None:
        super().__init__(database.engine, database.box)
        self._incarnation = incarnation
        self._term = term

    @contextlib.contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Session]:
        with super().write(wait=wait) as session:
            term = self._term()
            # Within the transaction: whoever was stopped for a minute between a look and a change would not notice.
            if term is None or not store.is_held(session, self._incarnation, term):
                raise LeaseLost
            yield session


def _is_free(found: store.Held) -> bool:
    return found.left_seconds is None or found.left_seconds <= 0


def _gives_way(holder: Scheduler, newest: Scheduler) -> bool:
    is_same = holder.user == newest.user or mark_of(holder.incarnation) == mark_of(newest.incarnation)
    return holder.host == newest.host and is_same


def _take(session: Session, incarnation: str, now: datetime, found: store.Held | None) -> Standing:
    holder = _scheduler(session, found)
    left = found.left_seconds if found is not None else None
    silent = 0.0 if left is None or holder is None else max(0.0, LEASE_SECONDS - left)
    term = store.take(session, incarnation, now, LEASE_SECONDS)
    return Standing(term, other=_name(holder), silent_seconds=silent)


def _stand_by(session: Session, found: store.Held) -> Standing:
    left = found.left_seconds or 0.0
    return Standing(None, look_in=left + _AFTER_SECONDS, other=_name(_scheduler(session, found)))


def _scheduler(session: Session, found: store.Held | None) -> Scheduler | None:
    if found is None or found.holder is None:
        return None
    return heartbeat_store.find_scheduler(session, found.holder)


def _name(scheduler: Scheduler | None) -> str:
    return f"{scheduler.user}@{scheduler.host}" if scheduler is not None else ""
