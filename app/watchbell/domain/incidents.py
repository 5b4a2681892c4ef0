"""What can befall a scheduler, and the stretches of time in which it could not work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum


class IncidentKind(StrEnum):
    """What has happened to a scheduler."""

    CLOCK_SET_FORWARD = "clock_set_forward"
    CLOCK_SET_BACK = "clock_set_back"
    SUSPENDED = "suspended"
    """The machine slept; its commands slept, too."""
    HELD_UP = "held_up"
    """The loop did not turn although the machine was awake: stopped by a signal, starved, or waiting for a disk."""
    DATABASE_LATE = "database_late"
    """The database did not answer for a while and answers again."""
    DATABASE_FULL = "database_full"
    """There is no room for the database; nothing is started until there is."""
    DATABASE_ROOM = "database_room"
    """There is room for the database again."""
    DATABASE_BLOATED = "database_bloated"
    """Another program has been reading for so long that the log beside the database grows."""
    DATABASE_RESTORED = "database_restored"
    """An older copy of the database has taken its place; what has run since it was made is not known."""
    LEASE_TAKEN = "lease_taken"
    """A scheduler does now what is done once for all of them, because the one that did gave no sign any more."""
    LEASE_LOST = "lease_lost"
    """A scheduler was held up for so long that another one does now what is done once for all of them."""
    KEEPER = "keeper"
    """A keeper of commands has died, or did not answer; another one has taken its place."""
    WATCHDOG = "watchdog"
    """A scheduler that did not work any more has ended itself."""
    FAILED = "failed"
    """A scheduler has ended by an error of its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of wall-clock time in which nothing could be started, and why, in words."""

    start: datetime
    end: datetime
    words: str

    def moved(self, offset: timedelta) -> Gap:
        """Return the same stretch on a clock that is off by so much."""
        return dataclasses.replace(self, start=self.start + offset, end=self.end + offset)


def explain(gaps: Iterable[Gap], moment: datetime) -> str:
    """Return why nothing could be started at a moment, empty if no gap holds it; the newest gap, listed last, wins."""
    return next((gap.words for gap in reversed(list(gaps)) if gap.start <= moment <= gap.end), "")


def span_words(seconds: float) -> str:
    """Return a length of time for a sentence, with the one unit that fits it, such as ``3 h`` or ``90 s``."""
    seconds = abs(seconds)
    for size, unit in ((31_557_600.0, "years"), (86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        count = seconds / size
        if count >= (2 if unit in {"min", "days"} else 1) - 0.01:
            return f"{count:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
