"""What the scheduler does for the fleet: giving the orders that are due, letting waves go, ending jobs whose time is over."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from watchbell import clock
from watchbell.services import carried_moments, device_jobs, fleet_rollouts, fleet_schedules
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: How often it is looked, and how often reports are forgotten that no device sends again.
LOOK_SECONDS = 1.0
FORGET_SECONDS = 60.0
OVERLAP = timedelta(seconds=30)


class FleetWatch:
    """Looks now and then; it belongs to the thread of the loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._look_at = clock.monotonic()
        self._forget_at = self._look_at + FORGET_SECONDS
        #: Since when rollouts may have ended that nobody has looked at.
        self._looked_at: datetime | None = None

    def step(self, now: datetime) -> float:
        """Look if it is time to, and return for how long the loop may wait before the next look."""
        at = clock.monotonic()
        if at < self._look_at:
            return self._look_at - at
        self._look_at = at + LOOK_SECONDS
        given = fleet_schedules.give_due(self._db, now=now)
        ended = device_jobs.time_out(self._db, now=now)
        # It tells of its waves and stops itself, each by name.
        fleet_rollouts.move_on(self._db, now=now, ended_since=self._looked_at)
        # Times are those of several machines, which are not quite the same.
        self._looked_at = now - OVERLAP
        if given.orders or ended:
            log.info("Gave %d order(s) to devices and ended %d job(s) whose time was over", given.orders, ended)
        if at >= self._forget_at:
            self._forget_at = at + FORGET_SECONDS
            device_jobs.forget_reports(self._db, now=now)
            carried_moments.forget(self._db, now=now)
        return LOOK_SECONDS
