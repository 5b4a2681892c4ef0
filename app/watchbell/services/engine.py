"""The engine: announcing runs to workers, what workers tell of themselves, and what becomes of a worker that is gone."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.domain.presence import STALL_SECONDS
from watchbell.domain.run_state import RunState
from watchbell.services import pauses
from watchbell.services.adoption import ticket_of
from watchbell.services.tickets import Started, Ticket
from watchbell.store import engine as store
from watchbell.store import queues as queue_store
from watchbell.store import runs as run_store
from watchbell.store import waiting
from watchbell.store.engine import EngineBroker, EngineWorker, LiveOutput
from watchbell.store.session import Database, Session

#: So long a worker that renews nothing is believed to live, by the clock of whoever watches it; a worker trusts itself a
#: little less long.
LEASE_SECONDS = 30.0
TRUST_SECONDS = 25.0
#: An announcement that nobody has claimed is made again after this, and after twice as long each further time.
AGAIN_SECONDS = 10.0
MOST_AGAIN_SECONDS = 300.0
#: So many runs may be announced at a time for each seat of the workers, and beyond.
_PER_SEAT = 2
_AHEAD = 16
_LOOKED_AT = 500
_KEPT = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Announced:
    """A run to be announced, in which queue, and to the workers of one host only if that is named."""

    run_id: int
    nonce: str
    queue: str
    host: str


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """A run that a worker has left in flight."""

    ticket: Ticket
    state: RunState
    started: Started | None


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """The engine at one moment."""

    #: The queues that it carries; it is in use if there are any.
    queues: Sequence[str]
    workers: Sequence[EngineWorker]
    #: What is wrong with the broker, as the scheduler that asked last sees it; empty if nothing is.
    trouble: str
    since: datetime | None
    #: The carried queues that no living worker serves, and those of them in which runs wait.
    unserved: Sequence[str]
    stuck: Sequence[str]

    @property
    def is_used(self) -> bool:
        """Return whether anything is to be carried by it."""
        return bool(self.queues)


def is_alive(worker: EngineWorker, now: datetime) -> bool:
    """Return whether a worker tells of itself, as far as a page can know."""
    is_over = worker.stopped_at is not None or worker.lost_at is not None
    return not is_over and (now - worker.beat_at).total_seconds() <= STALL_SECONDS


def state_of(worker: EngineWorker, now: datetime) -> str:
    """Return one word about a worker: working, stopping, stopped, silent or gone."""
    if worker.stopped_at is not None:
        return "stopped"
    if worker.lost_at is not None:
        return "gone"
    if not is_alive(worker, now):
        return "silent"
    return "stopping" if worker.stopping_at is not None else "working"


def sentences(picture: Picture) -> list[str]:
    """Return what is wrong with the engine, each in a sentence; nothing while it carries no queue."""
    if not picture.is_used:
        return []
    told: list[str] = []
    if picture.trouble:
        told.append(f"Runs of the engine's queues are late: {picture.trouble}.")
    if picture.stuck:
        told.append(f"Runs wait for a worker of the engine, and none serves: {', '.join(picture.stuck)}.")
    return told


def find_trouble(db: Database, *, now: datetime) -> list[str] | None:
    """Return what ``sentences`` does of this moment, None while the engine carries nothing, which costs one query."""
    return sentences(look(db, now=now)) if list_carried(db) else None


def look(db: Database, *, now: datetime) -> Picture:
    """Return how the engine does."""
    with db.read() as session:
        queues = sorted(store.list_carried_queues(session))
        workers = list(store.list_workers(session))
        brokers = store.list_brokers(session) if queues else []
        waiting_in = queue_store.count_waiting(session) if queues else {}
    living = [worker for worker in workers if is_alive(worker, now)]
    fresh = next((one for one in brokers if (now - one.told_at).total_seconds() <= STALL_SECONDS), None)
    served = {name for worker in living if worker.stopping_at is None for name in worker.queues}
    unserved = [name for name in queues if name not in served]
    return Picture(
        queues=queues,
        workers=workers,
        trouble=fresh.trouble if fresh is not None else "",
        since=fresh.since if fresh is not None and fresh.trouble else None,
        unserved=unserved,
        stuck=[name for name in unserved if waiting_in.get(name)],
    )


def begin(db: Database, worker: EngineWorker) -> None:
    """Store the first beat of a worker, and forget those that have been over for long."""
    with db.write() as session:
        store.delete_workers(session, worker.started_at - _KEPT)
        session.add(worker)
        session.flush()


def renew(db: Database, incarnation: str, *, now: datetime, running: int, trouble: str = "") -> bool:
    """Renew the lease of a worker; return whether it was still held: otherwise its runs are somebody else's to judge."""
    with db.write() as session:
        return store.renew(session, incarnation, now=now, running=running, trouble=trouble)


def end(db: Database, incarnation: str, *, now: datetime, running: int, is_over: bool) -> None:
    """Store that a worker takes no more runs and, with ``is_over``, that it has ended."""
    with db.write() as session:
        worker = store.find_worker(session, incarnation)
        if worker is None:
            return
        worker.stopping_at = worker.stopping_at or now
        worker.running = running
        if is_over:
            worker.stopped_at = worker.beat_at = now


def list_leases(db: Database) -> Mapping[str, int]:
    """Return how often each worker whose lease is to be watched has renewed it."""
    with db.read() as session:
        return {worker.incarnation: worker.beats for worker in store.list_open_workers(session)}


def list_carried(db: Database) -> frozenset[str]:
    """Return the queues whose runs the engine carries."""
    with db.read() as session:
        return store.list_carried_queues(session)


