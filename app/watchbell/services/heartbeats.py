"""Schedulers as they tell of themselves: a row for each life, beats while it lasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain.presence import Presence, Tier, presence
from watchbell.domain.run_state import IN_FLIGHT
from watchbell.services import leadership
from watchbell.services.leadership import Standing
from watchbell.store import heartbeats as store
from watchbell.store import leases, ledger
from watchbell.store import runs as runs_store
from watchbell.store.heartbeats import Heartbeat, Scheduler
from watchbell.store.leases import Lease
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session

#: Of so many runs that go on is looked whose they are.
RUNS_MOST = 500


def begin(db: Database, scheduler: Scheduler) -> Standing:
    """Store a scheduler's first heartbeat and return where it stands with the lease of the leader."""
    with db.write() as session:
        session.add(scheduler)
        session.flush()
        session.add(Heartbeat(incarnation=scheduler.incarnation, at=scheduler.started_at, running=0))
        _tell(session, "scheduler_started", scheduler, scheduler.started_at)
        return leadership.greet(session, scheduler)


def beat(
    db: Database,
    incarnation: str,
    *,
    now: datetime,
    running: int,
    keep: bool,
    load: float | None = None,
    term: int | None = None,
) -> Standing:
    """Store that a scheduler's loop has turned; ``keep`` also appends a row to the history of beats.

    ``term`` is that of the lease if the scheduler holds it. Returns where it stands with it now.
    """
    with db.write() as session:
        scheduler = store.find_scheduler(session, incarnation)
        if scheduler is not None:
            scheduler.beat_at = now
            scheduler.running = running
            scheduler.load = load
        if keep:
            session.add(Heartbeat(incarnation=incarnation, at=now, running=running))
        return leadership.keep(session, incarnation, term, now=now) if scheduler is not None else Standing(term)


def begin_stop(db: Database, incarnation: str, *, now: datetime, reason: str) -> None:
    """Store that a scheduler has been asked to stop and starts nothing more; who asked first is the reason."""
    with db.write() as session:
        scheduler = store.find_scheduler(session, incarnation)
        if scheduler is not None and scheduler.stopping_at is None:
            scheduler.stopping_at = now
            scheduler.stop_reason = reason
            # It does nothing more for the others, so that one of them need not wait.
            leases.release(session, incarnation)
            _tell(session, "scheduler_stopping", scheduler, now, reason=reason)


def end(db: Database, incarnation: str, *, now: datetime, running: int) -> None:
    """Store that a scheduler has ended in good order."""
    with db.write() as session:
        scheduler = store.find_scheduler(session, incarnation)
        if scheduler is not None:
            scheduler.beat_at = scheduler.stopped_at = now
            scheduler.running = running
            leases.release(session, incarnation)
            _tell(session, "scheduler_stopped", scheduler, now)


def newest(db: Database, host: str | None = None) -> Scheduler | None:
    """Return the scheduler that was started last, or None if there never was one."""
    with db.read() as session:
        return store.find_newest(session, host)


def find(db: Database, incarnation: str) -> Scheduler | None:
    """Return one life of a scheduler, or None."""
    with db.read() as session:
        return store.find_scheduler(session, incarnation)


def find_all(db: Database, incarnations: Collection[str]) -> Mapping[str, Scheduler]:
    """Return lives of schedulers by their incarnations; unknown ones are left out."""
    with db.read() as session:
        return {found.incarnation: found for found in store.list_schedulers(session, incarnations)}


@dataclasses.dataclass(frozen=True, slots=True)
class Life:
    """One card of the heartbeats page: a user at a host in an environment, by its newest scheduler."""

    scheduler: Scheduler
    presence: Presence
    #: Whether it does what is done once for all schedulers.
    leads: bool
    #: Beats of the last day of all its lives, oldest first.
    beats: Sequence[Heartbeat]
    #: What it runs, the first due first, a few of many.
    runs: Sequence[Run] = ()


_TOLD = ("incarnation", "user", "host", "environment", "session_id", "version", "pid", "running", "started_at", "beat_at",
         "stopped_at")  # fmt: skip


def told(life: Life) -> dict[str, Any]:
    """Return a life as programs read it."""
    values = {name: getattr(life.scheduler, name) for name in _TOLD}
    return {
        **values,
        "load_average": life.scheduler.load,
        "leads": life.leads,
        "tier": life.presence.tier,
        "words": life.presence.words,
    }


def list_lives(db: Database, *, now: datetime) -> list[Life]:
    """Return one life for each user, host and environment, the one that beat last first."""
    with db.read() as session:
        running = runs_store.list_in_state(session, IN_FLIGHT, limit=RUNS_MOST)
        lease = leases.find_lease(session)
        groups: dict[tuple[str, str, str], list[Scheduler]] = {}
        for scheduler in store.list_newest(session, limit=200):
            groups.setdefault((scheduler.user, scheduler.host, scheduler.environment), []).append(scheduler)
        return [
            Life(
                scheduler=lives[0],
                presence=presence(lives[0].beat_at, now),
                leads=_leads(lives[0], lease, now),
                beats=store.list_beats(session, [life.incarnation for life in lives], now - timedelta(hours=24)),
                runs=[run for run in running if run.holder == lives[0].incarnation],
            )
            for lives in groups.values()
        ]


def _leads(scheduler: Scheduler, lease: Lease | None, now: datetime) -> bool:
    """Return whether a scheduler is the leader, as far as can be told by those who only read."""
    if lease is None or lease.holder != scheduler.incarnation:
        return False
    # Without an end of its own the lease is over with whoever holds it.
    return lease.until > now if lease.until is not None else presence(scheduler.beat_at, now).tier is Tier.ACTIVE


def _tell(session: Session, kind: str, scheduler: Scheduler, now: datetime, **more: str) -> None:
    data = {"host": scheduler.host, "pid": scheduler.pid, **more}
    ledger.add_outbox(session, [{"type": kind, "task_id": None, "run_id": None, "data": data, "at": now}])
