"""One turn of the loop against the ledger: births, claims, starts and results, each in one transaction."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.database import DEFAULTS, NOW, add_run, add_task, url_of
from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence
from watchbell.errors import Unavailable
from watchbell.services import runs, tasks
from watchbell.services.turns import DueTask, Result, Started, Ticket, Turn, Turned, take_turn
from watchbell.store import ledger
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

MINUTE = timedelta(minutes=1)
AGAIN = (RunState.RETRY_WAIT, RunState.QUEUED)


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, every="1m")


def _verdict(minute: int = 0, **values: Any) -> Verdict:
    at = NOW + minute * MINUTE
    occurrence = Occurrence(at, f"utc:{at:%FT%T}Z", at.replace(tzinfo=None), 0, "UTC")
    return Verdict(occurrence, **{"is_missed": False, "trigger": Trigger.SCHEDULE, **values})


def _due(task: Task, *verdicts: Verdict, overlap: Overlap = Overlap.SKIP) -> DueTask:
    chosen = verdicts or (_verdict(),)
    cursor_at = chosen[-1].occurrence.due_at
    return DueTask(
        task.id, task.name, task.version, task.change, task.zone, overlap, chosen, cursor_at, cursor_at + MINUTE
    )


def _turn(db: Database, *due: DueTask, room: int = 10, now=NOW, **values: Any) -> Turned:
    return take_turn(db, Turn(now=now, holder="me.home", actor="scheduler@x", room=room, due=due, **values))


def _runs(db: Database) -> list[Run]:
    return list(reversed(runs.list_page(db, limit=500).runs))


def _states(db: Database) -> list[str]:
    return [run.state for run in _runs(db)]


def _path(db: Database, run_id: int) -> list[str]:
    events = runs.get_detail(db, run_id).events
    return [f"{e.from_state or ''}>{','.join(filter(None, [e.path, e.to_state]))}" for e in events]


def _started(ticket: Ticket, **values: Any) -> Started:
    return Started(
        ticket, **{"folder": "/run/1", "pid": 7, "start_ticks": 8, "boot_id": "boot", "at": NOW + MINUTE, **values}
    )


def _result(ticket: Ticket, *path: RunState, state: RunState = RunState.RUNNING, **values: Any) -> Result:
    columns = {f"new_{name}": None for name in ledger._RESULT_COLUMNS}
    columns |= {"new_folder": "", "new_reason": "of the attempt", "new_started_at": NOW, "new_ended_at": NOW + MINUTE}
    columns |= {"new_exit_code": 0, "new_user_seconds": 0.5, "new_series": [[0.0, 1.0, 2, 3]]}
    return Result(
        **{
            "ticket": ticket,
            "state": state,
            "path": path or (RunState.SUCCEEDED,),
            "reason": "exit code 0",
            "attempt": columns,
            **values,
        }
    )


def test_a_turn_of_nothing_does_nothing(db: Database) -> None:
    assert _turn(db) == Turned([], frozenset(), frozenset(), frozenset(), has_backlog=False)


def test_what_is_due_is_born_on_its_way_and_gives_a_ticket(db: Database, task: Task) -> None:
    turned = _turn(db, _due(task))

    (ticket,) = turned.tickets
    (run,) = _runs(db)
    assert ticket == Ticket(run.id, 1, 1, 1, task.id, 1, "backup", NOW, "schedule")
    assert (run.state, run.fence, run.attempts, run.holder) == ("starting", 1, 1, "me.home")
    assert (run.local_time, run.zone, run.reason) == ("2026-11-22 12:00:00", "UTC", "")
    assert _path(db, run.id) == [">queued,claimed,starting"]
    assert turned.planned_tasks == {task.id}
    moved = tasks.get(db, task.id)
    assert (moved.cursor_at, moved.next_due_at) == (NOW, NOW + MINUTE)


def test_everything_of_a_turn_is_told_to_those_who_follow(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    _turn(db, started=[_started(ticket)])
    _turn(db, results=[_result(ticket)])

    with db.read() as session:
        told = list(session.execute(text("SELECT type FROM outbox WHERE run_id = 1 ORDER BY id")).scalars())
    assert told == ["run_started", "run_running", "run_succeeded"]


@pytest.mark.parametrize(
    ("overlap", "active", "states", "reason"),
    [
        (Overlap.SKIP, "running", ["skipped"], "overlap: run #1 is still running; policy: skip on overlap"),
        (Overlap.SKIP, "queued", ["skipped"], "overlap: run #1 is still queued; policy: skip on overlap"),
        (Overlap.SKIP, "retry_wait", ["skipped"], "overlap: run #1 is still retry_wait; policy: skip on overlap"),
        (Overlap.QUEUE_ONE, "running", ["queued"], "waits its turn: run #1 is still running"),
        (Overlap.QUEUE_ONE, "queued", ["skipped"], "overlap: run #1 is still queued; policy: one waits already"),
        (Overlap.ALLOW, "running", ["starting"], ""),
        (Overlap.SKIP, "succeeded", ["starting"], ""),
    ],
)
def test_a_run_that_is_still_active_is_met_by_policy(
    db: Database, task: Task, overlap: Overlap, active: str, states: list[str], reason: str
) -> None:
    add_run(db, task, RunState(active))

    turned = _turn(db, _due(task, overlap=overlap), claims=False)

    run = _runs(db)[1]
    assert ([run.state], run.reason) == (states, reason)
    assert len(turned.tickets) == (states == ["starting"])
    assert (run.ended_at == NOW) is (states == ["skipped"])


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        (Overlap.SKIP, ["starting", "skipped", "skipped"]),
        (Overlap.QUEUE_ONE, ["starting", "queued", "skipped"]),
        (Overlap.ALLOW, ["starting", "starting", "starting"]),
    ],
)
def test_occurrences_of_one_turn_overlap_with_each_other(
    db: Database, task: Task, overlap: Overlap, states: list[str]
) -> None:
    _turn(db, _due(task, *map(_verdict, range(3)), overlap=overlap))

    assert _states(db) == states


def test_the_active_run_of_another_task_is_no_overlap(db: Database, task: Task) -> None:
    add_run(db, add_task(db, "other"), RunState.RUNNING)

    assert len(_turn(db, _due(task)).tickets) == 1


def test_what_is_caught_up_waits_its_turn_instead_of_being_skipped(db: Database, task: Task) -> None:
    late = [_verdict(n, trigger=Trigger.CATCH_UP, reason="no scheduler was running") for n in range(3)]

    _turn(db, _due(task, *late))

    assert _states(db) == ["starting", "queued", "queued"]
    assert _runs(db)[1].reason.startswith("no scheduler was running; waits its turn: ")


def test_missed_ones_are_rows_with_an_end_and_take_no_room(db: Database, task: Task) -> None:
    missed = _verdict(-1, is_missed=True, reason="no scheduler was running", stands_for=7)

    turned = _turn(db, _due(task, missed, _verdict()), room=1)

    first, second = _runs(db)
    assert (first.state, first.stands_for, first.ended_at) == ("missed", 7, NOW)
    assert second.state == "starting"
    assert len(turned.tickets) == 1


def test_what_there_is_no_room_for_waits_and_says_so(db: Database) -> None:
    due = [_due(add_task(db, f"t{n}")) for n in range(3)]

    turned = _turn(db, *due, room=2)

    assert _states(db) == ["starting", "starting", "queued"]
    assert _runs(db)[2].reason == "waits for room: as many commands as allowed are running"
    assert turned.has_backlog


def test_two_turns_for_the_same_occurrence_make_one_row_and_one_ticket(db: Database, task: Task, database_file) -> None:
    other = Database.open(url_of(database_file))

    first, second = _turn(db, _due(task)), _turn(other, _due(task))

    assert (len(first.tickets), len(second.tickets)) == (1, 0)
    assert len(_runs(db)) == 1
    assert second.planned_tasks == {task.id}
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda db, task: tasks.update(db, task.id, {"every": "9m"}, now=NOW - MINUTE, actor="bob", defaults=DEFAULTS),
        lambda db, task: tasks.set_enabled(db, task.id, False, now=NOW - MINUTE, actor="bob"),
        lambda db, task: tasks.delete(db, task.id, now=NOW - MINUTE, actor="bob"),
    ],
    ids=["edited", "disabled", "deleted"],
)
def test_a_task_that_was_changed_meanwhile_is_left_alone_and_the_others_are_not(
    db: Database, task: Task, change
) -> None:
    other = add_task(db, "other")
    change(db, task)
    before = tasks.list_changed(db, 0)

    turned = _turn(db, _due(task), _due(other))

    assert (turned.changed_tasks, turned.planned_tasks) == ({task.id}, {other.id})
    assert [ticket.task_name for ticket in turned.tickets] == ["other"]
    (same,) = [t for t in before if t.id == task.id]
    (found,) = [t for t in tasks.list_changed(db, 0) if t.id == task.id]
    assert (found.cursor_at, found.next_due_at) == (same.cursor_at, same.next_due_at)


def test_what_is_due_first_is_claimed_first(db: Database) -> None:
    made = [add_run(db, add_task(db, f"t{n}"), due_at=NOW - n * MINUTE) for n in range(4)]

    first = _turn(db, room=3)
    second = _turn(db, room=3)

    assert [ticket.run_id for ticket in first.tickets] == [made[3].id, made[2].id, made[1].id]
    assert [ticket.run_id for ticket in second.tickets] == [made[0].id]
    assert (first.has_backlog, second.has_backlog) == (True, False)
    assert _path(db, made[3].id) == ["queued>claimed,starting"]


def test_a_claim_raises_fence_and_attempts(db: Database, task: Task) -> None:
    add_run(db, task, fence=4, attempts=2)

    (ticket,) = _turn(db).tickets

    (run,) = _runs(db)
    assert (run.fence, run.attempts, run.holder) == (5, 3, "me.home")
    assert (ticket.fence, ticket.number) == (5, 3)


def test_one_claim_takes_one_run_of_a_task_unless_they_may_overlap(db: Database, task: Task) -> None:
    many = add_task(db, "many", overlap="allow")
    for _ in range(3):
        add_run(db, task)
        add_run(db, many, may_overlap=True)

    turned = _turn(db)

    assert sorted(ticket.task_name for ticket in turned.tickets) == ["backup", "many", "many", "many"]
    assert turned.has_backlog


def test_claims_and_births_share_the_room(db: Database, task: Task) -> None:
    add_run(db, add_task(db, "waiting"))

    turned = _turn(db, _due(task), room=1)

    assert [ticket.task_name for ticket in turned.tickets] == ["waiting"]
    assert _states(db) == ["starting", "queued"]


@pytest.mark.parametrize("room", [0, -3])
def test_without_room_nothing_is_started(db: Database, task: Task, room: int) -> None:
    add_run(db, task)

    turned = _turn(db, _due(add_task(db, "other")), room=room)

    assert (turned.tickets, turned.has_backlog) == ([], True)
    assert _states(db) == ["queued", "queued"]


def test_a_turn_that_need_not_look_at_the_queue_does_not(db: Database, task: Task) -> None:
    add_run(db, task)

    assert _turn(db, claims=False).tickets == []


def test_a_start_is_written_down_with_the_process(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets

    turned = _turn(db, started=[_started(ticket)])

    detail = runs.get_detail(db, ticket.run_id)
    assert not turned.surprises
    assert (detail.run.state, detail.run.started_at) == ("running", NOW + MINUTE)
    attempt = detail.attempt
    assert (attempt.pid, attempt.start_ticks, attempt.boot_id, attempt.folder) == (7, 8, "boot", "/run/1")


def test_a_result_ends_run_and_attempt_and_keeps_the_output(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    _turn(db, started=[_started(ticket)])
    output = {"attempt_id": ticket.attempt_id, "stream": "stdout", "size": 2, "head_size": 2, "dropped": 0}
    output |= {"content": b"\xff\0", "file": None}

    turned = _turn(db, results=[_result(ticket, outputs=[output])])

    detail = runs.get_detail(db, ticket.run_id)
    run, attempt = detail.run, detail.attempt
    assert not turned.surprises
    assert (run.state, run.ended_at, run.exit_code, run.reason) == ("succeeded", NOW + MINUTE, 0, "exit code 0")
    assert (attempt.ended_at, attempt.reason, attempt.user_seconds) == (NOW + MINUTE, "of the attempt", 0.5)
    assert attempt.series == [[0.0, 1.0, 2, 3]]
    assert runs.find_output(db, run.id, "stdout").kept.content == b"\xff\0"
    assert _path(db, run.id) == [">queued,claimed,starting", "starting>running", "running>succeeded"]


def test_a_run_may_end_before_anybody_wrote_down_that_it_runs(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets

    turned = _turn(db, results=[_result(ticket, RunState.FAILED, state=RunState.STARTING)])

    assert not turned.surprises
    assert _path(db, ticket.run_id)[-1] == "starting>failed"


@pytest.mark.parametrize("result", [RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.LOST])
@pytest.mark.parametrize("believed", [RunState.STARTING, RunState.RUNNING])
def test_a_command_that_finished_before_it_could_be_cancelled_keeps_its_result(
    db: Database, task: Task, result: RunState, believed: RunState
) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    if believed is RunState.RUNNING:
        _turn(db, started=[_started(ticket)])
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = _turn(db, results=[_result(ticket, result, state=believed)])

    assert not turned.surprises
    assert _path(db, ticket.run_id)[-1] == f"cancelling>{result}"
    assert runs.get_detail(db, ticket.run_id).attempt.ended_at == NOW + MINUTE


def test_a_start_that_meets_a_wish_to_cancel_is_a_surprise_and_still_known(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = _turn(db, started=[_started(ticket)])

    assert turned.surprises == {ticket.run_id}
    detail = runs.get_detail(db, ticket.run_id)
    assert (detail.run.state, detail.attempt.pid) == ("cancelling", 7)


def test_a_cancelled_command_ends_cancelled(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    _turn(db, results=[_result(ticket, RunState.CANCELLED, state=RunState.CANCELLING)])

    assert _states(db) == ["cancelled"]


def test_an_attempt_that_may_be_made_again_is(db: Database, task: Task) -> None:
    (first,) = _turn(db, _due(task)).tickets

    _turn(db, results=[_result(first, *AGAIN, state=RunState.STARTING)], claims=False)
    (run,) = _runs(db)
    (second,) = _turn(db).tickets

    assert (run.state, run.ended_at, run.fence) == ("queued", None, 1)
    assert (second.run_id, second.number, second.fence) == (first.run_id, 2, 2)
    assert second.attempt_id != first.attempt_id
    assert _path(db, run.id)[1:] == ["starting>retry_wait,queued", "queued>claimed,starting"]


def test_an_attempt_whose_end_was_asked_for_is_not_made_again(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="bob")

    turned = _turn(db, results=[_result(ticket, *AGAIN, state=RunState.STARTING)])

    assert (turned.surprises, turned.tickets) == (frozenset(), [])
    assert _states(db) == ["cancelled"]


def test_a_result_that_comes_late_changes_nothing(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    _turn(db, results=[_result(ticket, state=RunState.STARTING)])
    before = _path(db, ticket.run_id)

    turned = _turn(db, results=[_result(ticket, RunState.FAILED, state=RunState.STARTING, reason="late")])

    assert turned.surprises == {ticket.run_id}
    assert (_states(db), _path(db, ticket.run_id)) == (["succeeded"], before)


def test_a_stale_owner_writes_nothing(db: Database, task: Task) -> None:
    (stale,) = _turn(db, _due(task)).tickets
    _turn(db, results=[_result(stale, *AGAIN, state=RunState.STARTING)], claims=False)
    (fresh,) = _turn(db).tickets

    turned = _turn(db, started=[_started(stale)], results=[_result(stale, RunState.FAILED, state=RunState.STARTING)])

    assert turned.surprises == {stale.run_id}
    assert _states(db) == ["starting"]
    assert not _turn(db, results=[_result(fresh, state=RunState.STARTING)]).surprises


def test_one_surprise_leaves_the_other_results_as_they_are(db: Database) -> None:
    tickets = _turn(db, *(_due(add_task(db, f"t{n}")) for n in range(5))).tickets
    wrong = {tickets[2].run_id}

    turned = _turn(
        db,
        results=[
            _result(ticket, state=RunState.RUNNING if ticket.run_id in wrong else RunState.STARTING)
            for ticket in tickets
        ],
    )

    assert turned.surprises == wrong
    assert _states(db) == ["succeeded", "succeeded", "starting", "succeeded", "succeeded"]


def test_the_room_that_a_result_leaves_is_taken_in_the_same_turn(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    waiting = add_run(db, task)

    turned = _turn(db, results=[_result(ticket, state=RunState.STARTING)], room=1)

    assert [other.run_id for other in turned.tickets] == [waiting.id]


def test_a_turn_that_cannot_be_stored_leaves_nothing_of_itself(db: Database, task: Task, database_file) -> None:
    impatient = Database.open(url_of(database_file), busy_timeout_seconds=0.01)
    with db.write() as session:
        session.execute(text("UPDATE task SET comment = 'held'"))
        with pytest.raises(Unavailable):
            _turn(impatient, _due(task))

    assert _runs(db) == []
    assert len(_turn(impatient, _due(task)).tickets) == 1
    impatient.close()


def test_a_broken_result_takes_the_whole_turn_back(db: Database, task: Task) -> None:
    (ticket,) = _turn(db, _due(task)).tickets
    broken = dataclasses.replace(_result(ticket, state=RunState.STARTING), path=(RunState.SKIPPED,))

    with pytest.raises(ValueError, match="cannot go from starting to skipped"):
        _turn(db, _due(task, _verdict(1)), results=[broken])

    assert _states(db) == ["starting"]
    assert tasks.get(db, task.id).cursor_at == NOW


def test_a_thousand_due_at_once_are_born_in_one_turn_each_once(db: Database, task: Task) -> None:
    many = add_task(db, "many", overlap="allow")
    verdicts = [_verdict(n) for n in range(1000)]

    turned = _turn(db, _due(many, *verdicts, overlap=Overlap.ALLOW), room=1000)

    assert len({ticket.run_id for ticket in turned.tickets}) == 1000
    assert len({ticket.attempt_id for ticket in turned.tickets}) == 1000
    assert {run.state for run in _runs(db)} == {"starting"}
