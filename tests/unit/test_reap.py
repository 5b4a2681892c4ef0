"""From the end of a process to what becomes of its run: the result, another attempt, or a question to a person."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW
from watchbell.domain.policies import Policies, Uncertain, build_policies
from watchbell.domain.run_state import RunState
from watchbell.execution import Finished, Outcome, Usage
from watchbell.execution.outcome import Captured
from watchbell.scheduler.reap import gone, to_result
from watchbell.services.deadlines import NO_PAST, Past
from watchbell.services.tickets import Result, Started, Ticket

SECOND = timedelta(seconds=1)


def _ticket(number: int = 1) -> Ticket:
    return Ticket(1, 1, number, number, 1, 1, "job", NOW, "schedule")


def _result(
    policies: Policies, *, past: Past = NO_PAST, state: RunState = RunState.RUNNING, number: int = 1, **outcome: object
) -> Result:
    ended = Outcome(**{"exit_code": 7, "signal": None, "ended_at": NOW, "reason": "exit code 7", **outcome})  # type: ignore[arg-type]
    finished = Finished((1, number), ended, Usage(), (), Captured(0), Captured(0))
    started = Started(_ticket(number), "/run", 7, 8, "boot", NOW - 10 * SECOND)
    return to_result(_ticket(number), state, started, finished, policies=policies, output_root=Path("/"), past=past)


def _retrying(**policies: object) -> Policies:
    return build_policies({"retries": 3, "retry_delay_seconds": 5, **policies})


def test_a_failure_without_retries_is_the_end() -> None:
    result = _result(Policies())

    assert (result.path, result.reason, result.retry_at, result.without_retry) == (
        (RunState.FAILED,),
        "exit code 7",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ({}, RunState.FAILED),
        ({"exit_code": None, "signal": 11}, RunState.FAILED),
        ({"exit_code": None, "signal": 9, "timed_out": True}, RunState.TIMED_OUT),
    ],
)
def test_a_failure_with_retries_left_waits_for_the_next_attempt(outcome: dict[str, object], state: RunState) -> None:
    result = _result(_retrying(), **outcome)

    assert (result.path, result.retry_at, result.without_retry) == ((RunState.RETRY_WAIT,), NOW + 5 * SECOND, state)
    assert result.reason == "attempt 1 of 4: exit code 7; next attempt at 2026-11-22 12:00:05 UTC"


def test_failures_are_counted_and_not_attempts_that_never_came_about() -> None:
    # The third attempt is the second one to fail: another was lost before it could do anything.
    result = _result(_retrying(), number=3, past=Past(1, NOW - 60 * SECOND))
    last = _result(_retrying(), number=5, past=Past(3, NOW - 60 * SECOND))

    assert result.reason.startswith("attempt 2 of 4: ")
    assert (last.path, last.reason) == ((RunState.FAILED,), "exit code 7; given up after 4 attempts")


@pytest.mark.parametrize(
    "outcome",
    [
        {"exit_code": 0},
        {"exit_code": None, "cancelled": True, "signal": 15},
        {"exit_code": None, "lost": True},
        {"exit_code": 2},
        {"exit_code": 126, "not_started": True},
    ],
    ids=str,
)
def test_what_succeeded_was_cancelled_lost_filtered_or_is_not_there_is_not_retried(outcome: dict[str, object]) -> None:
    result = _result(_retrying(retry_not_on="2"), **outcome)

    assert (result.retry_at, len(result.path)) == (None, 1)
    assert result.path[0] is not RunState.RETRY_WAIT


def test_of_a_run_that_is_being_ended_no_other_attempt_is_made() -> None:
    result = _result(_retrying(), state=RunState.CANCELLING)

    assert (result.path, result.reason, result.retry_at) == ((RunState.FAILED,), "exit code 7", None)


@pytest.mark.parametrize(
    ("uncertain", "path", "decision"),
    [
        (Uncertain.LOST, (RunState.LOST,), None),
        (Uncertain.ASK, (RunState.LOST,), "open"),
        (Uncertain.RUN_AGAIN, (RunState.RETRY_WAIT, RunState.QUEUED), None),
    ],
)
def test_what_is_lost_goes_by_policy(uncertain: Uncertain, path: tuple[RunState, ...], decision: str | None) -> None:
    policies = Policies(uncertain=uncertain)

    for result in (
        _result(policies, exit_code=None, lost=True),
        gone(_ticket(), RunState.RUNNING, None, "host rebooted", policies, NOW),
    ):
        assert (result.path, result.decision) == (path, decision)


def test_a_run_with_many_retries_is_still_started_again_when_it_is_lost() -> None:
    policies = _retrying(retries=50, uncertain="run_again")

    assert _result(policies, number=40, exit_code=None, lost=True).path[-1] is RunState.QUEUED
    assert _result(policies, number=60, exit_code=None, lost=True).path == (RunState.LOST,)


def test_a_command_that_breaks_a_gate_has_failed_whatever_its_exit_code_and_is_tried_again_like_any_failure() -> None:
    fine = {"exit_code": 0, "reason": "exit code 0"}
    words = "gate 'quick' broken: execution_time_seconds < 5 (execution_time_seconds 10)"

    kept = _result(build_policies({"gates": "execution_time_seconds < 60"}), **fine)
    broken = _result(build_policies({"gates": "quick: execution_time_seconds < 5"}), **fine)
    again = _result(_retrying(gates="quick: execution_time_seconds < 5"), **fine)
    not_on = _result(_retrying(gates="quick: execution_time_seconds < 5", retry_not_on="0"), **fine)

    assert (kept.path, kept.reason) == ((RunState.SUCCEEDED,), "exit code 0")
    assert (broken.path, broken.reason, broken.attempt["new_reason"]) == ((RunState.FAILED,), words, words)
    assert broken.attempt["new_exit_code"] == 0
    assert (again.path, again.without_retry) == ((RunState.RETRY_WAIT,), RunState.FAILED)
    assert again.reason == f"attempt 1 of 4: {words}; next attempt at 2026-11-22 12:00:05 UTC"
    assert not_on.path == (RunState.FAILED,)


@pytest.mark.parametrize(
    "outcome", [{}, {"exit_code": None, "lost": True}, {"exit_code": None, "signal": 9, "timed_out": True}]
)
def test_gates_are_not_asked_about_what_has_not_succeeded_anyway(outcome: dict[str, object]) -> None:
    plain = _result(Policies(), **outcome)
    gated = _result(build_policies({"gates": "execution_time_seconds < 5"}), **outcome)

    assert (gated.path, gated.reason) == (plain.path, plain.reason)
