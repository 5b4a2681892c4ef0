"""A line of time as a picture has it: where a moment stands, in per cent of the width, and which moments are labelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Steps between labels; those of a day and more are counted in days of the zone.
_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
)
_MOST_TICKS = 12
_DAY = timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """A labelled moment."""

    x: float
    #: On the clock of the zone.
    at: datetime
    #: Whether a new day begins there in the zone of the page.
    is_midnight: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of time laid over the width of a picture."""

    start: datetime
    until: datetime

    @property
    def width(self) -> timedelta:
        """Return how long the stretch is."""
        return self.until - self.start

    def x(self, moment: datetime) -> float:
        """Return where a moment stands, in per cent of the width; one outside stands at the edge."""
        share = (moment - self.start) / self.width
        return round(min(max(share, 0.0), 1.0) * 100, 3)

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment is within."""
        return self.start <= moment < self.until

    def ticks(self, zone: ZoneInfo) -> Sequence[Tick]:
        """Return the moments to label: round ones on the clock of a zone, few enough to be read."""
        step = next((step for step in _STEPS if self.width / step <= _MOST_TICKS), _STEPS[-1])
        found: list[Tick] = []
        day = self.start.astimezone(zone).date()
        last = self.until.astimezone(zone).date()
        while day <= last:
            for at in _of_day(day, step, zone):
                if self.holds(at) and (not found or at > found[-1].at):
                    local = at.astimezone(zone)
                    found.append(Tick(self.x(at), local, local.time() == time()))
            day += max(step, _DAY)
        return found


def _of_day(day: date, step: timedelta, zone: ZoneInfo) -> list[datetime]:
    """Return the round moments of a day; those that a clock change removes or repeats stand where they really are."""
    midnight = datetime.combine(day, time(), zone)
    if step >= _DAY:
        return [midnight]
    count = -(-_DAY // step)
    # Added to the naive time, so that labels stay round when the offset changes.
    return [(datetime.combine(day, time()) + n * step).replace(tzinfo=zone).astimezone(UTC) for n in range(count)]


def window(
    *,
    start: datetime | None,
    until: datetime | None,
    reach: timedelta,
    now: datetime,
    least: timedelta,
    most: timedelta,
) -> Axis:
    """Return the stretch that is asked for: around now unless an end is given, and neither too short nor too long."""
    if start is None and until is None:
        return Axis(now - reach, now + reach)
    if start is None or until is None:
        start = start if start is not None else (until or now) - 2 * reach
        until = until if until is not None else start + 2 * reach
    width = min(max(until - start, least), most)
    return Axis(start, start + width)
