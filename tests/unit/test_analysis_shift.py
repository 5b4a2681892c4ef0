"""Two periods beside each other: what is a clear step and what is chance, and at which revision it came."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis.shift import compare, find_steps


@pytest.mark.parametrize(
    ("before", "after", "percent", "is_clear"),
    [
        ([20.0] * 5, [22.0] * 5, 10.0, True),
        ([20.0] * 5, [21.9] * 5, 9.5, False),
        ([20.0] * 5, [10.0] * 5, -50.0, True),
        ([20.0] * 4, [40.0] * 50, 100.0, False),
        ([20.0] * 5, [20.0] * 5, 0.0, False),
        ([0.0] * 5, [3.0] * 5, None, True),
        ([-20.0] * 5, [-30.0] * 5, -50.0, True),
    ],
)
def test_what_is_a_clear_step(before: list[float], after: list[float], percent: float | None, is_clear: bool) -> None:
    step = compare(before, after)

    assert (step.change_percent, step.is_clear) == (pytest.approx(percent) if percent is not None else None, is_clear)


def test_what_wanders_has_no_clear_step_and_a_planted_one_is_found() -> None:
    chance = random.Random(7)
    false = found = 0
    for _turn in range(100):
        values = [20 * chance.lognormvariate(0, 0.2) for _run in range(60)]
        false += bool(find_steps(values, [20, 40]))
        found += [place for place, _step in find_steps([*values[:40], *(v * 1.5 for v in values[40:])], [20, 40])] == [
            40
        ]

    assert false <= 3
    assert found >= 90


def test_a_wild_value_is_no_step() -> None:
    assert not compare([20.0, 21, 19, 20, 22], [20.0, 21, 9000, 20, 19]).is_clear


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.lists(st.integers(-5, 60), max_size=6, unique=True))
def test_steps_are_at_places_that_were_asked_for(values: list[float], places: list[int]) -> None:
    assert {place for place, _step in find_steps(values, sorted(places))} <= {p for p in places if 0 < p < len(values)}


def test_of_nothing_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no value"):
        compare([], [1.0])
