"""What holds a run back or brings it forward in a turn: pauses, queues, priorities, latest starts, replacing, retries."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import event

from tests.database import NOW, add_run, add_task, run_row
from tests.unit.turning import MINUTE, all_runs, due_task, result_of, states_of, transitions, turn, verdict_at
from watchbell.domain.catch_up import Trigger
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState
from watchbell.services import pauses, queues, runs
from watchbell.services.deadlines import look_back
from watchbell.services.tickets import NO_HOLDS, DueTask, Holds
from watchbell.store import ledger, waiting
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both

SECOND = timedelta(seconds=1)
PAUSED = "it is paused by ann since 2026-11-22 11:00 UTC"


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, every="1m")


def _due(task: Task, *verdicts, overlap: Overlap = Overlap.SKIP, **values: object) -> DueTask:
    return dataclasses.replace(due_task(task, *verdicts, overlap=overlap), **values)  # type: ignore[arg-type]


def _names(turned) -> list[str]:
    return [ticket.task_name for ticket in turned.tickets]


@pytest.mark.parametrize("thing", ["everything", "task"])
def test_a_moment_of_what_is_paused_is_skipped_and_says_why(db: Database, task: Task, thing: str) -> None:
    holds = Holds(everything=PAUSED) if thing == "everything" else Holds(tasks={task.id: PAUSED})
    missed = verdict_at(-2, is_missed=True, reason="no scheduler was running")
    late = verdict_at(-1, trigger=Trigger.CATCH_UP, reason="no scheduler was running")

    turned = turn(db, _due(task, missed, late, verdict_at()), holds=holds)

    assert [(run.state, run.reason) for run in all_runs(db)] == [
        ("missed", "no scheduler was running"),
        ("skipped", f"no scheduler was running; {PAUSED}"),
        ("skipped", PAUSED),
    ]
    assert (turned.tickets, turned.has_backlog) == ([], False)


def test_a_moment_for_a_paused_queue_waits_there(db: Database, task: Task) -> None:
    turned = turn(db, _due(task, queue="backup"), holds=Holds(queues={"backup": PAUSED}))

    (run,) = all_runs(db)
    assert (run.state, run.queue, run.reason) == ("queued", "backup", PAUSED)
    assert turned.has_backlog
    assert not turn(db, holds=Holds(queues={"backup": PAUSED})).tickets
    assert len(turn(db).tickets) == 1


@pytest.mark.parametrize("scope", ["everything", "queue:backup", "task:1"])
def test_what_was_asked_for_behind_a_pause_waits_although_nobody_has_looked_at_the_pause_yet(
    db: Database, task: Task, scope: str
) -> None:
    pauses.pause(db, scope, now=NOW, actor="ann")
    held = add_run(db, task, queue="backup")

    turned = turn(db, holds=NO_HOLDS)

    assert turned.tickets == []
    assert runs.get(db, held.id).state == "queued"


@pytest.mark.parametrize(
    "holds", [Holds(everything=PAUSED), Holds(tasks={1: PAUSED}), Holds(queues={"backup": PAUSED})], ids=str
)
def test_what_waits_and_is_paused_goes_on_waiting_and_holds_up_nobody(db: Database, task: Task, holds: Holds) -> None:
    held = add_run(db, task, queue="backup", priority=50)
    free = add_run(db, add_task(db, "other"))

    turned = turn(db, holds=holds)

    assert runs.get(db, held.id).state == "queued"
    assert [ticket.run_id for ticket in turned.tickets] == ([] if holds.everything else [free.id])
    assert turned.has_backlog
    assert not turned.has_more


def _bound(db: Database, most: int, name: str = "backup") -> Holds:
    queues.set_bounds(db, name, max_running=most, now=NOW, actor="ann")
    return Holds(bounded=frozenset({name}))


def test_a_bounded_queue_gives_out_its_seats_and_those_behind_pass_it(db: Database) -> None:
    holds = _bound(db, 2)
    for number in range(20):
        add_run(db, add_task(db, f"b{number}"), queue="backup", priority=5, due_at=NOW + number * SECOND)
    for number in range(4):
        add_run(db, add_task(db, f"f{number}"), due_at=NOW + number * SECOND)

    first = turn(db, room=4, holds=holds)
    second = turn(db, room=4, holds=holds)

    assert _names(first) == ["b0", "b1", "f0", "f1"]
    assert _names(second) == ["f2", "f3"]
    assert (first.has_more, second.has_more, second.has_backlog) == (True, False, True)


@pytest.mark.parametrize("state", ["claimed", "starting", "running", "cancelling"])
def test_what_is_in_flight_takes_a_seat_whatever_its_state(db: Database, state: str) -> None:
    holds = _bound(db, 1)
    add_run(db, add_task(db, "going"), RunState(state), queue="backup", priority=0)
    add_run(db, add_task(db, "waiting"), queue="backup", priority=0)

    turned = turn(db, _due(add_task(db, "due"), queue="backup"), holds=holds)

    assert turned.tickets == []
    assert all_runs(db)[2].reason == "waits for room in queue backup"


def test_what_is_due_in_a_bounded_queue_takes_the_seats_that_are_left(db: Database) -> None:
    holds = _bound(db, 2)
    add_run(db, add_task(db, "waiting"), queue="backup", priority=0, due_at=NOW - MINUTE)
    due = [_due(add_task(db, f"due{number}"), queue="backup") for number in range(3)]

    turned = turn(db, *due, holds=holds)

    assert _names(turned) == ["waiting", "due0"]
    assert states_of(db) == ["starting", "starting", "queued", "queued"]


def test_the_seat_of_a_run_that_has_ended_in_this_turn_is_free(db: Database, task: Task) -> None:
    holds = _bound(db, 1)
    (ticket,) = turn(db, _due(task, queue="backup"), holds=holds).tickets
    add_run(db, add_task(db, "waiting"), queue="backup", priority=0)

    turned = turn(db, results=[result_of(ticket, state=RunState.STARTING)], holds=holds)

    assert _names(turned) == ["waiting"]


def test_room_goes_by_priority_then_by_moment_among_what_waits_and_what_is_due(db: Database) -> None:
    for name, priority, age in (("old", 0, 9), ("new", 0, 1), ("low", -1, 99), ("soon", 101, 0)):
        add_run(db, add_task(db, name), priority=priority, queue="default", due_at=NOW - age * MINUTE)
    due = [_due(add_task(db, "due-high"), priority=7), _due(add_task(db, "due-low"), priority=-2)]

    taken = [_names(turn(db, *due, room=1))]
    taken += [_names(turn(db, room=1)) for _ in range(5)]

    assert taken == [["soon"], ["due-high"], ["old"], ["new"], ["low"], ["due-low"]]


def test_room_is_left_for_what_is_due_and_comes_first(db: Database) -> None:
    for number in range(3):
        add_run(db, add_task(db, f"waits{number}"), due_at=NOW - MINUTE)

    turned = turn(db, _due(add_task(db, "urgent"), priority=1), room=2)

    assert _names(turned) == ["waits0", "urgent"]
    assert turned.has_more


def test_no_room_is_kept_for_what_is_due_and_cannot_start(db: Database, task: Task) -> None:
    waiting = [add_run(db, add_task(db, f"waits{number}")) for number in range(3)]
    paused = _due(task, priority=9)

    turned = turn(db, paused, room=2, holds=Holds(tasks={task.id: PAUSED}))

    assert [ticket.run_id for ticket in turned.tickets] == [run.id for run in waiting[:2]]


def test_a_run_in_another_queue_of_its_task_is_not_behind_and_not_beside_the_other(db: Database, task: Task) -> None:
    add_run(db, task, queue="before", priority=0, due_at=NOW - MINUTE)
    moved = add_run(db, task, queue="after", priority=0)

    assert [t.run_id for t in turn(db, holds=Holds(queues={"before": PAUSED})).tickets] == [moved.id]
    assert turn(db).tickets == []


def test_both_of_two_queues_of_one_task_never_start_together(db: Database, task: Task) -> None:
    first = add_run(db, task, queue="before", priority=0, due_at=NOW - MINUTE)
    add_run(db, task, queue="after", priority=0)

    assert [ticket.run_id for ticket in turn(db).tickets] == [first.id]


def test_what_is_due_carries_its_latest_start_and_what_is_caught_up_does_not(db: Database, task: Task) -> None:
    late = verdict_at(-1, trigger=Trigger.CATCH_UP)

    turned = turn(db, _due(task, late, verdict_at(), overlap=Overlap.QUEUE_ALL, start_by=NOW + MINUTE), room=0)

    assert [run.start_by for run in all_runs(db)] == [None, NOW + MINUTE]
    assert turned.next_moment == NOW + MINUTE


def test_what_is_too_late_is_not_started_and_becomes_missed(db: Database, task: Task) -> None:
    late = add_run(db, task, start_by=NOW - SECOND, reason="waits for room")
    tried = add_run(db, add_task(db, "tried"), start_by=NOW - SECOND, attempts=1)
    add_run(db, add_task(db, "in time"), start_by=NOW + MINUTE)

    assert sorted(_names(turn(db, room=9))) == ["in time", "tried"]
    turned = turn(db, room=0, claims=False, is_time=True)

    run = runs.get(db, late.id)
    assert (run.state, run.ended_at) == ("missed", NOW)
    assert run.reason == "not started by 2026-11-22 11:59:59 UTC, its latest start; waits for room"
    assert transitions(db, late.id) == ["queued>missed"]
    assert runs.get(db, tried.id).state == "starting"
    assert turned.next_moment is None


def test_what_waited_behind_one_that_is_too_late_is_started(db: Database, task: Task) -> None:
    add_run(db, task, start_by=NOW - SECOND, due_at=NOW - MINUTE)
    behind = add_run(db, task, start_by=NOW + MINUTE)
    assert turn(db).tickets == []

    turned = turn(db, claims=False, is_time=True)

    assert turned.has_more
    assert [ticket.run_id for ticket in turn(db).tickets] == [behind.id]


def test_a_run_is_tried_again_when_its_time_has_come_and_not_before(db: Database, task: Task) -> None:
    reason = "attempt 1 of 4: exit code 7; next attempt at 2026-11-22 12:00:00 UTC"
    due = add_run(db, task, RunState.RETRY_WAIT, retry_at=NOW, attempts=1, reason=reason)
    later = add_run(db, add_task(db, "later"), RunState.RETRY_WAIT, retry_at=NOW + MINUTE, attempts=1)

    turned = turn(db, is_time=True)

    assert [(ticket.run_id, ticket.number) for ticket in turned.tickets] == [(due.id, 2)]
    run = runs.get(db, due.id)
    assert (run.retry_at, run.reason) == (None, "attempt 1 of 4: exit code 7; tried again")
    assert runs.get(db, later.id).state == "retry_wait"
    assert turned.next_moment == NOW + MINUTE


def _failing(ticket, **values):
    columns = {"retry_at": NOW + MINUTE, "without_retry": RunState.FAILED, "reason": "attempt 1 of 2: exit code 7"}
    return result_of(ticket, RunState.RETRY_WAIT, state=RunState.STARTING, **{**columns, **values})


def test_a_failed_attempt_waits_for_the_next_one_and_counts_as_active(db: Database, task: Task) -> None:
    (ticket,) = turn(db, _due(task)).tickets

    turned = turn(db, results=[_failing(ticket)])

    run = runs.get(db, ticket.run_id)
    assert (run.state, run.retry_at, run.ended_at) == ("retry_wait", NOW + MINUTE, None)
    assert turned.next_moment == NOW + MINUTE
    assert turn(db, _due(task, verdict_at(1))).tickets == []
    assert all_runs(db)[1].reason == f"overlap: run #{run.id} is still retry_wait; policy: skip on overlap"
    past = look_back(db, run.id, 2)
    assert (past.failures, past.first_started_at) == (1, None)


def test_a_cancel_that_meets_a_failure_leaves_the_failure_and_makes_no_other_attempt(db: Database, task: Task) -> None:
    (ticket,) = turn(db, _due(task)).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="ann")

    turn(db, results=[_failing(ticket)])

    run = runs.get(db, ticket.run_id)
    assert (run.state, run.retry_at, run.reason) == ("failed", None, "of the attempt")


def test_a_lost_run_of_a_task_that_asks_is_open(db: Database, task: Task) -> None:
    (ticket,) = turn(db, _due(task)).tickets

    turn(db, results=[result_of(ticket, RunState.LOST, state=RunState.STARTING, decision="open")])

    assert runs.get(db, ticket.run_id).decision == "open"


def test_the_due_run_takes_the_place_of_what_is_active(db: Database, task: Task) -> None:
    running = add_run(db, task, RunState.RUNNING)
    waiting = add_run(db, task)
    tried = add_run(db, task, RunState.RETRY_WAIT, attempts=1)

    turned = turn(db, _due(task, overlap=Overlap.REPLACE))

    newest = all_runs(db)[3]
    words = f"replaced by run #{newest.id}"
    found = {run.id: (run.state, run.reason) for run in all_runs(db)}
    assert found[running.id] == ("cancelling", words)
    assert found[waiting.id] == ("skipped", words)
    assert found[tried.id] == ("cancelled", words)
    assert newest.state == "queued"
    assert turned.replaced == {running.id: words}
    assert runs.get_detail(db, running.id).events[-1].actor == "scheduler@x"
    assert turn(db).tickets == []


def test_replacing_only_what_waits_lets_the_new_one_start_in_the_next_turn(db: Database, task: Task) -> None:
    add_run(db, task)

    turned = turn(db, _due(task, overlap=Overlap.REPLACE), claims=False)

    assert (turned.replaced, turned.has_more) == ({}, True)
    assert [ticket.run_id for ticket in turn(db).tickets] == [2]


def test_a_paused_queue_ends_nothing_that_runs(db: Database, task: Task) -> None:
    running = add_run(db, task, RunState.RUNNING)

    turn(db, _due(task, overlap=Overlap.REPLACE, queue="backup"), holds=Holds(queues={"backup": PAUSED}))

    assert runs.get(db, running.id).state == "running"
    assert all_runs(db)[1].state == "queued"


@pytest.mark.parametrize(("limit", "states"), [(1, ["queued", "skipped"]), (2, ["queued", "queued"])])
def test_as_many_wait_as_the_task_allows(db: Database, task: Task, limit: int, states: list[str]) -> None:
    add_run(db, task, RunState.RUNNING)

    turn(db, _due(task, verdict_at(), verdict_at(1), overlap=Overlap.QUEUE_ALL, overlap_limit=limit), claims=False)

    assert states_of(db)[1:] == states
    if limit == 1:
        assert all_runs(db)[2].reason == "overlap: another run of this task has just become due; policy: 1 wait already"


def test_without_pauses_and_bounds_a_turn_asks_nothing_more(db: Database) -> None:
    """Sixteen births, their start and their end: the number of statements does not depend on what nobody uses."""
    due = [due_task(add_task(db, f"t{number}", every="1m")) for number in range(16)]
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _u, text, *_rest: seen.append(text))

    turned = turn(db, *due, room=16, claims=False)
    born = len(seen)
    turn(db, results=[result_of(ticket, state=RunState.STARTING) for ticket in turned.tickets], claims=False)

    told = "\n".join(seen)
    assert "FROM queue" not in told
    assert "FROM pause" not in told
    assert "retry_at" not in told.replace("INSERT INTO run", "")
    # BEGIN, cursors with their savepoint, what is active, ids, runs, events, outbox, attempts, commit.
    assert born <= 13
    assert len(seen) - born <= 12


def _steps(db: Database, waiting_runs: int, task: Task) -> int:
    """Return how many steps the database takes, in thousands, to look past so many more runs of a busy task."""
    with db.write() as session:
        ledger.insert_runs(session, [run_row(task, due_at=NOW + n * SECOND) for n in range(waiting_runs)])
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with db.read() as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        connection.set_progress_handler(count, 1000)
        assert waiting.list_startable(session, 10, now=NOW) == []
        connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.embedded
def test_a_long_queue_behind_a_busy_task_is_looked_past_at_a_cost_that_grows_with_its_length_only(
    db: Database, task: Task
) -> None:
    add_run(db, task, RunState.RUNNING)

    short = _steps(db, 500, task)
    long = _steps(db, 1500, task)

    # Four times as many: were each looked up anew in the queue of its task, it would be sixteen times.
    assert long <= 6 * short + 10
