"""Trends and regressions: the original's vectors, its mended defects, and plain definitions."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from watchbell.domain.analysis.trend import Direction, Severity, find_regression, fit

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("values", "slope", "intercept", "r_squared", "direction", "percent"),
    [
        ([100, 102, 104, 106, 108], 2.0, 100.0, 1.0, "increasing", 1.92),
        ([10, 9, 8, 7.5], -0.85, 9.9, 0.9797, "decreasing", -9.86),
        ([5, 5, 5, 5], 0, 5, 0, "stable", 0),
        ([1.0, 1.005, 1.01], 0.005, 1.0, 1.0, "stable", 0.5),
        ([3], 0, 3, 0, "insufficient_data", 0),
        ([], 0, 0, 0, "insufficient_data", 0),
    ],
)
def test_the_vectors_of_the_trend(
    values: list[float], slope: float, intercept: float, r_squared: float, direction: str, percent: float
) -> None:
    found = fit(values)

    assert (found.slope, found.intercept, found.r_squared) == (slope, intercept, r_squared)
    assert (found.direction, found.slope_percent_per_run) == (direction, percent)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1, 1e3, 1e9])
def test_the_direction_is_the_same_in_every_unit(unit: float) -> None:
    assert fit([value * unit for value in (100, 102, 104, 106, 108)]).direction is Direction.INCREASING
    assert fit([value * unit for value in (1.0, 1.005, 1.01)]).direction is Direction.STABLE


def test_a_rise_too_slow_to_be_seen_from_run_to_run_is_seen_over_many() -> None:
    assert fit([100 + place * 0.1 for place in range(200)]).direction is Direction.INCREASING


def test_values_around_zero_have_a_trend_but_no_percentage() -> None:
    found = fit([-2, -1, 0, 1, 2])

    assert (found.direction, found.slope, found.slope_percent_per_run) == (Direction.INCREASING, 1, None)
    assert fit([0] * 10).direction is Direction.STABLE
    assert fit([0] * 10).slope_percent_per_run == 0


def test_falling_below_zero_is_a_fall_in_percent_too() -> None:
    assert fit([-1, -2, -3]).slope_percent_per_run == -50


@given(st.lists(NUMBERS, min_size=2, max_size=100))
def test_the_line_is_that_of_least_squares(values: list[float]) -> None:
    expected = statistics.linear_regression(range(len(values)), values)
    found = fit(values)

    assert found.slope == pytest.approx(expected.slope, rel=1e-6, abs=1e-5)
    assert found.intercept == pytest.approx(expected.intercept, rel=1e-6, abs=0.011)
    assert 0 <= found.r_squared <= 1


@given(st.lists(NUMBERS, min_size=2, max_size=50))
def test_backwards_the_trend_is_the_opposite(values: list[float]) -> None:
    opposite = {Direction.INCREASING: Direction.DECREASING, Direction.DECREASING: Direction.INCREASING}
    there, back = fit(values), fit(values[::-1])
    assume(abs(there.slope) > 1e-6)

    assert back.slope == pytest.approx(-there.slope, rel=1e-6, abs=1e-5)
    assert back.direction is opposite.get(there.direction, there.direction)


@pytest.mark.parametrize(
    ("recent", "percent", "severity"),
    [(11.2, 12, "medium"), (12, 20, "high"), (10, 0, "none"), (8, -20, "none")],
)
def test_the_vectors_of_the_regression(recent: float, percent: float, severity: str) -> None:
    found = find_regression([10] * 5 + [recent] * 5)

    assert found is not None
    assert (found.percent_change, found.severity, found.is_detected) == (percent, severity, severity != "none")
    assert (found.baseline_mean, found.recent_mean, found.threshold_percent) == (10, recent, 10)
    assert (found.baseline_size, found.recent_size) == (5, 5)


def test_of_fewer_than_ten_values_nobody_can_say_whether_they_became_worse() -> None:
    assert find_regression([10] * 4 + [100] * 5) is None


def test_exactly_the_threshold_is_no_regression() -> None:
    found = find_regression([10] * 5 + [12] * 5, threshold_percent=20)

    assert found is not None
    assert not found.is_detected


def test_something_where_there_was_nothing_is_a_severe_regression_without_a_percentage() -> None:
    risen, still = find_regression([0] * 5 + [3] * 5), find_regression([0] * 10)

    assert risen is not None
    assert (risen.is_detected, risen.severity, risen.percent_change) == (True, Severity.HIGH, None)
    assert still is not None
    assert (still.is_detected, still.severity, still.percent_change) == (False, Severity.NONE, 0)


@given(st.lists(st.floats(0, 1e6), min_size=10, max_size=60), st.floats(1, 100))
def test_a_regression_is_a_higher_mean_of_the_last_five(values: list[float], threshold: float) -> None:
    before, recent = statistics.fmean(values[:-5]), statistics.fmean(values[-5:])
    assume(abs(recent - before * (1 + threshold / 100)) > 1e-6)
    found = find_regression(values, threshold)

    assert found is not None
    assert found.is_detected == (recent > before * (1 + threshold / 100))
