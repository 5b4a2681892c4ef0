"""Which values do not belong with the others, by three methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from enum import StrEnum

from watchbell.domain.analysis import stats

#: Of fewer values none can be called unusual.
LEAST = 3
#: Makes the median distance of normally distributed values comparable with their standard deviation.
_MAD_FACTOR = 0.6745


class Method(StrEnum):
    """How far off is too far."""

    IQR = "iqr"
    """Beyond the quartiles by a multiple of the distance between them."""
    ZSCORE = "zscore"
    """From the mean by a multiple of the standard deviation."""
    MAD = "mad"
    """From the median by a multiple of the median distance; the one that a few wild values cannot blind."""


#: The multiple of each method where none is asked for.
THRESHOLDS = {Method.IQR: 1.5, Method.ZSCORE: 3.0, Method.MAD: 3.5}


@dataclasses.dataclass(frozen=True, slots=True)
class Anomaly:
    """A value that does not belong with the others."""

    #: Its place in the list.
    index: int
    value: float
    #: By how much it is off, in the measure of the method: beyond the fence, or a multiple with its sign.
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class Anomalies:
    """What a method found among values."""

    method: Method
    threshold: float
    found: tuple[Anomaly, ...]
    #: How many of the values that are, in percent.
    percentage: float


def find(values: Sequence[float], method: Method = Method.IQR, threshold: float | None = None) -> Anomalies:
    """Return the values that do not belong with the others; none of fewer than three."""
    multiple = THRESHOLDS[method] if threshold is None else threshold
    found = tuple(_FINDERS[method](values, multiple)) if len(values) >= LEAST else ()
    return Anomalies(method, multiple, found, round(len(found) / len(values) * 100, 2) if values else 0.0)


def _by_quartiles(values: Sequence[float], multiple: float) -> list[Anomaly]:
    low, high = stats.quartiles(values)
    reach = multiple * (high - low)
    beyond = [max(low - reach - value, value - high - reach) for value in values]
    return [
        Anomaly(index, value, round(off, 4))
        for index, (value, off) in enumerate(zip(values, beyond, strict=True))
        if off > 0
    ]


def _by_deviation(values: Sequence[float], multiple: float) -> list[Anomaly]:
    return _by_score(values, multiple, stats.mean(values), stats.stdev(values))


def _by_median(values: Sequence[float], multiple: float) -> list[Anomaly]:
    centre = stats.median(values)
    return _by_score(values, multiple, centre, stats.mad(values, centre) / _MAD_FACTOR)


def _by_score(values: Sequence[float], multiple: float, centre: float, unit: float) -> list[Anomaly]:
    if not unit:
        return []
    scores = [(value - centre) / unit for value in values]
    return [
        Anomaly(index, value, round(score, 2))
        for index, (value, score) in enumerate(zip(values, scores, strict=True))
        if abs(score) > multiple
    ]


_FINDERS: dict[Method, Callable[[Sequence[float], float], list[Anomaly]]] = {
    Method.IQR: _by_quartiles,
    Method.ZSCORE: _by_deviation,
    Method.MAD: _by_median,
}
