"""The state table, compared with the one that the design draws, square by square."""

from __future__ import annotations

import pytest

from watchbell.domain.run_state import (
    ACTIVE,
    FINAL,
    IN_FLIGHT,
    TRANSITIONS,
    IllegalTransition,
    RunState,
    advance,
    may_follow,
)

S = RunState

# Written down from the design, row by row, and not from the code.
ORDER = (
    "queued claimed starting running cancelling retry_wait succeeded failed timed_out cancelled lost skipped missed"
).split()
SQUARE = {
    #             q  c  s  r  x  w  |  ok fa to ca lo sk mi
    "queued": "     -  y  -  -  -  -     -  -  -  y  -  y  y",
    "claimed": "    y  -  y  -  y  -     -  -  -  -  -  -  -",
    "starting": "   -  -  -  y  y  y     y  y  y  -  y  -  -",
    "running": "    -  -  -  -  y  y     y  y  y  -  y  -  -",
    "cancelling": " -  -  -  -  -  -     y  y  y  y  y  -  -",
    "retry_wait": " y  -  -  -  -  -     -  -  -  y  -  y  y",
    **dict.fromkeys(ORDER[6:], " -  -  -  -  -  -     -  -  -  -  -  -  -"),
}
LEGAL = {
    (state, to) for state, row in SQUARE.items() for to, mark in zip(ORDER, row.split(), strict=True) if mark == "y"
}


def test_there_are_the_thirteen_states_of_the_design() -> None:
    assert [state.value for state in RunState] == ORDER


@pytest.mark.parametrize("state", ORDER)
@pytest.mark.parametrize("to", ORDER)
def test_a_run_moves_exactly_where_the_design_lets_it(state: str, to: str) -> None:
    legal = (state, to) in LEGAL

    assert may_follow(S(state), S(to)) is legal
    if legal:
        assert advance(S(state), S(to)) is S(to)
    else:
        with pytest.raises(IllegalTransition):
            advance(S(state), S(to))


@pytest.mark.parametrize("to", ORDER)
def test_a_run_is_born_queued_skipped_or_missed(to: str) -> None:
    if to in {"queued", "skipped", "missed"}:
        assert advance(None, S(to)) is S(to)
    else:
        with pytest.raises(IllegalTransition):
            advance(None, S(to))


def test_active_and_final_states_share_nothing_and_leave_nothing_out() -> None:
    assert {state.value for state in ACTIVE} == set(ORDER[:6])
    assert {state.value for state in FINAL} == set(ORDER[6:])
    assert {state.value for state in IN_FLIGHT} == {"starting", "running", "cancelling"}


def test_nothing_follows_a_final_state() -> None:
    assert all(TRANSITIONS[state] == frozenset() for state in FINAL)


def test_every_active_state_has_a_way_to_an_end() -> None:
    reached = set(FINAL)
    while more := {state for state in ACTIVE - reached if TRANSITIONS[state] & reached}:
        reached |= more

    assert reached == set(RunState)


@pytest.mark.parametrize(
    "path",
    [
        (S.QUEUED, S.CLAIMED, S.STARTING),
        (S.QUEUED, S.CLAIMED, S.QUEUED, S.CLAIMED, S.STARTING, S.RUNNING, S.SUCCEEDED),
        (S.QUEUED, S.CLAIMED, S.STARTING, S.FAILED),
        (S.QUEUED, S.CLAIMED, S.STARTING, S.RETRY_WAIT, S.QUEUED, S.MISSED),
        (S.QUEUED, S.CLAIMED, S.CANCELLING, S.CANCELLED),
        (S.QUEUED, S.CLAIMED, S.STARTING, S.RUNNING, S.CANCELLING, S.SUCCEEDED),
    ],
    ids=lambda path: ",".join(path),
)
def test_a_whole_path_leads_to_its_last_state(path: tuple[RunState, ...]) -> None:
    assert advance(None, *path) is path[-1]


@pytest.mark.parametrize(
    ("start", "path", "wrong"),
    [
        (None, (S.QUEUED, S.STARTING), ("queued", "starting")),
        (S.QUEUED, (S.CLAIMED, S.RUNNING, S.SUCCEEDED), ("claimed", "running")),
        (S.STARTING, (S.SUCCEEDED, S.RUNNING), ("succeeded", "running")),
        (S.RUNNING, (S.RETRY_WAIT, S.CLAIMED), ("retry_wait", "claimed")),
    ],
)
def test_a_path_fails_at_its_first_wrong_step(
    start: RunState | None, path: tuple[RunState, ...], wrong: tuple[str, str]
) -> None:
    with pytest.raises(IllegalTransition) as caught:
        advance(start, *path)

    assert (caught.value.state, caught.value.to) == wrong


def test_a_refusal_names_both_states() -> None:
    with pytest.raises(IllegalTransition, match=r"^a run cannot go from succeeded to running$"):
        advance(S.SUCCEEDED, S.RUNNING)


def test_a_refused_birth_says_that_it_is_one() -> None:
    with pytest.raises(IllegalTransition, match=r"^a run cannot begin as running$"):
        advance(None, S.RUNNING)


def test_an_empty_path_is_no_answer_for_a_run_that_is_not_there() -> None:
    assert advance(S.RUNNING) is S.RUNNING
    with pytest.raises(ValueError, match="at least one state"):
        advance(None)
