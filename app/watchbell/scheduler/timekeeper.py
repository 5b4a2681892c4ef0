"""Watching the clocks: whether somebody has set the time, whether the machine has slept, whether the loop was held up.

Three clocks tell these apart. The wall clock is what people read, and what anybody may set. The monotonic clock cannot be set
and stands still while the machine sleeps; the boot-time clock cannot be set and runs on. A look costs a microsecond.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchbell import clock
from watchbell.domain.catch_up import Verdict
from watchbell.domain.incidents import Gap, IncidentKind, span_words
from watchbell.services.clock_changes import Pass, named

log = logging.getLogger(__name__)

#: Less than this is the clock being steered, which happens all the time.
JUMP_SECONDS = 2.0
SUSPEND_SECONDS = 2.0
#: The loop looks ten times a second; between two looks that are so far apart it was not left to run.
HELD_UP_SECONDS = 5.0
_GAPS_KEPT = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """The three clocks at one moment."""

    wall: datetime
    monotonic: float
    boot: float


@dataclasses.dataclass(frozen=True, slots=True)
class Happening:
    """Something to be written down."""

    kind: IncidentKind
    message: str
    at: datetime
    data: dict[str, Any]


def read_clocks() -> Reading:
    """Return what the clocks show now."""
    return Reading(clock.now(), clock.monotonic(), clock.boot_time())


class Timekeeper:
    """Compares the clocks with what they showed at the last look."""

    def __init__(self, zone: str, read: Callable[[], Reading] = read_clocks) -> None:
        self._zone = ZoneInfo(zone)
        self._read = read
        self._last = read()
        #: Since when this scheduler works, on the wall clock as it is set now.
        self.up_since = self._last.wall
        #: Stretches of time in which nothing could be started, the newest last.
        self.gaps: deque[Gap] = deque(maxlen=_GAPS_KEPT)
        #: Stretches of time of which it is not known what was run in them, because a copy of the database was restored.
        self.unknown: Sequence[Gap] = ()
        #: Times that come once more because the clock was set back, the newest first.
        self.passes: list[Pass] = []

    def look(self) -> list[Happening]:
        """Look at the clocks and return what has happened since the last look; as a rule nothing."""
        before, now = self._last, self._read()
        self._last = now
        awake = now.monotonic - before.monotonic
        real = now.boot - before.boot
        jump = (now.wall - before.wall).total_seconds() - real
        slept = real - awake
        if awake <= HELD_UP_SECONDS and slept < SUSPEND_SECONDS and abs(jump) < JUMP_SECONDS:
            return []
        return self._explain(before, now, awake, slept, jump)

    def note_gap(self, start: datetime, words: str) -> None:
        """Remember that from a time until now nothing could be started for a reason that the clocks do not show."""
        self.gaps.append(Gap(start, max(start, self._last.wall), words))

    def name_passes(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Return verdicts whose occurrences have the keys of the pass that they belong to."""
        return [
            dataclasses.replace(
                verdict,
                occurrence=named(self.passes, verdict.occurrence),
                first=named(self.passes, verdict.first) if verdict.first else None,
            )
            for verdict in verdicts
        ]

    def _explain(self, before: Reading, now: Reading, awake: float, slept: float, jump: float) -> list[Happening]:
        found: list[Happening] = []
        words: list[str] = []
        # What the clock showed when the machine woke up or the loop went on, before somebody set it.
        unset = now.wall - timedelta(seconds=jump if abs(jump) >= JUMP_SECONDS else 0.0)

        def tell(kind: IncidentKind, message: str, start: datetime, end: datetime, seconds: float) -> None:
            log.warning("%s", message)
            data = {"before": start.isoformat(), "after": end.isoformat(), "seconds": round(seconds, 3)}
            found.append(Happening(kind, message, now.wall, data))

        if slept >= SUSPEND_SECONDS:
            span = f"from {self._show(before.wall)} to {self._show(unset)}"
            tell(IncidentKind.SUSPENDED, f"The host was suspended {span}.", before.wall, unset, slept)
            words.append(f"the host was suspended {span}")
        if awake > HELD_UP_SECONDS:
            text = f"held up for {span_words(awake)}"
            message = f"The scheduler was {text}, until {self._show(unset)}."
            tell(IncidentKind.HELD_UP, message, before.wall, unset, awake)
            words.append(f"the scheduler was {text}")
        if abs(jump) >= JUMP_SECONDS:
            way = "forward" if jump > 0 else "back"
            span = f"from {self._show(unset)} to {self._show(now.wall)}"
            kind = IncidentKind.CLOCK_SET_FORWARD if jump > 0 else IncidentKind.CLOCK_SET_BACK
            message = f"The clock was set {way} by {span_words(jump)}, {span}."
            tell(kind, message, unset, now.wall, jump)
            words.append(f"the clock was set {way} by {span_words(jump)}")
        if jump <= -JUMP_SECONDS:
            self.up_since = min(self.up_since, now.wall)
        if now.wall > before.wall:
            self.gaps.append(Gap(before.wall, now.wall, " and ".join(words)))
        return found

    def _show(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
