"""Centre, spread, percentiles and aggregates, against the original's vectors and against plain definitions."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis import stats

NUMBERS = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
SOME = st.lists(NUMBERS, min_size=1, max_size=150)


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


def test_the_percentiles_of_one_to_ten() -> None:
    assert stats.percentiles(range(1, 11)) == stats.Percentiles(1, 10, 5.5, 5.5, 7.75, 9.1, 9.55, 9.91, 3.03)


def test_percentiles_do_not_depend_on_the_order() -> None:
    assert stats.percentiles([3, 1, 2]) == stats.percentiles([1, 2, 3])


def test_a_single_value_is_all_that_there_is_to_tell() -> None:
    assert stats.percentiles([7.5]) == stats.Percentiles(7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 0)
    assert stats.aggregate([7.5]) == stats.Aggregate(1, 7.5, 7.5, 7.5, 7.5, 7.5, 7.5, 0)
    assert stats.mad([7.5]) == 0


@pytest.mark.parametrize("function", [stats.mean, stats.median, stats.mad, stats.quartiles, stats.percentiles])
def test_of_nothing_there_is_nothing_to_tell(function: object) -> None:
    with pytest.raises(ValueError, match="no value"):
        function([])  # type: ignore[operator]


@given(SOME)
def test_centre_and_spread_are_what_everybody_means_by_them(values: list[float]) -> None:
    assert stats.mean(values) == close(statistics.fmean(values))
    assert stats.median(values) == close(statistics.median(values))
    assert stats.stdev(values) == close(statistics.stdev(values) if len(values) > 1 else 0)
    assert stats.mad(values) == close(statistics.median([abs(x - statistics.median(values)) for x in values]))


@given(st.lists(NUMBERS, min_size=2, max_size=60), st.integers(1, 99))
def test_a_percentile_is_that_of_the_standard_library(values: list[float], percent: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    assert stats.percentile(sorted(values), percent) == close(expected)


@given(SOME)
def test_the_outermost_percentiles_of_a_short_list_are_its_highest_value(values: list[float]) -> None:
    found = stats.aggregate(values)

    assert found.count == len(values)
    assert (found.min, found.max) == (min(values), max(values))
    assert found.p95 == (statistics.quantiles(values, n=20)[18] if len(values) >= 20 else found.max)
    assert found.p99 == (statistics.quantiles(values, n=100)[98] if len(values) >= 100 else found.max)


@given(SOME)
def test_a_quarter_of_the_values_lies_below_the_lower_quartile_and_is_one_of_them(values: list[float]) -> None:
    low, high = stats.quartiles(values)

    assert low in values
    assert high in values
    assert sum(value < low for value in values) <= len(values) / 4
    assert sum(value <= high for value in values) > 3 * len(values) / 4 - 1


def test_nothing_of_nothing_is_no_change_and_something_of_nothing_has_no_percentage() -> None:
    assert stats.percent_of(0, 0) == 0
    assert stats.percent_of(3, 0) is None
    assert stats.percent_of(-1, -4) == -25
