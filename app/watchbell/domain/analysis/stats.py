"""Plain statistics of a list of finite numbers: centre, spread, percentiles, aggregates.

Every function takes the values in any order and fails with ValueError on none at all, unless it says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

#: A sample at least this long has a twentieth, and a hundredth, to look at; of a shorter one the highest value is told.
_TWENTIETHS = 20
_HUNDREDTHS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Percentiles:
    """How values are distributed, rounded to two places."""

    min: float
    max: float
    mean: float
    median: float
    p75: float
    p90: float
    p95: float
    p99: float
    stddev: float


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregate:
    """What many values come to, unrounded."""

    count: int
    min: float
    max: float
    avg: float
    median: float
    p95: float
    p99: float
    stddev: float


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return math.fsum(values) / len(_some(values))


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    return middle(sorted(_some(values)))


def middle(ordered: Sequence[float]) -> float:
    """Return the median of values that are sorted already."""
    half = len(_some(ordered)) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mad(values: Sequence[float], centre: float | None = None) -> float:
    """Return the median of the distances from the median: the spread of most values, whatever a few wild ones do."""
    middle_value = median(values) if centre is None else centre
    return median([abs(value - middle_value) for value in values])


def stdev(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 for fewer than two values, and for values that are all the same."""
    # Their mean may be a rounding off from them, which would then pass for a spread.
    if len(values) < 2 or min(values) == max(values):
        return 0.0
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the values a quarter and three quarters up the sorted list, never one in between."""
    ordered = sorted(_some(values))
    return ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value at a percentage of the way through sorted values, in between two of them by proportion."""
    place = (len(_some(ordered)) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return how values are distributed."""
    ordered = sorted(_some(values))
    p75, p90, p95, p99 = (percentile(ordered, percent) for percent in (75, 90, 95, 99))
    found = (ordered[0], ordered[-1], mean(ordered), middle(ordered), p75, p90, p95, p99, stdev(ordered))
    return Percentiles(*(round(value, 2) for value in found))


def aggregate(values: Sequence[float]) -> Aggregate:
    """Return what values come to; the outermost percentiles of a short list are its highest value."""
    ordered = sorted(_some(values))
    p95 = statistics.quantiles(ordered, n=_TWENTIETHS)[-1] if len(ordered) >= _TWENTIETHS else ordered[-1]
    p99 = statistics.quantiles(ordered, n=_HUNDREDTHS)[-1] if len(ordered) >= _HUNDREDTHS else ordered[-1]
    return Aggregate(len(ordered), ordered[0], ordered[-1], mean(ordered), middle(ordered), p95, p99, stdev(ordered))


def percent_of(part: float, whole: float) -> float | None:
    """Return a part in percent of the size of a whole; None where the whole is nothing and the part is not."""
    if whole:
        return part / abs(whole) * 100
    return None if part else 0.0


def _some(values: Sequence[float]) -> Sequence[float]:
    if not values:
        raise ValueError("there is no value")
    return values
