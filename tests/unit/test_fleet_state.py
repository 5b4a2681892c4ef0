"""The state table of device jobs, compared with the one that the design draws, and what the parts say of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.fleet_state import (
    ACTIVE,
    EXECUTION_FINAL,
    FINAL,
    REPORTABLE,
    RETRYABLE,
    TRANSITIONS,
    DeviceJobState,
    ExecutionState,
    IllegalTransition,
    advance,
    execution_state,
    may_follow,
    reported,
)

S = DeviceJobState

# Written down from the design, row by row, and not from the code.
ORDER = "queued in_progress succeeded failed timed_out rejected cancelled".split()
SQUARE = {
    #              q  p  |  ok fa to re ca
    "queued": "      -  y     -  -  -  y  y",
    "in_progress": " -  -     y  y  y  y  y",
    **dict.fromkeys(ORDER[2:], " -  -     -  -  -  -  -"),
}
LEGAL = {
    (state, to) for state, row in SQUARE.items() for to, mark in zip(ORDER, row.split(), strict=True) if mark == "y"
}


def test_there_are_the_seven_states_of_the_contract() -> None:
    assert [state.value for state in S] == ORDER


@pytest.mark.parametrize("state", ORDER)
@pytest.mark.parametrize("to", ORDER)
def test_a_device_job_moves_exactly_where_the_design_lets_it(state: str, to: str) -> None:
    legal = (state, to) in LEGAL

    assert may_follow(S(state), S(to)) is legal
    if legal:
        assert advance(S(state), S(to)) is S(to)
    else:
        with pytest.raises(IllegalTransition):
            advance(S(state), S(to))


@pytest.mark.parametrize("to", ORDER)
def test_a_device_job_is_born_queued(to: str) -> None:
    if to == "queued":
        assert advance(None, S(to)) is S.QUEUED
    else:
        with pytest.raises(IllegalTransition):
            advance(None, S(to))


def test_a_path_is_checked_at_each_of_its_steps() -> None:
    assert advance(None, S.QUEUED, S.IN_PROGRESS, S.TIMED_OUT) is S.TIMED_OUT
    with pytest.raises(IllegalTransition):
        advance(None, S.QUEUED, S.SUCCEEDED)
    with pytest.raises(ValueError, match="at least one"):
        advance(None)


def test_the_groups_of_states_are_those_of_the_contract() -> None:
    assert {state for state in S if not TRANSITIONS[state]} == FINAL
    assert set(S) == ACTIVE | FINAL
    assert not ACTIVE & FINAL
    assert {state.value for state in RETRYABLE} == {"failed", "timed_out"}
    assert {state.value for state in REPORTABLE} == {"in_progress", "succeeded", "failed", "rejected"}


@pytest.mark.parametrize(
    ("counts", "how", "expected"),
    [
        ({}, {}, "queued"),
        ({"queued": 3}, {}, "queued"),
        ({"queued": 2, "in_progress": 1}, {}, "in_progress"),
        # The first success of a fleet does not end its job.
        ({"queued": 2, "succeeded": 1}, {}, "in_progress"),
        ({"succeeded": 3}, {}, "succeeded"),
        ({"succeeded": 2, "failed": 1}, {}, "failed"),
        ({"succeeded": 2, "timed_out": 1}, {}, "failed"),
        ({"succeeded": 2, "rejected": 1}, {}, "failed"),
        ({"in_progress": 1, "failed": 5}, {}, "in_progress"),
        ({"cancelled": 3}, {"is_cancelled": True}, "cancelled"),
        ({"cancelled": 2, "succeeded": 1}, {"is_cancelled": True}, "cancelled"),
        ({"cancelled": 2, "in_progress": 1}, {"is_cancelled": True}, "in_progress"),
        ({"succeeded": 2}, {"is_cancelled": True}, "succeeded"),
        ({"cancelled": 1, "succeeded": 1}, {}, "failed"),
        ({"cancelled": 1, "queued": 1}, {}, "queued"),
        ({"succeeded": 2}, {"is_open": True}, "in_progress"),
        ({}, {"is_open": True}, "queued"),
        ({"succeeded": 2, "cancelled": 1}, {"is_open": True, "is_cancelled": True}, "cancelled"),
        ({}, {"is_open": True, "is_cancelled": True}, "cancelled"),
    ],
)
def test_an_order_is_what_its_parts_say(counts: dict[str, int], how: dict[str, bool], expected: str) -> None:
    found = execution_state({S(state): count for state, count in counts.items()}, **how)

    assert found is ExecutionState(expected)


@given(st.dictionaries(st.sampled_from(sorted(S)), st.integers(0, 3)), st.booleans())
def test_an_order_has_ended_exactly_when_all_of_its_parts_have(counts: dict[S, int], is_cancelled: bool) -> None:
    present = {state for state, count in counts.items() if count}

    found = execution_state(counts, is_cancelled=is_cancelled)

    assert (found in EXECUTION_FINAL) is (present <= FINAL and bool(present or is_cancelled))
    assert (found is ExecutionState.SUCCEEDED) is (present == {S.SUCCEEDED})


@pytest.mark.parametrize(
    ("said", "exit_code", "meant"),
    [
        ("succeeded", 0, "succeeded"),
        ("succeeded", None, "succeeded"),
        ("succeeded", 1, "failed"),
        ("succeeded", -9, "failed"),
        ("failed", 0, "failed"),
        ("rejected", 1, "rejected"),
        ("in_progress", 1, "in_progress"),
    ],
)
def test_an_exit_code_says_more_than_the_word_success(said: str, exit_code: int | None, meant: str) -> None:
    assert reported(S(said), exit_code) is S(meant)
