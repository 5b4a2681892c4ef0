"""Whether values have moved to another level: two periods beside each other, and the place where the step is clear."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from watchbell.domain.analysis import stats

#: Of fewer values on either side no step is clear.
LEAST = 5
#: A step is clear from this change of the median on, in percent,
_LEAST_PERCENT = 10.0
#: and from so many times what chance would make of the difference.
_ERRORS = 3.0
#: Makes the median distance the standard deviation of normally distributed values, and that the error of their median.
_SIGMA = 1.4826
_OF_MEDIAN = 1.2533


@dataclasses.dataclass(frozen=True, slots=True)
class Shift:
    """Two periods beside each other."""

    before: stats.Aggregate
    after: stats.Aggregate
    #: Of the median, in percent; None where it was nothing and is something now.
    change_percent: float | None
    #: Whether it is more than chance would make of it.
    is_clear: bool


def compare(before: Sequence[float], after: Sequence[float]) -> Shift:
    """Return two periods beside each other; raises ValueError if either has no value."""
    old, new = stats.aggregate(before), stats.aggregate(after)
    step = new.median - old.median
    change = stats.percent_of(step, old.median)
    error = (
        _OF_MEDIAN
        * _SIGMA
        * math.hypot(
            stats.mad(before, old.median) / math.sqrt(old.count), stats.mad(after, new.median) / math.sqrt(new.count)
        )
    )
    is_clear = (
        min(old.count, new.count) >= LEAST
        and step != 0
        and abs(step) > _ERRORS * error
        and (change is None or abs(change) >= _LEAST_PERCENT)
    )
    return Shift(old, new, change, is_clear)


def find_steps(values: Sequence[float], places: Sequence[int]) -> list[tuple[int, Shift]]:
    """Return those places, each the first of its period, at which values in the order of time take a clear step.

    A period is compared with the one before it; places are in their order.
    """
    edges = [0, *(place for place in places if 0 < place < len(values)), len(values)]
    found = []
    for start, place, end in zip(edges, edges[1:], edges[2:], strict=False):
        if place > start and end > place:
            step = compare(values[start:place], values[place:end])
            if step.is_clear:
                found.append((place, step))
    return found
