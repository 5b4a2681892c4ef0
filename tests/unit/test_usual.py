from __future__ import annotations

import pytest

from watchbell.domain.analysis.usual import Unusual, usual


def test_nothing_is_usual_of_no_run_and_there_is_no_band_of_few() -> None:
    assert usual([]) is None
    few = usual([1.0, 2.0, 90.0])
    assert few is not None
    assert (few.median, few.low, few.high, few.count) == (2.0, None, None, 3)
    assert few.verdict(1e9) is None


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(42, None), (38, None), (50, None), (12, Unusual.SHORT), (0, Unusual.SHORT), (90, Unusual.LONG)],
)
def test_a_run_is_unusual_outside_the_band_around_the_median(seconds: float, verdict: Unusual | None) -> None:
    found = usual([40, 41, 42, 42, 43, 44, 400])

    assert found is not None
    assert found.verdict(seconds) is verdict


def test_what_always_takes_the_same_time_may_differ_a_bit() -> None:
    found = usual([10.0] * 20)

    assert found is not None
    assert (found.low, found.high) == (7.5, 12.5)
    tiny = usual([0.004] * 20)
    assert tiny is not None
    assert (tiny.low, tiny.verdict(0.2), tiny.verdict(0.3)) == (0.0, None, Unusual.LONG)
