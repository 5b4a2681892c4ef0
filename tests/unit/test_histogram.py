"""How often values lie where: nothing is lost, nothing is between two parts, and what is far off does not hide the rest."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis.histogram import Bin, histogram, round_step

VALUES = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200)


@given(VALUES)
def test_every_value_is_counted_in_the_part_that_holds_it(values: list[float]) -> None:
    found = histogram(values)

    assert sum(one.count for one in found) == len(values)
    assert (found[0].low, found[-1].high) <= (min(values), found[-1].high)
    assert found[-1].high >= max(values)
    assert all(one.high == following.low for one, following in itertools.pairwise(found))
    # A rounding at the edge of a part may put a value beside it, and no more than that.
    slack = 1e-9 * (abs(max(values)) + abs(min(values)) + 1)
    for one in found:
        inside = sum(one.low - slack <= value <= one.high + slack for value in values)
        assert inside >= one.count
    assert len(found) <= 21


def test_parts_are_round() -> None:
    assert histogram([1.0, 2.0, 3.0, 4.0, 5.0, 9.0]) == (
        Bin(0, 2, 1), Bin(2, 4, 2), Bin(4, 6, 2), Bin(6, 8, 0), Bin(8, 10, 1),
    )  # fmt: skip


def test_one_wild_value_does_not_squash_the_others() -> None:
    values = [20.0 + place % 10 for place in range(100)]

    found = histogram([*values, 10_000.0])

    assert sum(one.count > 0 for one in found) >= 5
    assert (found[-1].high, sum(one.count for one in found)) == (10_000, 101)


def test_what_is_all_the_same_is_one_part_and_nothing_is_none() -> None:
    assert histogram([7.0] * 9) == (Bin(7, 7, 9),)
    assert histogram([]) == ()
    assert histogram([1e300, 1e300 * (1 + 1e-16)])[0].count == 2


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1, 1), (1.01, 2), (4, 5), (51, 100), (0.0012, 0.002)])
def test_steps_are_one_two_or_five(least: float, step: float) -> None:
    assert round_step(least) == pytest.approx(step)
