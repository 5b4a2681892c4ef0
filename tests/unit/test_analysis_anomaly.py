"""Which values do not belong with the others: the original's vectors, and plain definitions."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis.anomaly import THRESHOLDS, Anomaly, Method, find

SIX = [100, 101, 99, 102, 500, 100]
NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("values", "method", "threshold", "index", "score", "percentage"),
    [
        (SIX, "iqr", 1.5, 4, 395.0, 16.67),
        ([10, 12, 11, 13, 12, 11, 10, 50], "iqr", 1.5, 7, 34.0, 12.5),
        (SIX, "zscore", 1.5, 4, 2.04, 16.67),
        (SIX, "mad", 1.5, 4, 269.46, 16.67),
    ],
)
def test_the_vectors_of_the_anomalies(
    values: list[float], method: str, threshold: float, index: int, score: float, percentage: float
) -> None:
    found = find(values, Method(method), threshold)

    assert found.found == (Anomaly(index, values[index], score),)
    assert found.percentage == percentage


def test_six_values_are_too_few_for_a_z_score_of_three() -> None:
    assert find(SIX, Method.ZSCORE, 3.0).found == ()


def test_each_method_has_a_threshold_of_its_own() -> None:
    assert THRESHOLDS == {Method.IQR: 1.5, Method.ZSCORE: 3.0, Method.MAD: 3.5}
    assert [find(SIX, method).threshold for method in Method] == [1.5, 3.0, 3.5]


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("values", [[], [1], [1, 1000], [5, 5, 5, 5]])
def test_too_few_values_and_equal_ones_have_no_anomaly(method: Method, values: list[float]) -> None:
    found = find(values, method)

    assert (found.found, found.percentage) == ((), 0)


def test_a_median_distance_of_nothing_tells_nothing() -> None:
    assert find([5, 5, 5, 5, 5, 900], Method.MAD).found == ()


def test_what_is_too_low_is_an_anomaly_too() -> None:
    assert [one.index for one in find([100, 101, 99, 1, 102, 100], Method.IQR).found] == [3]
    assert [one.score < 0 for one in find([100, 101, 99, 1, 102, 100], Method.MAD).found] == [True]


@given(st.lists(NUMBERS, min_size=3, max_size=80), st.floats(0.5, 4))
def test_the_fences_lie_beyond_the_quartiles(values: list[float], multiple: float) -> None:
    ordered = sorted(values)
    low, high = ordered[len(values) // 4], ordered[3 * len(values) // 4]
    reach = multiple * (high - low)
    beyond = [at for at, value in enumerate(values) if value < low - reach - 1e-3 or value > high + reach + 1e-3]

    assert set(beyond) <= {one.index for one in find(values, Method.IQR, multiple).found}


@pytest.mark.parametrize("value", [0.1, 349525.4961225387, 123456.789])
@pytest.mark.parametrize("count", [3, 10])
def test_values_that_are_all_the_same_have_no_outlier(value: float, count: int) -> None:
    assert not any(find([value] * count, method, 0.5).found for method in Method)


@given(st.lists(NUMBERS, min_size=3, max_size=80), st.floats(0.5, 4))
def test_a_score_is_a_multiple_of_the_spread(values: list[float], multiple: float) -> None:
    centre, spread = statistics.fmean(values), statistics.stdev(values)

    for one in find(values, Method.ZSCORE, multiple).found:
        assert abs(values[one.index] - centre) >= multiple * spread * 0.999
        assert one.score == pytest.approx((values[one.index] - centre) / spread, rel=1e-3, abs=0.01)
