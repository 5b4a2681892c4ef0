"""How often values lie in each part of their range."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from watchbell.domain.analysis import stats

_FEWEST = 5
_MOST = 20
#: What lies further off than this multiple of the distance between the quartiles is in the outermost parts, however far.
_FAR = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """A part of the range, its lower end included and its upper one only in the last part, and how many values lie there."""

    low: float
    high: float
    count: int


def histogram(values: Sequence[float], most: int = _MOST) -> tuple[Bin, ...]:
    """Return the parts of the range of values, without gaps; none of no values.

    There are about as many as the root of the number of values. All have the same round width but for the outermost ones,
    which also hold what lies far off. Values that are all the same are one part without width.
    """
    if not values:
        return ()
    low, high = _ends(values)
    width = round_step((high - low) / min(max(math.isqrt(len(values)), _FEWEST), most)) if high > low else 0.0
    start = math.floor(low / width) * width if width else low
    # Of huge numbers that differ by next to nothing no part can be told from the next one.
    if not width or start + width == start or high + width == high:
        return (Bin(min(values), max(values), len(values)),)
    number = max(1, math.ceil((high - start) / width))
    counts = [0] * number
    for value in values:
        counts[int(min(max((value - start) / width, 0.0), number - 1.0))] += 1
    ends = [start + place * width for place in range(number + 1)]
    ends[0], ends[-1] = min(ends[0], *values), max(ends[-1], *values)
    return tuple(Bin(ends[place], ends[place + 1], count) for place, count in enumerate(counts))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return between which values the parts are laid."""
    low, high = stats.quartiles(values)
    reach = _FAR * (high - low)
    # Where half of the values are the same, nothing says how far is far.
    return (max(min(values), low - reach), min(max(values), high + reach)) if reach else (min(values), max(values))


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below a positive number; 0 for one too small for that."""
    power = 10.0 ** math.floor(math.log10(least)) if least > 1e-300 else 0.0
    return next((power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999999), power * 10)
