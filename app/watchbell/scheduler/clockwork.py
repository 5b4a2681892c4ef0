"""APScheduler as the clock: one entry whose trigger answers the next moment of all tasks, and housekeeping beside it.

The only file that knows APScheduler. It keeps nothing: no job store on disk, no grace time, no coalescing. When it
rings, the loop asks the plan what is due; should it ever fail to ring, the loop looks by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

#: Where no task has a next moment; far enough to be never.
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class PlanTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the one moment that was last set, once for each setting."""

    def __init__(self) -> None:
        self.moment = _NEVER

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the moment, or never once it has rung: the loop sets the next one when it has turned."""
        return self.moment if previous_fire_time is None or self.moment > previous_fire_time else _NEVER


class _Every(BaseTrigger):  # type: ignore[misc]
    """Fires again and again. The library's own trigger would list every moment of a year that a jump of the clock passes."""

    def __init__(self, seconds: float) -> None:
        self._step = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next moment of the rhythm, or one step from now when that has passed already."""
        planned = (previous_fire_time or now) + self._step
        return planned if planned > now else now + self._step


class Clockwork:
    """A clock that calls ``ring`` in its own thread when the moment that was set has come; ``ring`` returns at once."""

    def __init__(self, ring: Callable[[], None]) -> None:
        # Its own lines tell of entries and threads, which mean nothing to the reader of our log.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._trigger = PlanTrigger()
        self._scheduler = BackgroundScheduler(timezone=UTC, daemon=True)
        # The debug executor calls in the clock's thread, which is all that a ring needs.
        self._scheduler.add_executor(DebugExecutor(), "default")
        self._job = self._scheduler.add_job(ring, self._trigger, id="plan", misfire_grace_time=None, coalesce=True)

    def every(self, seconds: float, call: Callable[[], None], name: str) -> None:
        """Call something again and again, in the clock's thread: it must return at once."""
        self._scheduler.add_job(call, _Every(seconds), id=name, misfire_grace_time=None, coalesce=True)

    def is_alive(self) -> bool:
        """Return whether the clock's thread lives."""
        thread: threading.Thread | None = self._scheduler._thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Let the clock run, in a thread of its own."""
        self._scheduler.start()

    def set(self, moment: datetime | None) -> None:
        """Ring at that moment, or never; what was set before is forgotten."""
        if (moment or _NEVER) != self._trigger.moment:
            self._trigger.moment = moment or _NEVER
            self._job.modify(next_run_time=self._trigger.moment)

    def stop(self) -> None:
        """Stop the clock; nothing rings any more."""
        self._scheduler.shutdown(wait=False)
