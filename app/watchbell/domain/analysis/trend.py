"""Where values go from run to run: a line through all of them, and whether the newest have become worse."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from enum import StrEnum

from watchbell.domain.analysis import stats

#: A line that rises or falls by less than this part of the mean, from the first run to the last, goes nowhere.
STABLE_PART = 0.05
#: How many of the newest values are compared with all before them.
RECENT = 5
#: There must be this many times as many values as are recent.
_LEAST = 2 * RECENT
REGRESSION_PERCENT = 10.0
#: A change beyond the threshold by this factor is a severe one.
_HIGH_FACTOR = 1.5


class Direction(StrEnum):
    """Where a line goes."""

    INSUFFICIENT = "insufficient_data"
    """There are fewer than two values."""
    STABLE = "stable"
    INCREASING = "increasing"
    DECREASING = "decreasing"


class Severity(StrEnum):
    """How bad a change for the worse is."""

    NONE = "none"
    MEDIUM = "medium"
    HIGH = "high"


@dataclasses.dataclass(frozen=True, slots=True)
class Trend:
    """The line of least squares over the run's place in the list, 0 for the first."""

    slope: float
    intercept: float
    r_squared: float
    direction: Direction
    #: What a run adds, in percent of the mean; None where the mean is zero and the slope is not.
    slope_percent_per_run: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Regression:
    """The newest values beside all before them; lower is better."""

    is_detected: bool
    severity: Severity
    baseline_mean: float
    recent_mean: float
    #: None where there was nothing before and there is something now.
    percent_change: float | None
    baseline_size: int
    recent_size: int
    threshold_percent: float


def fit(values: Sequence[float]) -> Trend:
    """Return the trend of values in the order of time.

    What counts as stable is a part of the values themselves, so that seconds and kilobytes are judged alike.
    """
    if len(values) < 2:
        return Trend(0.0, round(values[0], 2) if values else 0.0, 0.0, Direction.INSUFFICIENT, 0.0)
    centre, half = stats.mean(values), (len(values) - 1) / 2
    across = math.fsum((place - half) * (value - centre) for place, value in enumerate(values))
    slope = across / math.fsum((place - half) ** 2 for place in range(len(values)))
    around = math.fsum((value - centre) ** 2 for value in values)
    percent = stats.percent_of(slope, centre)
    return Trend(
        slope=round(slope, 6),
        intercept=round(centre - slope * half, 2),
        r_squared=round(min(slope * across / around, 1.0), 4) if around else 0.0,
        direction=_direction(slope, values),
        slope_percent_per_run=None if percent is None else round(percent, 2),
    )


def _direction(slope: float, values: Sequence[float]) -> Direction:
    size = stats.mean([abs(value) for value in values])
    if abs(slope) * (len(values) - 1) < STABLE_PART * size or not slope:
        return Direction.STABLE
    return Direction.INCREASING if slope > 0 else Direction.DECREASING


def find_regression(values: Sequence[float], threshold_percent: float = REGRESSION_PERCENT) -> Regression | None:
    """Return whether the newest values, in the order of time, are worse than those before; None of too few values."""
    if len(values) < _LEAST:
        return None
    before, recent = stats.mean(values[:-RECENT]), stats.mean(values[-RECENT:])
    change = stats.percent_of(recent - before, before)
    # From nothing to something there is no percentage, but there is no doubt either.
    is_detected = recent > before if change is None else change > threshold_percent
    is_high = change is None or change > _HIGH_FACTOR * threshold_percent
    severity = (Severity.HIGH if is_high else Severity.MEDIUM) if is_detected else Severity.NONE
    return Regression(
        is_detected=is_detected,
        severity=severity,
        baseline_mean=round(before, 4),
        recent_mean=round(recent, 4),
        percent_change=None if change is None else round(change, 2),
        baseline_size=len(values) - RECENT,
        recent_size=RECENT,
        threshold_percent=threshold_percent,
    )
