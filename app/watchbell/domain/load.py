"""How much is expected to go on at once: the load of equal stretches of time, from when things begin and how long they take."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

#: A pile-up is at least so high, and so many times as high as usual.
LEAST_PILE = 3
TIMES_USUAL = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Stay:
    """Something that begins some seconds after the beginning of the time and takes some seconds."""

    who: int
    start: float
    seconds: float
    #: How many of them begin together and take as long.
    count: int = 1

    @property
    def end(self) -> float:
        """Return when it is over."""
        return self.start + self.seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What one stretch of time carries."""

    #: How many begin in it, and how many go on at once on the average.
    starts: int
    mean: float
    #: The most that go on at once, and the first second at which they do.
    peak: int
    at: float


def load_of(stays: Sequence[Stay], cells: int, width: float) -> list[Load]:
    """Return the load of so many stretches of equal width, one after the other from 0 on.

    A stay goes on from its start until before its end. What reaches beyond the last stretch counts within it only.
    """
    starts, seconds = [0] * cells, [0.0] * cells
    changes: list[tuple[float, int]] = []
    for stay in stays:
        if stay.seconds <= 0 or stay.end <= 0 or stay.start >= cells * width:
            continue
        changes += [(max(stay.start, 0.0), stay.count), (stay.end, -stay.count)]
        if stay.start >= 0:
            starts[int(stay.start // width)] += stay.count
        _spread(seconds, stay, width)
    peaks = _peaks(changes, cells, width)
    return [Load(starts[n], seconds[n] / width, *peaks[n]) for n in range(cells)]


def _spread(seconds: list[float], stay: Stay, width: float) -> None:
    """Add the time of a stay to each stretch that it goes on in."""
    low, high = max(stay.start, 0.0), min(stay.end, len(seconds) * width)
    cell = int(low // width)
    while low < high:
        edge = min((cell + 1) * width, high)
        seconds[cell] += (edge - low) * stay.count
        low, cell = edge, cell + 1


def _peaks(changes: list[tuple[float, int]], cells: int, width: float) -> list[tuple[int, float]]:
    # At one moment what ends comes first, then the look at the beginning of a stretch, then what begins.
    marks = [(n * width, 0) for n in range(cells)]
    peaks = [(0, n * width) for n in range(cells)]
    going = 0
    for at, change in sorted([*changes, *marks]):
        going += change
        cell = int(at // width)
        if change == 0 or (cell < cells and going > peaks[cell][0]):
            peaks[cell] = (going, at)
    return peaks


def peak_of(stays: Sequence[Stay]) -> tuple[int, float]:
    """Return the most that go on at once at any time, and the first second at which they do; 0 at 0 for nothing."""
    changes = [(stay.start, stay.count) for stay in stays]
    changes += [(stay.start + stay.seconds, -stay.count) for stay in stays]
    changes.sort()
    going, best, when = 0, 0, 0.0
    for at, change in changes:
        going += change
        if going > best:
            best, when = going, at
    return best, when


def pile_ups(loads: Sequence[Load]) -> list[int]:
    """Return the stretches in which far more goes on at once than usual, the highest first."""
    if not loads:
        return []
    bound = max(LEAST_PILE, TIMES_USUAL * statistics.median(load.peak for load in loads))
    found = [n for n, load in enumerate(loads) if load.peak >= bound]
    return sorted(found, key=lambda n: (-loads[n].peak, n))


def at_once(stays: Sequence[Stay], at: float) -> list[int]:
    """Return who goes on at a moment, each once, in the order in which they began."""
    there = sorted((stay.start, stay.who) for stay in stays if stay.start <= at < stay.end)
    return list(dict.fromkeys(who for _, who in there))


def quiet_near(loads: Sequence[Load], cell: int, reach: int) -> int | None:
    """Return the least loaded stretch near one, the nearest of equal ones; None if none is calmer by half."""
    near = [n for n in range(max(cell - reach, 0), min(cell + reach + 1, len(loads))) if n != cell]
    best = min(near, key=lambda n: (loads[n].peak, loads[n].mean, abs(n - cell)), default=None)
    return best if best is not None and loads[best].peak * 2 <= loads[cell].peak else None
