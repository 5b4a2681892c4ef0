"""What a turn brings home: starts and results, against whatever others have done to the rows meanwhile."""

from __future__ import annotations

import dataclasses

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.turning import (
    AGAIN,
    MINUTE,
    all_runs,
    due_task,
    result_of,
    started_on,
    states_of,
    transitions,
    turn,
    verdict_at,
)
from watchbell.domain.run_state import RunState
from watchbell.services import runs, tasks
from watchbell.store import marks
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, every="1m")


def test_a_start_is_written_down_with_the_process(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets

    turned = turn(db, started=[started_on(ticket)])

    detail = runs.get_detail(db, ticket.run_id)
    assert not turned.surprises
    assert (detail.run.state, detail.run.started_at) == ("running", NOW + MINUTE)
    attempt = detail.attempt
    assert (attempt.pid, attempt.start_ticks, attempt.boot_id, attempt.folder) == (7, 8, "boot", "/run/1")


def test_a_result_ends_run_and_attempt_and_keeps_the_output(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    turn(db, started=[started_on(ticket)])
    output = {"attempt_id": ticket.attempt_id, "stream": "stdout", "size": 2, "head_size": 2, "dropped": 0}
    output |= {"content": b"\xff\0", "file": None}

    turned = turn(db, results=[result_of(ticket, outputs=[output])])

    detail = runs.get_detail(db, ticket.run_id)
    run, attempt = detail.run, detail.attempt
    assert not turned.surprises
    assert (run.state, run.ended_at, run.exit_code, run.reason) == ("succeeded", NOW + MINUTE, 0, "exit code 0")
    assert (attempt.ended_at, attempt.reason, attempt.user_seconds) == (NOW + MINUTE, "of the attempt", 0.5)
    assert attempt.series == [[0.0, 1.0, 2, 3]]
    assert runs.find_output(db, run.id, "stdout").kept.content == b"\xff\0"
    assert transitions(db, run.id) == [">queued,claimed,starting", "starting>running", "running>succeeded"]


def test_a_run_may_end_before_anybody_wrote_down_that_it_runs(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets

    turned = turn(db, results=[result_of(ticket, RunState.FAILED, state=RunState.STARTING)])

    assert not turned.surprises
    assert transitions(db, ticket.run_id)[-1] == "starting>failed"


@pytest.mark.parametrize("result", [RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.LOST])
@pytest.mark.parametrize("believed", [RunState.STARTING, RunState.RUNNING])
def test_a_command_that_finished_before_it_could_be_cancelled_keeps_its_result(
    db: Database, task: Task, result: RunState, believed: RunState
) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    if believed is RunState.RUNNING:
        turn(db, started=[started_on(ticket)])
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = turn(db, results=[result_of(ticket, result, state=believed)])

    assert not turned.surprises
    assert transitions(db, ticket.run_id)[-1] == f"cancelling>{result}"
    assert runs.get_detail(db, ticket.run_id).attempt.ended_at == NOW + MINUTE


def test_a_start_that_meets_a_wish_to_cancel_is_a_surprise_and_still_known(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = turn(db, started=[started_on(ticket)])

    assert turned.surprises == {ticket.run_id}
    detail = runs.get_detail(db, ticket.run_id)
    assert (detail.run.state, detail.attempt.pid) == ("cancelling", 7)


def test_a_cancelled_command_ends_cancelled(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turn(db, results=[result_of(ticket, RunState.CANCELLED, state=RunState.CANCELLING)])

    assert states_of(db) == ["cancelled"]


def test_an_attempt_that_may_be_made_again_is(db: Database, task: Task) -> None:
    (first,) = turn(db, due_task(task)).tickets

    turn(db, results=[result_of(first, *AGAIN, state=RunState.STARTING)], claims=False)
    (run,) = all_runs(db)
    (second,) = turn(db).tickets

    assert (run.state, run.ended_at, run.fence) == ("queued", None, 1)
    assert (second.run_id, second.number, second.fence) == (first.run_id, 2, 2)
    assert second.attempt_id != first.attempt_id
    assert transitions(db, run.id)[1:] == ["starting>retry_wait,queued", "queued>claimed,starting"]


def test_an_attempt_whose_end_was_asked_for_is_not_made_again(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = turn(db, results=[result_of(ticket, *AGAIN, state=RunState.STARTING)])

    (run,) = all_runs(db)
    assert (turned.surprises, turned.tickets) == (frozenset(), [])
    assert (run.state, run.reason) == ("cancelled", "cancelled; of the attempt")


def test_a_result_that_comes_late_changes_nothing(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    turn(db, results=[result_of(ticket, state=RunState.STARTING)])
    before = transitions(db, ticket.run_id)

    turned = turn(db, results=[result_of(ticket, RunState.FAILED, state=RunState.STARTING, reason="late")])

    assert turned.surprises == {ticket.run_id}
    assert (states_of(db), transitions(db, ticket.run_id)) == (["succeeded"], before)


def test_a_stale_owner_writes_nothing(db: Database, task: Task) -> None:
    (stale,) = turn(db, due_task(task)).tickets
    turn(db, results=[result_of(stale, *AGAIN, state=RunState.STARTING)], claims=False)
    (fresh,) = turn(db).tickets

    turned = turn(db, started=[started_on(stale)], results=[result_of(stale, RunState.FAILED, state=RunState.STARTING)])

    assert turned.surprises == {stale.run_id}
    assert states_of(db) == ["starting"]
    assert not turn(db, results=[result_of(fresh, state=RunState.STARTING)]).surprises


def test_one_surprise_leaves_the_other_results_as_they_are(db: Database) -> None:
    tickets = turn(db, *(due_task(add_task(db, f"t{n}")) for n in range(5))).tickets
    wrong = {tickets[2].run_id}

    turned = turn(
        db,
        results=[
            result_of(ticket, state=RunState.RUNNING if ticket.run_id in wrong else RunState.STARTING)
            for ticket in tickets
        ],
    )

    assert turned.surprises == wrong
    assert states_of(db) == ["succeeded", "succeeded", "starting", "succeeded", "succeeded"]


def test_the_room_that_a_result_leaves_is_taken_in_the_same_turn(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    waiting = add_run(db, task)

    turned = turn(db, results=[result_of(ticket, state=RunState.STARTING)], room=1)

    assert [other.run_id for other in turned.tickets] == [waiting.id]


def test_a_broken_result_takes_the_whole_turn_back(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    broken = dataclasses.replace(result_of(ticket, state=RunState.STARTING), path=(RunState.SKIPPED,))

    with pytest.raises(ValueError, match="cannot go from starting to skipped"):
        turn(db, due_task(task, verdict_at(1)), results=[broken])

    assert states_of(db) == ["starting"]
    assert tasks.get(db, task.id).cursor_at == NOW


def test_what_comes_after_a_run_was_judged_without_it_is_kept_beside_it_once_and_moves_nothing(
    db: Database, task: Task
) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    turn(db, started=[started_on(ticket)])
    late = result_of(ticket)
    before = result_of(ticket, RunState.LOST, reason="its worker is gone")
    nothing = {**before.attempt, "new_exit_code": None, "new_signal": None}
    turn(db, results=[dataclasses.replace(before, attempt=nothing)])
    told = runs.get_detail(db, ticket.run_id)
    with db.read() as session:
        newest = marks.newest_event(session)

    surprised = [
        turn(db, results=[dataclasses.replace(late, attempt=given)]) for given in (nothing, late.attempt, late.attempt)
    ]

    detail = runs.get_detail(db, ticket.run_id)
    assert [turned.surprises for turned in surprised] == [frozenset({ticket.run_id})] * 3
    assert (detail.run.state, detail.run.reason, detail.run.ended_at) == (
        "lost",
        "its worker is gone",
        told.run.ended_at,
    )
    assert detail.attempt.exit_code is None
    (event,) = detail.events[len(told.events) :]
    assert event.is_late_report and event.reason.startswith("late report of attempt 1: of the attempt, at 2026-11-22")
    assert not any(event.is_late_report for event in told.events)
    # Whatever follows ends, such as chains and alerts, has followed this one already.
    with db.read() as session:
        assert marks.list_ended(session, newest, NOW + 60 * MINUTE, ["lost"], 10)[0] == []


def test_a_result_that_comes_twice_is_no_late_report(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    turn(db, started=[started_on(ticket)])
    for _ in range(2):
        turn(db, results=[result_of(ticket)])

    assert not any(event.is_late_report for event in runs.get_detail(db, ticket.run_id).events)
