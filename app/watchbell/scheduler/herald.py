"""The scheduler's part of the engine: it announces runs to workers, and judges what workers that are gone have left.

All that is decided is decided in the database, by the thread of the loop; a thread beside it speaks with the broker, and
whatever that does makes runs late at the worst.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from watchbell import clock
from watchbell.domain.policies import Policies
from watchbell.engine.broker import Call, place_of
from watchbell.engine.threads import Announcing
from watchbell.errors import NotFound
from watchbell.scheduler.reap import gone
from watchbell.services import engine
from watchbell.services.tickets import Turn
from watchbell.services.turns import take_turn
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: How often it is looked whether the engine has anything to do: while it carries a queue, and while it does not.
STEP_SECONDS = 0.2
IDLE_SECONDS = 1.0
#: How often leases are looked at, and how often it is told how the broker does.
_WATCH_SECONDS = 1.0
_TELL_SECONDS = 5.0
_SWEEP_SECONDS = 60.0
NO_BROKER = "no broker is set: WATCHBELL_BROKER"


class Leases:
    """Which workers live, as far as this process has seen them renew their leases, by its own steady clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def note(self, beats: dict[str, int], at: float) -> dict[str, int]:
        """Take notice of how often leases were renewed, and return those that have ended, with that number."""
        self._seen = {
            name: self._seen[name] if name in self._seen and self._seen[name][0] == count else (count, at)
            for name, count in beats.items()
        }
        return {name: count for name, (count, since) in self._seen.items() if at - since >= engine.LEASE_SECONDS}

    def living(self, at: float) -> set[str]:
        """Return the workers that have renewed their leases lately."""
        return {name for name, (_count, since) in self._seen.items() if at - since < engine.TRUST_SECONDS}


class Herald:
    """Announces runs and watches leases; ``step`` belongs to the thread of the loop."""

    def __init__(
        self, db: Database, url: str, host: str, *, policies: Callable[[int, int], Policies], actor: str, holder: str
    ) -> None:
        """``policies`` tells those of a version of a task; raises NotFound."""
        self._db = db
        self._host = host
        self._policies = policies
        self._actor = actor
        self._holder = holder
        self._announcing = Announcing(url) if url else None
        self._is_speaking = False
        self._leases = Leases()
        self._step_at = self._watch_at = self._tell_at = self._sweep_at = 0.0
        self._told: str | None = None
        self._since = clock.now()
        #: Whether the engine carries any queue.
        self.is_used = False

    def step(self, now: datetime) -> float:
        """Do what has its time, and return for how long the loop may wait; raises Unavailable."""
        at = clock.monotonic()
        if at < self._step_at:
            return self._step_at - at
        self.is_used = bool(engine.list_carried(self._db))
        if at >= self._watch_at:
            self._watch_at = at + _WATCH_SECONDS
            self._watch(now, at)
        if self.is_used:
            self._announce(now, at)
        if at >= self._sweep_at:
            if self.is_used or not self._sweep_at:
                engine.sweep(self._db)
            self._sweep_at = at + _SWEEP_SECONDS
        wait = STEP_SECONDS if self.is_used else IDLE_SECONDS
        self._step_at = at + wait
        return wait

    def _announce(self, now: datetime, at: float) -> None:
        announcing = self._announcing
        if announcing is None:
            self._tell(NO_BROKER, now, at)
            return
        if not self._is_speaking:
            announcing.start()
            self._is_speaking = True
        if announcing.trouble is None:
            return
        self._tell(announcing.trouble, now, at)
        if announcing.trouble:
            # What waits is announced when the broker is back, and then all at once and in order.
            return
        calls = engine.announce(self._db, self._leases.living(at), now=now)
        announcing.send([Call(place_of(one.queue, one.host), one.run_id, one.nonce) for one in calls])

    def _tell(self, trouble: str, now: datetime, at: float) -> None:
        """Let page and monitors know how the broker does."""
        if trouble == self._told and at < self._tell_at:
            return
        if trouble != self._told:
            self._since = now
            if trouble:
                log.warning("Runs for workers of the engine are late: %s. Nothing is lost", trouble)
            elif self._told:
                log.info("The broker of the engine answers")
        engine.tell_broker(self._db, self._host, trouble=trouble, since=self._since, now=now)
        self._told, self._tell_at = trouble, at + _TELL_SECONDS

    def _watch(self, now: datetime, at: float) -> None:
        """Look which leases have ended, and judge what those workers held."""
        beats = engine.list_leases(self._db)
        for name, count in self._leases.note(dict(beats), at).items():
            if engine.give_up(self._db, name, now=now, beats=count):
                log.warning("The lease of worker %s has ended", name)
        lost = engine.list_lost(self._db)
        if lost:
            self._judge(lost, now)

    def _judge(self, lost: list[str], now: datetime) -> None:
        results = []
        for left in engine.list_left(self._db, lost):
            try:
                policies = self._policies(left.ticket.task_id, left.ticket.task_version)
            except NotFound:
                policies = Policies()
            words = "its worker of the engine is gone: the lease has ended"
            results.append(gone(left.ticket, left.state, left.started, words, policies, now))
        if results:
            turn = Turn(now, self._holder, self._actor, room=0, results=results, claims=False, announced={})
            surprises = take_turn(self._db, turn).surprises
            log.warning("%d run(s) of workers that are gone were judged", len(results) - len(surprises))
