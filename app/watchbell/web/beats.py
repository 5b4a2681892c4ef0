"""A day of heartbeats as a strip: where they came without a gap, and where they did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

DAY = timedelta(hours=24)
#: Beats further apart than this show as a gap.
GAP = timedelta(minutes=3)
#: A single beat is drawn as wide as this part of the strip.
_LEAST_SHARE = 0.004


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """A time without a gap between beats, and its place on a strip of so many units."""

    start: datetime
    end: datetime
    x: float
    width: float


@dataclasses.dataclass(frozen=True, slots=True)
class DayStrip:
    """The last 24 hours of somebody who beats."""

    stretches: tuple[Stretch, ...]
    #: Part of the day with beats, 0 to 1.
    share: float
    #: (x, moment) of each full hour in the reader's zone.
    hours: tuple[tuple[float, datetime], ...]


def day_strip(beats: Sequence[datetime], now: datetime, *, units: int = 1440) -> DayStrip:
    """Return the strip of the day before now; ``beats`` are in their order."""
    first = now - DAY
    spans: list[list[datetime]] = []
    for at in beats:
        if at < first or at > now:
            continue
        if spans and at - spans[-1][1] <= GAP:
            spans[-1][1] = at
        else:
            spans.append([at, at])
    if spans and now - spans[-1][1] <= GAP:
        # The next beat is not due yet.
        spans[-1][1] = now

    def place(moment: datetime) -> float:
        return round((moment - first) / DAY * units, 1)

    stretches = tuple(_stretch(start, end, place(start), place(end), units) for start, end in spans)
    covered = sum(((end - start) for start, end in spans), timedelta())
    hour = first.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = tuple((place(hour + timedelta(hours=n)), hour + timedelta(hours=n)) for n in range(24))
    return DayStrip(stretches, covered / DAY, hours)


def _stretch(start: datetime, end: datetime, left: float, right: float, units: int) -> Stretch:
    """Return a stretch that is wide enough to be seen and stays on the strip."""
    width = max(right - left, units * _LEAST_SHARE)
    return Stretch(start, end, round(min(left, units - width), 1), round(width, 1))
