"""Policies: safe defaults, words and numbers within their ranges, and how they are kept."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.policies import (
    DAY_SECONDS,
    CatchUp,
    Overlap,
    Policies,
    Uncertain,
    build_policies,
)
from watchbell.errors import InputError

RANGES = {
    "catch_up_limit": (1, 1000),
    "catch_up_window_seconds": (0, 366 * DAY_SECONDS),
    "latest_start_seconds": (1, 31 * DAY_SECONDS),
    "time_limit_seconds": (1, 31 * DAY_SECONDS),
    "grace_seconds": (0, 3600),
    "output_limit_mib": (1, 10_240),
    "spread_seconds": (0, DAY_SECONDS),
    "overlap_limit": (1, 1000),
    "retries": (0, 100),
    "retry_delay_seconds": (0, DAY_SECONDS),
    "retry_max_delay_seconds": (0, 7 * DAY_SECONDS),
    "retry_total_seconds": (1, 31 * DAY_SECONDS),
    "memory_limit_mib": (1, 16 * 1024 * 1024),
    "process_limit": (1, 1_000_000),
    "niceness": (-20, 19),
    "priority": (-100, 100),
    "keep_days": (1, 36_500),
    "keep_runs": (1, 100_000_000),
}
WORDS = {"overlap", "catch_up", "uncertain", "retry_backoff", "output_excess", "own_metrics"}
TEXTS = {"queue": "backup", "as_user": "backup", "interpreter": "/bin/bash -e", "retry_on": "1, 75-79, timeout", "retry_not_on": "signal", "retry_multiplier": "1.5",
         "gates": "fast: execution_time_seconds < 60"}  # fmt: skip


def test_who_says_nothing_gets_what_is_safe() -> None:
    policies = Policies()

    assert policies.overlap is Overlap.SKIP
    assert (policies.catch_up, policies.catch_up_window_seconds) == (CatchUp.LAST, 24 * 3600)
    assert policies.uncertain is Uncertain.LOST
    assert (policies.latest_start_seconds, policies.spread_seconds) == (None, 0)
    assert (policies.time_limit_seconds, policies.output_limit_mib) == (24 * 3600, None)


def test_every_policy_is_tried_here() -> None:
    fields = {field.name for field in dataclasses.fields(Policies)}

    assert fields == {*WORDS, *TEXTS, *RANGES}


@pytest.mark.parametrize(("name", "low", "high"), [(name, *bounds) for name, bounds in RANGES.items()])
def test_a_number_is_taken_up_to_its_bounds_and_no_further(name: str, low: int, high: int) -> None:
    for number in (low, high):
        assert getattr(build_policies({name: str(number)}), name) == number
        assert getattr(build_policies({name: number}), name) == number

    for number in (low - 1, high + 1):
        with pytest.raises(InputError, match=f"must be between {low} and {high}"):
            build_policies({name: number})


HOSTILE_NUMBERS = [
    "ten",
    "1.5",
    "1e3",
    "0x10",
    "١٢",
    "²",
    "--5",
    "5-",
    "- 5",
    "1 000",
    "1_000",
    "\0",
    2.0,
    True,
    [],
    "9" * 30,
]


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", HOSTILE_NUMBERS, ids=ascii)
def test_what_is_no_whole_number_is_refused_with_an_example_that_works(name: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        build_policies({name: value})

    (problem,) = caught.value.problems
    assert problem.field == name
    assert build_policies({name: problem.example}) is not None


@pytest.mark.parametrize("name", sorted(WORDS))
@pytest.mark.parametrize("value", ["", "SKIP", "sometimes", "skip ", 0, True, "\ud800"], ids=ascii)
def test_an_unknown_word_is_refused_with_the_words_there_are(name: str, value: object) -> None:
    with pytest.raises(InputError, match="must be one of") as caught:
        build_policies({name: value})

    (problem,) = caught.value.problems
    assert problem.field == name
    assert build_policies({name: problem.example}) is not None


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_a_text_is_kept_as_it_was_given(name: str, text: str) -> None:
    assert str(getattr(build_policies({name: text}), name)) == text


@pytest.mark.parametrize("text", ["256", "7-3", "1-2-3", "-1", "one", "timeouts", "1;2", "²", "\0"], ids=ascii)
@pytest.mark.parametrize("name", ["retry_on", "retry_not_on"])
def test_a_result_that_no_run_can_have_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        build_policies({name: text})

    assert build_policies({name: caught.value.problems[0].example}) is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("queue", "Back up"),
        ("queue", ""),
        ("queue", "*"),
        ("queue", "x" * 51),
        ("retry_multiplier", "0.5"),
        ("retry_multiplier", "nan"),
        ("retry_multiplier", "11"),
        ("retry_multiplier", ""),
    ],
)
def test_a_text_that_means_nothing_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        build_policies({name: text})

    assert build_policies({name: caught.value.problems[0].example}) is not None


def test_a_policy_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(InputError) as caught:
        build_policies({"retries_forever": 1})

    assert [problem.field for problem in caught.value.problems] == ["retries_forever"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        build_policies({"overlap": "x", "grace_seconds": -1, "spread_seconds": 5, "time_limit_seconds": ""})

    assert {problem.field for problem in caught.value.problems} == {"overlap", "grace_seconds", "time_limit_seconds"}


def test_what_is_absent_keeps_the_base() -> None:
    base = Policies(overlap=Overlap.ALLOW, grace_seconds=3, latest_start_seconds=60)

    assert build_policies({"grace_seconds": None}, base) == base
    assert build_policies({"spread_seconds": 9}, base) == dataclasses.replace(base, spread_seconds=9)


@pytest.mark.parametrize("name", ["latest_start_seconds", "output_limit_mib"])
def test_an_empty_text_gives_an_optional_number_up(name: str) -> None:
    base = build_policies({name: 60})

    assert getattr(build_policies({name: " "}, base), name) is None


@given(
    st.builds(
        Policies,
        overlap=st.sampled_from(Overlap),
        catch_up=st.sampled_from(CatchUp),
        uncertain=st.sampled_from(Uncertain),
        latest_start_seconds=st.none() | st.integers(1, 1000),
        **{name: st.integers(*bounds) for name, bounds in RANGES.items() if name != "latest_start_seconds"},
    )
)
def test_policies_come_back_from_json_as_they_were(policies: Policies) -> None:
    assert Policies.from_json(json.loads(json.dumps(policies.to_json()))) == policies


def test_what_another_version_has_stored_besides_does_no_harm() -> None:
    assert Policies.from_json({"overlap": "allow", "of_the_future": 7}) == Policies(overlap=Overlap.ALLOW)
