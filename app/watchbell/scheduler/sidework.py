"""All that the loop does beside its runs: it deletes what is old, and looks after the fleet, the engine and abandoned runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from watchbell.errors import LeaseLost
from watchbell.scheduler.abandoned import AbandonedWatch
from watchbell.scheduler.chores import PASS_SECONDS, Chores
from watchbell.scheduler.fleet_watch import FleetWatch
from watchbell.scheduler.herald import Herald
from watchbell.scheduler.leadership import Leadership

__all__ = ["PASS_SECONDS", "Sidework"]


class Sidework:
    """The chores and the fleet; ``step`` belongs to the thread of the loop, ``ask`` to any."""

    def __init__(self, chores: Chores, fleet: FleetWatch, lead: Leadership) -> None:
        self._lead = lead
        self._fleet = fleet
        self._chores = chores
        #: Set when there is a loop to be told.
        self.abandoned: AbandonedWatch | None = None
        self.herald: Herald | None = None
        #: What the chores are told: to begin as soon as there is time, and how many runs have ended.
        self.ask: Callable[[], None] = chores.ask
        self.note_ended: Callable[[int], None] = chores.note_ended

    def note_news(self) -> None:
        """Let what others have written be looked at soon: the leader looks at what has ended on any host."""
        if self._lead.has_others or (self.herald is not None and self.herald.is_used):
            self.note_ended(1)

    def step(self, now: datetime, *, busy: bool, due_at: datetime | None) -> float:
        """Do what has its time, and return for how long the loop may wait for all that matters here."""
        wait = self.abandoned.step(now) if self.abandoned is not None else math.inf
        if self.herald is not None and self._lead.leads:
            wait = min(wait, self.herald.step(now))
        try:
            # Looking after the fleet is done once, for all schedulers; of the chores only a part.
            fleet = self._fleet.step(now) if self._lead.leads else math.inf
            return min(wait, fleet, self._chores.step(now, busy=busy, due_at=due_at))
        except LeaseLost:
            self._lead.depose()
            return 0.0
