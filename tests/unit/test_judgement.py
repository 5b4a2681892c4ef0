"""Whether a run was as usual: by table, in words, and with years of runs in which it is known what was planted."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import NOW
from watchbell.domain.analysis.judgement import Habit, Past, Verdict, judge, judged_values, make_band, words

UTC = ZoneInfo("UTC")
USUAL = {"execution_time_seconds": 22.0, "cpu_seconds": 3.0, "memory_max_mb": 100.0, "output_bytes": 5000.0}


def habit(count: int = 60, spread: float = 0.05, *, wobble: int = 1, **values: float) -> Habit:
    """Return the habit of a task that runs each day at noon; its numbers wander around the usual ones."""
    chance = random.Random(wobble)
    usual = {**USUAL, **values}
    return Habit(
        [
            Past(NOW - timedelta(days=day), {name: value * chance.gauss(1, spread) for name, value in usual.items()})
            for day in range(1, count + 1)
        ],
        UTC,
    )


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "usual"),
        ({"execution_time_seconds": 25.0}, "usual"),
        ({"execution_time_seconds": 60.0}, "slow"),
        ({"execution_time_seconds": 2.0}, "fast"),
        ({"cpu_seconds": 30.0}, "heavy"),
        ({"memory_max_mb": 900.0}, "heavy"),
        ({"output_bytes": 500.0}, "empty"),
        ({"output_bytes": 0.0}, "empty"),
        ({"output_bytes": 50_000.0}, "usual"),
        ({"cpu_seconds": 0.1, "memory_max_mb": 1.0}, "usual"),
        # A backup of a tenth of the time with a tenth of the output is above all suspicious.
        ({"execution_time_seconds": 2.2, "output_bytes": 500.0}, "empty"),
        ({"execution_time_seconds": 60.0, "memory_max_mb": 900.0}, "slow"),
    ],
    ids=str,
)
def test_what_a_run_was_like(changed: dict[str, float], verdict: str) -> None:
    assert judge({**USUAL, **changed}, habit(), NOW).verdict == verdict


def test_a_number_of_its_own_is_judged_to_both_sides() -> None:
    known = habit(rows=1000.0)

    assert judge({"rows": 1010.0}, known, NOW).verdict is Verdict.USUAL
    assert judge({"rows": 10.0}, known, NOW).verdict is Verdict.EMPTY
    assert judge({"rows": 9000.0}, known, NOW).verdict is Verdict.HEAVY


def test_a_run_that_was_expected_makes_the_next_ones_like_it_usual() -> None:
    past = [Past(NOW - timedelta(days=day), {"execution_time_seconds": 22.0}) for day in range(1, 41)]
    month_end = Past(NOW - timedelta(days=41), {"execution_time_seconds": 90.0}, is_expected=True)
    plain, stretched = (
        Habit([*past, last], UTC) for last in (dataclasses.replace(month_end, is_expected=False), month_end)
    )

    for seconds, verdict in ((85.0, "usual"), (110.0, "usual"), (400.0, "slow"), (2.0, "fast")):
        assert judge({"execution_time_seconds": seconds}, stretched, NOW).verdict == verdict
    assert judge({"execution_time_seconds": 110.0}, plain, NOW).verdict == "slow"


def test_before_ten_runs_nobody_knows_what_is_usual() -> None:
    assert judge({"execution_time_seconds": 900.0}, habit(9), NOW).verdict is Verdict.UNKNOWN
    assert judge({"execution_time_seconds": 900.0}, habit(10), NOW).verdict is Verdict.SLOW
    assert judge({}, habit(60), NOW).verdict is Verdict.UNKNOWN


def test_the_reason_names_the_band_that_was_left() -> None:
    known = Habit([Past(NOW - timedelta(days=day), {"execution_time_seconds": 22.0}) for day in range(1, 21)], UTC)
    (finding,) = judge({"execution_time_seconds": 2.1}, known, NOW).findings

    assert words(finding) == "took 2.1 s; usually 16.5 to 27.5 s (median 22 s of 20 runs)"


def test_a_few_milliseconds_more_or_less_are_nothing() -> None:
    known = habit(execution_time_seconds=0.01, output_bytes=10.0)

    assert judge({"execution_time_seconds": 0.2, "output_bytes": 0.0}, known, NOW).verdict is Verdict.USUAL


def test_a_task_that_does_nothing_every_other_time_is_not_suspicious_when_it_does_nothing() -> None:
    past = [
        Past(NOW - timedelta(hours=number), {"output_bytes": 5000.0 * (number % 2), "execution_time_seconds": 60.0 * (number % 2)})
        for number in range(1, 60)
    ]  # fmt: skip
    known = Habit(past, UTC)

    assert judge({"output_bytes": 0.0, "execution_time_seconds": 0.0}, known, NOW).verdict is Verdict.USUAL
    assert judge({"execution_time_seconds": 900.0}, known, NOW).verdict is Verdict.SLOW


def test_a_weekday_with_enough_runs_has_a_band_of_its_own() -> None:
    # Twelve weeks, of which each Sunday takes an hour and each other day a minute.
    past = [
        Past(day, {"execution_time_seconds": 3600.0 if day.weekday() == 6 else 60.0})
        for day in (NOW - timedelta(days=number) for number in range(1, 85))
    ]
    known = Habit(past, UTC)
    sunday, monday = NOW, NOW + timedelta(days=1)

    assert sunday.weekday() == 6
    assert judge({"execution_time_seconds": 3600.0}, known, sunday).verdict is Verdict.USUAL
    slow = judge({"execution_time_seconds": 3600.0}, known, monday)
    assert slow.verdict is Verdict.SLOW
    assert slow.findings[0].slot == "Mondays at 12:00"
    assert judge({"execution_time_seconds": 60.0}, known, sunday).verdict is Verdict.FAST


def test_the_hour_is_that_of_the_zone_of_the_task() -> None:
    noon = [Past(NOW - timedelta(days=day), {"execution_time_seconds": 60.0}) for day in range(1, 15)]
    night = [Past(one.at - timedelta(hours=10), {"execution_time_seconds": 900.0}) for one in noon]

    band = Habit([*noon, *night], ZoneInfo("Asia/Tokyo")).band("execution_time_seconds", NOW)

    assert band is not None
    assert (band.median, band.slot) == (60, "days at 21:00")


def test_times_of_the_week_that_do_not_differ_are_not_told_apart() -> None:
    band = habit(84).band("execution_time_seconds", NOW)

    assert band is not None
    assert (len(band.ordered), band.slot) == (84, "")


def test_only_numbers_with_a_meaning_are_judged_and_all_of_its_own() -> None:
    values = {
        "user_time_seconds": 1.0,
        "system_time_seconds": 0.5,
        "page_faults_minor": 9.0,
        "output_bytes": 7.0,
        "rows": 3.0,
    }

    assert judged_values(values) == {"output_bytes": 7.0, "rows": 3.0, "cpu_seconds": 1.5}


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=80))
def test_the_median_lies_in_its_band_and_the_band_is_never_empty(values: list[float]) -> None:
    band = make_band("execution_time_seconds", values)

    assert band.low < band.median < band.high


@pytest.mark.parametrize("seed", range(5))
def test_of_a_planted_year_all_outliers_are_found_and_hardly_anything_else(seed: int) -> None:
    chance = random.Random(seed)
    planted = set(chance.sample(range(60, 365), 12))
    past: list[Past] = []
    found = set()
    for day in range(365):
        # As durations are: never below something, with a long tail, and a fifth slower at the end of the year.
        usual = 20 * chance.lognormvariate(0, 0.12) * (1 + day / 365 / 5)
        took = usual * chance.choice((0.08, 4.0)) if day in planted else usual
        at = NOW + timedelta(days=day)
        verdict = judge({"execution_time_seconds": took}, Habit(past[-150:], UTC), at).verdict
        if verdict in {Verdict.SLOW, Verdict.FAST}:
            found.add(day)
        past.append(Past(at, {"execution_time_seconds": took}))

    assert planted <= found
    assert len(found - planted) <= 3
