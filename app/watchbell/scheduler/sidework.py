"""All that the loop does beside its runs: it deletes what is old, and looks after the fleet."""

from __future__ import annotations

from datetime import datetime

from watchbell.scheduler.chores import PASS_SECONDS, Chores
from watchbell.scheduler.fleet_watch import FleetWatch

__all__ = ["PASS_SECONDS", "Sidework"]


class Sidework:
    """The chores and the fleet; ``step`` belongs to the thread of the loop, ``ask`` to any."""

    def __init__(self, chores: Chores, fleet: FleetWatch) -> None:
        self._fleet = fleet
        self._chores = chores
        #: What the chores are told: to begin as soon as there is time, and how many runs have ended.
        self.ask = chores.ask
        self.note_ended = chores.note_ended

    def step(self, now: datetime, *, busy: bool, due_at: datetime | None) -> float:
        """Do what has its time, and return for how long the loop may wait for all that matters here."""
        return min(self._fleet.step(now), self._chores.step(now, busy=busy, due_at=due_at))