def give_up(db: Database, incarnation: str, *, now: datetime, beats: int) -> bool:
    """Note that the lease of a worker has ended; return whether it has, and was not renewed after all."""
    with db.write() as session:
        worker = store.find_worker(session, incarnation)
        if worker is None or worker.beats != beats or worker.lost_at is not None:
            return False
        worker.lost_at = now
    return True


def list_lost(db: Database) -> list[str]:
    """Return the workers whose lease has ended and whose runs nobody has judged yet."""
    with db.read() as session:
        return [worker.incarnation for worker in store.list_workers(session) if _holds(session, worker)]


def _holds(session: Session, worker: EngineWorker) -> bool:
    return worker.lost_at is not None and bool(store.list_held(session, worker.incarnation))


def list_left(db: Database, incarnations: Collection[str]) -> list[Left]:
    """Return the runs in flight that some workers hold."""
    found: list[Left] = []
    with db.read() as session:
        for run in (run for name in incarnations for run in store.list_held(session, name)):
            attempt = run_store.find_attempt(session, run.id)
            if attempt is None:
                continue
            ticket = ticket_of(run, attempt)
            started = None
            if attempt.started_at is not None and attempt.boot_id is not None:
                started = Started(
                    ticket, attempt.folder, attempt.pid, attempt.start_ticks, attempt.boot_id, attempt.started_at
                )
            found.append(Left(ticket, RunState(run.state), started))
    return found


def list_tickets(db: Database, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], Ticket]:
    """Return the tickets of attempts that were ended, named by run and number; others, and unknown ones, are left out."""
    found: dict[tuple[int, int], Ticket] = {}
    with db.read() as session:
        for run_id, number in keys:
            run, attempt = run_store.find_run(session, run_id), run_store.find_attempt(session, run_id, number)
            if run is not None and attempt is not None and attempt.ended_at is not None:
                # By its own fence, so that it is taken for none of a later attempt.
                found[run_id, number] = ticket_of(run, attempt)._replace(fence=attempt.fence)
    return found


def sweep(db: Database) -> None:
    """Delete what nobody needs any more of announcements and of what commands were writing."""
    with db.write() as session:
        store.sweep(session)


def put_live(db: Database, rows: Sequence[LiveOutput]) -> None:
    """Store what commands of a worker are writing."""
    with db.write() as session:
        store.put_live(session, rows)


def tell_broker(db: Database, host: str, *, trouble: str, since: datetime, now: datetime) -> None:
    """Store how the broker answers the scheduler of a host."""
    with db.write() as session:
        store.put_broker(session, EngineBroker(host=host, trouble=trouble, since=since, told_at=now))


def announce(db: Database, living: Collection[str], *, now: datetime) -> list[Announced]:
    """Note which runs are announced now, for the first time or once more, and return them; to be told once this is stored.

    ``living`` are the workers that are known to live. No more is announced than they could take soon, so that runs keep
    their order, and nothing of a queue that none of them serves.
    """
    with db.read() as session:
        crew = [worker for worker in store.list_open_workers(session) if worker.incarnation in living]
        crew = [worker for worker in crew if worker.stopping_at is None and worker.stopped_at is None]
        fresh, again = _choose(session, crew, now)
    if not fresh and not again:
        return []
    with db.write() as session:
        known = store.nonces(session, [one.run_id for one in fresh])
        made = [one for one in fresh if one.run_id not in known]
        session.add_all(store.Announcement(run_id=one.run_id, nonce=one.nonce, announced_at=now) for one in made)
        if again:
            store.note_announced(session, [one.run_id for one in again], now)
    return made + again


def _choose(session: Session, crew: Sequence[EngineWorker], now: datetime) -> tuple[list[Announced], list[Announced]]:
    """Return what is to be announced for the first time, and what again."""
    carried = store.list_carried_queues(session)
    seats = {name: sum(w.max_running for w in crew if name in w.queues) for name in carried}
    served = frozenset(name for name, count in seats.items() if count)
    holds = pauses.read_holds(session, now=now)
    if not served or holds.everything:
        return [], []
    told = store.count_announced(session, served)
    room = {name: _PER_SEAT * seats[name] + _AHEAD - told.get(name, 0) for name in served}
    bounds = {queue.name: queue.max_running for queue in queue_store.list_queues(session)}
    in_flight = queue_store.count_in_flight(session, sorted(served))
    for name in served:
        most = bounds.get(name)
        if most is not None:
            # What finds the queue full is told of in vain.
            room[name] = min(room[name], most - in_flight.get(name, 0) - told.get(name, 0))
    rows = waiting.list_startable(
        session,
        _LOOKED_AT + sum(told.values()),
        now=now,
        without_queues=frozenset(holds.queues),
        without_tasks=frozenset(holds.tasks),
        only_queues=served,
    )
    known = store.find_announcements(session, [row.id for row in rows])
    hosts = store.hosts_of(session, {row.task_id for row in rows})
    fresh: list[Announced] = []
    again: list[Announced] = []
    for row in rows:
        host, before = hosts.get(row.task_id, ""), known.get(row.id)
        if not any(row.queue in w.queues and host.lower() in {"", w.host.lower()} for w in crew):
            continue
        if before is not None:
            if _is_due_again(before, now):
                again.append(Announced(row.id, before.nonce, row.queue, host))
        elif room[row.queue] > 0:
            room[row.queue] -= 1
            fresh.append(Announced(row.id, secrets.token_hex(16), row.queue, host))
    return fresh, again


def _is_due_again(before: store.Announcement, now: datetime) -> bool:
    waited = (now - before.announced_at).total_seconds()
    # A clock that was set back must not make anybody wait.
    return waited < 0 or waited >= min(AGAIN_SECONDS * 2.0 ** min(before.times - 1, 10), MOST_AGAIN_SECONDS)
