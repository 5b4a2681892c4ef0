"""How long runs of a task usually take, and which take so long, or are over so soon, that somebody should look."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

from watchbell.domain.analysis import anomaly, stats

#: Of fewer runs no band is known.
LEAST = 5
#: Makes the median distance comparable with a standard deviation of normally distributed values.
_MAD_SCALE = 1.4826
#: The band is at least so wide, as a part of the median and in seconds: what always takes the same time may differ a bit.
_LEAST_PART = 0.25
_LEAST_SECONDS = 0.25


class Unusual(StrEnum):
    """In which way a length is unusual."""

    SHORT = "short"
    LONG = "long"


@dataclasses.dataclass(frozen=True, slots=True)
class Usual:
    """What finished good runs took."""

    median: float
    #: The ends of the band; None of too few runs to say so.
    low: float | None
    high: float | None
    count: int

    def verdict(self, seconds: float) -> Unusual | None:
        """Return whether a length lies outside the band, and on which side."""
        if self.low is None or self.high is None:
            return None
        return Unusual.SHORT if seconds < self.low else Unusual.LONG if seconds > self.high else None


def usual(seconds: Sequence[float]) -> Usual | None:
    """Return what is usual, from what finished good runs took; None if there is none."""
    if not seconds:
        return None
    median = stats.median(seconds)
    if len(seconds) < LEAST:
        return Usual(median, None, None, len(seconds))
    reach = anomaly.THRESHOLDS[anomaly.Method.MAD] * _MAD_SCALE * stats.mad(seconds, median)
    reach = max(reach, _LEAST_PART * median, _LEAST_SECONDS)
    return Usual(median, max(median - reach, 0.0), median + reach, len(seconds))
