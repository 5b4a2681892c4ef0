"""All that the loop does beside its runs: it deletes what is old, and looks after the fleet and after abandoned runs."""

from __future__ import annotations

import math
from datetime import datetime

from watchbell.scheduler.abandoned import AbandonedWatch
from watchbell.scheduler.chores import PASS_SECONDS, Chores
from watchbell.scheduler.fleet_watch import FleetWatch

__all__ = ["PASS_SECONDS", "Sidework"]


class Sidework:
    """The chores and the fleet; ``step`` belongs to the thread of the loop, ``ask`` to any."""

    def __init__(self, chores: Chores, fleet: FleetWatch) -> None:
        self._fleet = fleet
        self._chores = chores
        #: Set when there is a loop to be told.
        self.abandoned: AbandonedWatch | None = None
        #: What the chores are told: to begin as soon as there is time, and how many runs have ended.
        self.ask = chores.ask
        self.note_ended = chores.note_ended

    def step(self, now: datetime, *, busy: bool, due_at: datetime | None) -> float:
        """Do what has its time, and return for how long the loop may wait for all that matters here."""
        wait = self.abandoned.step(now) if self.abandoned is not None else math.inf
        return min(wait, self._fleet.step(now), self._chores.step(now, busy=busy, due_at=due_at))
