"""Runs whose call of ``watchbell exec`` was killed: their commands go on under a keeper, and somebody has to note the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from watchbell import clock
from watchbell.config import Config
from watchbell.control import calls
from watchbell.execution import Bundles, Watcher
from watchbell.scheduler.flights import Flights
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.recovery import take_up
from watchbell.services import adoption
from watchbell.services.tickets import Result
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: How often a scheduler looks for some.
LOOK_SECONDS = 5.0


def take_abandoned(
    db: Database,
    config: Config,
    *,
    holder: str,
    actor: str,
    bundles: Bundles,
    watcher: Watcher,
    launcher: Launcher,
    flights: Flights,
) -> list[Result]:
    """Watch what calls that are gone have left, and return the results of what cannot be watched any more."""
    if all(calls.is_alive(config, call) for call in adoption.list_calls(db)):
        return []
    orphans = adoption.take_over(
        db,
        holder=holder,
        host=config.hostname,
        now=clock.now(),
        actor=actor,
        owns_database=config.owns_database,
        is_alive=lambda call: calls.is_alive(config, call),
        calls_only=True,
    )
    if orphans:
        log.info("Took over %d run(s) whose foreground call is gone", len(orphans))
    return take_up(orphans, bundles=bundles, watcher=watcher, launcher=launcher, flights=flights, now=clock.now())


class AbandonedWatch:
    """A scheduler's look for such runs, now and then; it belongs to the thread of the loop."""

    def __init__(self, take: Callable[[], Sequence[Result]], add: Callable[[Sequence[Result]], None]) -> None:
        """``take`` takes over what there is, and ``add`` is told the results that are known at once."""
        self._take = take
        self._add = add
        self._look_at = clock.monotonic() + LOOK_SECONDS

    def step(self, _now: datetime) -> float:
        """Look if it is time to, and return for how long the loop may wait before the next look; raises Unavailable."""
        at = clock.monotonic()
        if at < self._look_at:
            return self._look_at - at
        self._look_at = at + LOOK_SECONDS
        self._add(self._take())
        return LOOK_SECONDS
