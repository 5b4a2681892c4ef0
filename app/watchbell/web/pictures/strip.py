"""The strip of the last and the next day: a bar for each half hour, as high as much ran or is planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.web.pictures import looks

PARTS = 48
HALF_HOUR = timedelta(minutes=30)
HEIGHT = 48
_LEAST, _LEAST_BAD = 3, 7
_BAD = ("failed", "timed_out", "lost", "missed")
_ACTIVE = ("queued", "claimed", "starting", "running", "cancelling", "retry_wait")


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One half hour: heights from the bottom, in pixels."""

    x: float
    width: float
    start: datetime
    counts: Mapping[str, int]
    planned: int
    #: How high all that ran is, what went wrong of it (at the top), and what is planned.
    height: int
    bad_height: int
    planned_height: int
    #: The worst of what went wrong, or running where something goes on.
    tone: str

    @property
    def total(self) -> int:
        """Return how many ran."""
        return sum(self.counts.values())

    @property
    def end(self) -> datetime:
        """Return when the half hour is over."""
        return self.start + HALF_HOUR


@dataclasses.dataclass(frozen=True, slots=True)
class Strip:
    """Two days with now in their middle."""

    bars: Sequence[Bar]
    #: Where now stands, in per cent.
    now_x: float
    #: Whether more is planned than was counted.
    is_cut: bool
    height: int = HEIGHT

    @property
    def ran(self) -> int:
        """Return how many runs there were."""
        return sum(bar.total for bar in self.bars)

    @property
    def planned(self) -> int:
        """Return how many are planned."""
        return sum(bar.planned for bar in self.bars)


def begin(now: datetime) -> datetime:
    """Return when the half hour begins that a moment is in."""
    return now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)


def strip(past: Sequence[Mapping[str, int]], planned: Sequence[int], *, now: datetime, is_cut: bool = False) -> Strip:
    """Return the strip; both begin or end with the half hour of now, of which the past is the last and the plan the first."""
    first = begin(now) - (len(past) - 1) * HALF_HOUR
    count = len(past) + len(planned) - 1
    most = max([sum(counts.values()) for counts in past] + list(planned) + [1])
    width = 100 / count
    bars = []
    for n in range(count):
        counts = past[n] if n < len(past) else {}
        coming = planned[n - len(past) + 1] if n >= len(past) - 1 else 0
        if not counts and not coming:
            continue
        bad = sum(counts.get(state, 0) for state in _BAD)
        going = sum(counts.get(state, 0) for state in _ACTIVE)
        bars.append(
            Bar(
                x=round(n * width + width * 0.1, 3),
                width=round(width * 0.8, 3),
                start=first + n * HALF_HOUR,
                counts=counts,
                planned=coming,
                height=_pixels(sum(counts.values()), most, _LEAST),
                bad_height=_pixels(bad, most, _LEAST_BAD),
                planned_height=_pixels(coming, most, _LEAST),
                tone=looks.tone_of(looks.worst_of({state: counts.get(state, 0) for state in _BAD}))
                if bad
                else "running"
                if going
                else "succeeded",
            )
        )
    share = (now - first) / (count * HALF_HOUR)
    return Strip(bars, round(share * 100, 3), is_cut)


def _pixels(number: int, most: int, least: int) -> int:
    return max(least, round(number / most * HEIGHT)) if number else 0
