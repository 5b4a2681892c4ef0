"""What a value usually is, by four methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

from watchbell.domain.analysis import stats

#: How far the fences lie beyond the quartiles, as a multiple of the distance between those.
FENCE = 1.5
RECENT_DAYS = 7
HISTORICAL_DAYS = 30
_LEAST_FOR_FENCES = 4
_LEAST_TO_CHOOSE = 3
#: Values that vary by more than this, in percent of their mean, have wild ones among them.
_WILD_PERCENT = 30.0
#: Values that lie apart by more than this part of their mean are worth a cautious percentile, if there are enough.
_WIDE_PART = 0.5
_LEAST_FOR_CAUTION = 10
_CAUTIOUS_PERCENTILE = 75
#: A change within this, in percent, is none.
_CHANGE_PERCENT = 5.0


class Method(StrEnum):
    """How a baseline is found."""

    INTELLIGENT = "intelligent"
    """By whichever of the next two suits the values."""
    IQR = "iqr"
    """The median of what lies inside the fences."""
    PERCENTILE = "percentile"
    """A value of the sorted list."""
    TIME_BASED = "time-based"
    """The median of the last days beside that of a longer time."""


class Status(StrEnum):
    """How the last days compare; lower is better."""

    IMPROVED = "improved"
    STABLE = "stable"
    DEGRADED = "degraded"


class TooFew(ValueError):
    """There are too few values for this method."""


@dataclasses.dataclass(frozen=True, slots=True)
class OfPercentile:
    """The value a percentage up the sorted list."""

    baseline: float
    percentile: float
    data_points: int
    min: float
    max: float


@dataclasses.dataclass(frozen=True, slots=True)
class OfFences:
    """The median of what lies inside the fences."""

    baseline: float
    outliers_removed: int
    outlier_percentage: float
    filtered_data_points: int
    original_data_points: int
    iqr_k: float


@dataclasses.dataclass(frozen=True, slots=True)
class OfMean:
    """The mean of values too few for anything else."""

    baseline: float
    data_points: int


@dataclasses.dataclass(frozen=True, slots=True)
class Characteristics:
    """What the choice of a method was made by."""

    mean: float
    median: float
    stddev: float
    #: In percent; None where the mean is zero and the values are not.
    coefficient_of_variation: float | None
    range: float
    data_points: int


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """A baseline by the method that suits the values, and why it is that."""

    #: None where the values are too few for the method that would suit them.
    found: OfPercentile | OfFences | OfMean | None
    reasoning: str
    #: None of values too few to have any.
    characteristics: Characteristics | None


@dataclasses.dataclass(frozen=True, slots=True)
class OverTime:
    """The median of the last days beside that of a longer time."""

    recent_baseline: float
    historical_baseline: float
    #: None where there was nothing before and there is something now.
    percent_change: float | None
    recent_samples: int
    historical_samples: int
    status: Status


def by_percentile(values: Sequence[float], percent: float = 50) -> OfPercentile:
    """Return the value a percentage up the sorted list; raises TooFew of none."""
    if not values:
        raise TooFew("there is no value")
    ordered = sorted(values)
    place = min(int(len(ordered) * percent / 100), len(ordered) - 1)
    low, high = ordered[0], ordered[-1]
    return OfPercentile(_rounded(ordered[place]), percent, len(ordered), _rounded(low), _rounded(high))


def by_fences(values: Sequence[float], multiple: float = FENCE) -> OfFences:
    """Return the median of the values inside the fences; raises TooFew of fewer than four."""
    if len(values) < _LEAST_FOR_FENCES:
        raise TooFew(f"needs at least {_LEAST_FOR_FENCES} values, there are {len(values)}")
    low, high = stats.quartiles(values)
    reach = multiple * (high - low)
    inside = [value for value in values if low - reach <= value <= high + reach]
    removed = len(values) - len(inside)
    share = round(removed / len(values) * 100, 2)
    return OfFences(_rounded(stats.median(inside)), removed, share, len(inside), len(values), multiple)


def choose(values: Sequence[float]) -> Chosen:
    """Return a baseline by the method that suits the values; raises TooFew of none."""
    if not values:
        raise TooFew("there is no value")
    if len(values) < _LEAST_TO_CHOOSE:
        found = OfMean(_rounded(stats.mean(values)), len(values))
        return Chosen(found, f"fewer than {_LEAST_TO_CHOOSE} values: their mean", None)
    centre, spread = stats.mean(values), max(values) - min(values)
    deviation = stats.stdev(values)
    variation = stats.percent_of(deviation, centre)
    told = Characteristics(
        mean=_rounded(centre),
        median=_rounded(stats.median(values)),
        stddev=_rounded(deviation),
        coefficient_of_variation=None if variation is None else round(variation, 2),
        range=_rounded(spread),
        data_points=len(values),
    )
    if variation is None or variation > _WILD_PERCENT:
        words = f"the values vary by more than {_WILD_PERCENT:g} % of their mean: the median without outliers"
        return Chosen(by_fences(values) if len(values) >= _LEAST_FOR_FENCES else None, words, told)
    if len(values) >= _LEAST_FOR_CAUTION and spread > _WIDE_PART * abs(centre):
        words = f"the values lie far apart: the percentile {_CAUTIOUS_PERCENTILE}, to be cautious"
        return Chosen(by_percentile(values, _CAUTIOUS_PERCENTILE), words, told)
    return Chosen(by_percentile(values), "the values are steady: their median", told)


def over_time(recent: Sequence[float], historical: Sequence[float]) -> OverTime:
    """Return how the values of the last days compare with those of a longer time; raises TooFew if either has none."""
    if not recent or not historical:
        raise TooFew("there is no value in the last days" if historical else "there is no value")
    now, before = stats.median(recent), stats.median(historical)
    change = stats.percent_of(now - before, before)
    status = Status.STABLE
    if change is None or abs(change) > _CHANGE_PERCENT:
        status = Status.DEGRADED if now > before else Status.IMPROVED
    return OverTime(
        recent_baseline=_rounded(now),
        historical_baseline=_rounded(before),
        percent_change=None if change is None else round(change, 2),
        recent_samples=len(recent),
        historical_samples=len(historical),
        status=status,
    )


def _rounded(value: float) -> float:
    return round(value, 4)
