"""Whether and when a failed run is tried again; the delays are the vectors of the original whose place this takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import NOW
from watchbell.domain.policies import Backoff, Policies, build_policies
from watchbell.domain.retry import Decision, Failure, decide, delay, is_retried


def _no_luck() -> float:
    raise AssertionError("this strategy knows no chance")


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        ("linear", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("exponential", [1, 2, 4, 8, 16, 32, 60, 60]),
        ("fibonacci", [1, 1, 2, 3, 5, 8, 13, 21]),
    ],
)
def test_the_delays_of_the_strategies(backoff: str, expected: list[float]) -> None:
    policies = Policies(retries=8, retry_backoff=Backoff(backoff))

    assert [delay(policies, failures, _no_luck) for failures in range(1, 9)] == expected


@pytest.mark.parametrize("backoff", Backoff)
def test_no_delay_is_above_its_bound_and_a_delay_of_nothing_stays_nothing(backoff: Backoff) -> None:
    capped = Policies(retry_backoff=backoff, retry_delay_seconds=50, retry_max_delay_seconds=70)
    nothing = Policies(retry_backoff=backoff, retry_delay_seconds=0)

    assert delay(capped, 101, lambda: 1.0) == 70
    assert [delay(nothing, failures, lambda: 1.0) for failures in (1, 2, 50)] == [0, 0, 0]


@given(failures=st.integers(1, 110), chance=st.floats(0, 1), first=st.integers(0, 100), factor=st.floats(1, 10))
def test_jitter_adds_up_to_the_same_length_again(failures: int, chance: float, first: int, factor: float) -> None:
    policies = Policies(
        retry_backoff=Backoff.EXPONENTIAL_JITTER,
        retry_delay_seconds=first,
        retry_multiplier=factor,
        retry_max_delay_seconds=600_000,
    )
    base = first * factor ** (failures - 1)

    found = delay(policies, failures, lambda: chance)

    assert min(base, 600_000) <= found <= min(2 * base, 600_000)
    assert delay(policies, failures, lambda: 0.0) == min(base, 600_000)


@pytest.mark.parametrize(
    ("retry_on", "retry_not_on", "results", "retried"),
    [
        ("", "", "1 2 75 255 signal timeout", True),
        # A command that is not there is not there a second later.
        ("", "", "126 127", False),
        ("127", "", "127", True),
        ("1, 75-79, timeout", "", "1 75 77 79 timeout", True),
        ("1, 75-79, timeout", "", "2 74 80 signal 175", False),
        ("signal", "", "signal", True),
        ("signal", "", "1 timeout 137", False),
        ("", "2, timeout", "1 3 signal", True),
        ("", "2, timeout", "2 timeout", False),
        ("1-9", "3-5", "1 2 6 9", True),
        ("1-9", "3-5", "3 4 5 10", False),
    ],
)
def test_the_filters(retry_on: str, retry_not_on: str, results: str, retried: bool) -> None:
    policies = build_policies({"retry_on": retry_on, "retry_not_on": retry_not_on})

    for result in results.split():
        code = int(result) if result.isdigit() else None
        # A time-out ends in a signal of ours, which is not what it is known by.
        number = 9 if result in {"signal", "timeout"} else None
        assert is_retried(policies, code, number, result == "timeout") is retried, result


def _failure(count: int = 1, **values: object) -> Failure:
    given_values = {"first_started_at": NOW, "ended_at": NOW + timedelta(seconds=5), "exit_code": 1, "signal": None}
    return Failure(count, **{**given_values, "timed_out": False, **values})  # type: ignore[arg-type]


def _decide(failure: Failure, **policies: object) -> Decision:
    return decide(build_policies(policies), failure, _no_luck)


def test_a_task_without_retries_has_nothing_to_say() -> None:
    assert _decide(_failure()) == Decision(None, "")


def test_the_next_attempt_has_its_time_after_the_end_of_the_last() -> None:
    decision = _decide(_failure(3), retries=3, retry_delay_seconds=10)

    assert decision.at == NOW + timedelta(seconds=45)
    assert decision.words == "next attempt at 2026-11-22 12:00:45 UTC"


def test_after_the_last_attempt_it_is_given_up() -> None:
    assert _decide(_failure(4), retries=3) == Decision(None, "given up after 4 attempts")


def test_a_result_that_is_filtered_says_so() -> None:
    assert _decide(_failure(), retries=3, retry_not_on="1") == Decision(
        None, "attempt 1 of 4; policy: this result is not retried"
    )


@pytest.mark.parametrize(("total", "tried"), [(14, False), (15, True), (None, True)])
def test_no_attempt_begins_after_the_time_for_all(total: int | None, tried: bool) -> None:
    decision = _decide(_failure(), retries=3, retry_delay_seconds=10, retry_total_seconds=total)

    assert (decision.at is not None) is tried
    if not tried:
        assert decision.words == "given up after 1 of 4 attempts; policy: no attempt later than 14 s after the first"


def test_where_the_first_start_is_unknown_its_time_bounds_nothing() -> None:
    assert _decide(_failure(first_started_at=None), retries=1, retry_total_seconds=1).at is not None
