"""What the loop knows, from turn to turn, of the runs that wait: whether any may start, what holds them, when their time comes.

It saves the questions: as long as nobody has changed anything and nothing has ended, none of them is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import deadlines, pauses
from watchbell.services.following import Follower
from watchbell.services.tickets import NO_HOLDS, Holds, Turn, Turned
from watchbell.store.session import Database

#: How often the times of what waits are read anew after others have written; what this scheduler makes wait it knows.
REFRESH_SECONDS = 5.0
#: The least time between two turns that look for runs whose time has come.
STEP_SECONDS = 0.2
#: So long what was left to schedulers on other hosts is not looked at, so that they come first; what they leave is taken then.
SHARED_SECONDS = 0.5


class Gate:
    """Decides what a turn is asked about the runs that wait."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._follower = Follower()
        self.holds: Holds = NO_HOLDS
        #: Whether any run may wait in the queue, and whether something has happened since that could let it start.
        self._is_any = True
        self._is_worth_a_look = True
        self._moment: datetime | None = None
        self._is_stale = True
        self._leave_until = 0.0
        self._refreshed_at = self._passed_at = float("-inf")

    def look(self, now: datetime, *, has_news: bool) -> bool:
        """Take notice of what others have changed, and of a pause that has ended by itself; raises Unavailable.

        Returns whether pauses or the bounds of queues are others than before.
        """
        before = self.holds
        if has_news or (self.holds.until is not None and self.holds.until <= now):
            self.holds = pauses.load_holds(self._db, now=now)
            self._follower.look(self._db)
            self._is_any = self._is_worth_a_look = self._is_stale = True
        if self._is_stale and clock.monotonic() - self._refreshed_at >= REFRESH_SECONDS:
            self._moment = deadlines.next_moment(self._db)
            self._refreshed_at, self._is_stale = clock.monotonic(), False
        return self.holds != before

    def why_changed(self) -> str:
        """Return why runs that had not been started yet wait again after such a change."""
        return self.holds.everything or "a pause or the bound of a queue was changed before it was started"

    def should_claim(self, room: int, *, has_results: bool) -> bool:
        """Return whether a turn should look at the queue; what ends in the same turn may be what others wait for."""
        if clock.monotonic() < self._leave_until:
            return False
        is_worth = self._is_worth_a_look or has_results
        return self._is_any and is_worth and room > 0 and not self.holds.everything

    def should_follow(self, *, has_results: bool) -> bool:
        """Return whether a turn is to be taken because runs have ended after which others run."""
        return self._follower.should_follow(has_results=has_results)

    def follower(self) -> Follower | None:
        """Return who follows ends in a turn; None while no task runs after another one."""
        return self._follower if self._follower.has_links else None

    def is_time(self, now: datetime) -> bool:
        """Return whether the time of a waiting run has come."""
        if self._moment is None or self._moment > now:
            return False
        return clock.monotonic() - self._passed_at >= STEP_SECONDS

    def take_announced(self, most: int) -> Mapping[int, str] | None:
        """Return the announcements that a turn looks at; None for a scheduler, which needs none."""
        return None

    def settle(self, turn: Turn, turned: Turned) -> None:
        """Take over what a turn has found out."""
        self._follower.settle(is_behind=turned.is_behind)
        requeued = any(result.path[-1] is RunState.QUEUED for result in turn.results)
        if turn.claims:
            self._is_any, self._is_worth_a_look = turned.has_backlog, turned.has_more
        else:
            # What is held up or finds no room can start only when something ends.
            self._is_any = self._is_any or turned.has_backlog or requeued
            self._is_worth_a_look = self._is_worth_a_look or turned.has_more or bool(turn.results)
        if any(task.is_shared for task in turn.due):
            self._is_any = self._is_worth_a_look = True
            if clock.monotonic() >= self._leave_until:
                self._leave_until = clock.monotonic() + SHARED_SECONDS
        if turn.is_time:
            self._moment, self._passed_at = turned.next_moment, clock.monotonic()
        elif turned.next_moment is not None:
            self._moment = min(self._moment or turned.next_moment, turned.next_moment)
