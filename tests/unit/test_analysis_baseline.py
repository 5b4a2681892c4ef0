"""What a value usually is: the original's vectors, its mended defects, and plain definitions."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis import baseline
from watchbell.domain.analysis.baseline import OfFences, OfMean, OfPercentile, Status, TooFew

EIGHT = [10, 12, 11, 13, 12, 11, 10, 50]
NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def test_the_vectors_of_percentile_and_fences() -> None:
    assert baseline.by_percentile([1, 2, 3, 4]) == OfPercentile(3, 50, 4, 1, 4)
    assert baseline.by_percentile([1, 2, 3, 4], 75).baseline == 4
    assert baseline.by_percentile([1, 2, 3, 4], 100).baseline == 4
    assert baseline.by_fences(EIGHT) == OfFences(11, 1, 12.5, 7, 8, 1.5)


def test_steady_values_are_told_by_their_median() -> None:
    chosen = baseline.choose([100, 102, 101, 103, 105])

    assert isinstance(chosen.found, OfPercentile)
    assert (chosen.found.baseline, chosen.found.percentile) == (102, 50)
    assert chosen.characteristics is not None
    assert chosen.characteristics.coefficient_of_variation == 1.88


def test_wild_values_are_told_without_their_outliers() -> None:
    chosen = baseline.choose([0.85, 0.88, 0.2, 0.87, 0.9, 0.86])

    assert isinstance(chosen.found, OfFences)
    assert chosen.found.baseline == 0.87
    assert chosen.characteristics is not None
    assert chosen.characteristics.coefficient_of_variation == 36.17


def test_values_far_apart_are_told_cautiously() -> None:
    chosen = baseline.choose([80, 85, 90, 95, 100, 105, 110, 115, 120, 135])

    assert isinstance(chosen.found, OfPercentile)
    assert (chosen.found.baseline, chosen.found.percentile) == (115, 75)


def test_two_values_are_told_by_their_mean() -> None:
    chosen = baseline.choose([3, 4])

    assert (chosen.found, chosen.characteristics) == (OfMean(3.5, 2), None)
    assert "mean" in chosen.reasoning


def test_three_wild_values_are_too_few_for_the_method_that_would_suit_them() -> None:
    chosen = baseline.choose([1, 10, 100])

    assert chosen.found is None
    assert chosen.characteristics is not None


def test_a_mean_of_zero_divides_nothing() -> None:
    chosen, around = baseline.choose([0] * 10), baseline.choose([-3, -1, 0, 1, 3])

    assert chosen.found is not None
    assert chosen.found.baseline == 0
    assert isinstance(around.found, OfFences)
    assert around.characteristics is not None
    assert around.characteristics.coefficient_of_variation is None


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: baseline.by_percentile([]),
        lambda: baseline.by_fences([1, 2, 3]),
        lambda: baseline.choose([]),
        lambda: baseline.over_time([], [1]),
        lambda: baseline.over_time([], []),
    ],
)
def test_too_few_values_are_said_to_be_too_few(attempt: object) -> None:
    with pytest.raises(TooFew):
        attempt()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("recent", "percent", "status"),
    [
        ([12, 12, 12], 20, "degraded"),
        ([8], -20, "improved"),
        ([10.5], 5, "stable"),
        ([9.5], -5, "stable"),
    ],
)
def test_the_last_days_beside_a_longer_time(recent: list[float], percent: float, status: str) -> None:
    found = baseline.over_time(recent, [10, 10, 10])

    assert (found.percent_change, found.status) == (percent, status)
    assert (found.recent_samples, found.historical_samples) == (len(recent), 3)


def test_from_nothing_to_something_is_worse_without_a_percentage() -> None:
    found = baseline.over_time([3], [0])

    assert (found.percent_change, found.status) == (None, Status.DEGRADED)
    assert baseline.over_time([0], [0]).status is Status.STABLE


@given(st.lists(NUMBERS, min_size=4, max_size=80))
def test_the_fenced_baseline_is_the_median_of_what_is_inside(values: list[float]) -> None:
    found = baseline.by_fences(values)
    ordered = sorted(values)
    low, high = ordered[len(values) // 4], ordered[3 * len(values) // 4]
    reach = 1.5 * (high - low)
    inside = [value for value in values if low - reach <= value <= high + reach]

    assert found.baseline == pytest.approx(statistics.median(inside), abs=1e-4)
    assert found.filtered_data_points == len(inside)
    assert found.outliers_removed == len(values) - len(inside)


@given(st.lists(NUMBERS, min_size=1, max_size=80))
def test_a_baseline_lies_among_the_values(values: list[float]) -> None:
    found = baseline.choose(values).found

    assert found is None or min(values) - 1e-4 <= found.baseline <= max(values) + 1e-4
