"""One turn of the loop against the ledger: what is due is born, what waits is claimed, and nobody is started twice."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.turning import (
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
from watchbell.domain.catch_up import Trigger
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState
from watchbell.errors import Unavailable
from watchbell.services import tasks
from watchbell.services.turns import Ticket, Turned
from watchbell.store import events
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, every="1m")


def test_a_turn_of_nothing_does_nothing(db: Database) -> None:
    assert turn(db) == Turned([], frozenset(), frozenset(), frozenset(), has_backlog=False)


def test_what_is_due_is_born_on_its_way_and_gives_a_ticket(db: Database, task: Task) -> None:
    turned = turn(db, due_task(task))

    (ticket,) = turned.tickets
    (run,) = all_runs(db)
    assert ticket == Ticket(run.id, 1, 1, 1, task.id, 1, "backup", NOW, "schedule")
    assert (run.state, run.fence, run.attempts, run.holder) == ("starting", 1, 1, "me.home")
    assert (run.local_time, run.zone, run.reason) == ("2026-11-22 12:00:00", "UTC", "")
    assert transitions(db, run.id) == [">queued,claimed,starting"]
    assert turned.planned_tasks == {task.id}
    moved = tasks.get(db, task.id)
    assert (moved.cursor_at, moved.next_due_at) == (NOW, NOW + MINUTE)


def test_everything_of_a_turn_is_told_to_those_who_follow(db: Database, task: Task) -> None:
    (ticket,) = turn(db, due_task(task)).tickets
    turn(db, started=[started_on(ticket)])
    turn(db, results=[result_of(ticket)])

    with db.read() as session:
        told = [event.type for event in events.list_after(session, 0) if event.run_id == 1]
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

    turned = turn(db, due_task(task, overlap=overlap), claims=False)

    run = all_runs(db)[1]
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
    turn(db, due_task(task, *map(verdict_at, range(3)), overlap=overlap))

    assert states_of(db) == states


def test_the_active_run_of_another_task_is_no_overlap(db: Database, task: Task) -> None:
    add_run(db, add_task(db, "other"), RunState.RUNNING)

    assert len(turn(db, due_task(task)).tickets) == 1


def test_what_is_caught_up_waits_its_turn_instead_of_being_skipped(db: Database, task: Task) -> None:
    late = [verdict_at(n, trigger=Trigger.CATCH_UP, reason="no scheduler was running") for n in range(3)]

    turn(db, due_task(task, *late))

    assert states_of(db) == ["starting", "queued", "queued"]
    assert all_runs(db)[1].reason.startswith("no scheduler was running; waits its turn: ")


def test_missed_ones_are_rows_with_an_end_and_take_no_room(db: Database, task: Task) -> None:
    missed = verdict_at(-1, is_missed=True, reason="no scheduler was running", stands_for=7)

    turned = turn(db, due_task(task, missed, verdict_at()), room=1)

    first, second = all_runs(db)
    assert (first.state, first.stands_for, first.ended_at) == ("missed", 7, NOW)
    assert second.state == "starting"
    assert len(turned.tickets) == 1


def test_what_there_is_no_room_for_waits_and_says_so(db: Database) -> None:
    due = [due_task(add_task(db, f"t{n}")) for n in range(3)]

    turned = turn(db, *due, room=2)

    assert states_of(db) == ["starting", "starting", "queued"]
    assert all_runs(db)[2].reason == "waits for room: as many commands as allowed are running"
    assert turned.has_backlog


def test_two_turns_for_the_same_occurrence_make_one_row_and_one_ticket(
    db: Database, task: Task, database_url: str
) -> None:
    other = Database.open(database_url)

    first, second = turn(db, due_task(task)), turn(other, due_task(task))

    assert (len(first.tickets), len(second.tickets)) == (1, 0)
    assert len(all_runs(db)) == 1
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

    turned = turn(db, due_task(task), due_task(other))

    assert (turned.changed_tasks, turned.planned_tasks) == ({task.id}, {other.id})
    assert [ticket.task_name for ticket in turned.tickets] == ["other"]
    (same,) = [t for t in before if t.id == task.id]
    (found,) = [t for t in tasks.list_changed(db, 0) if t.id == task.id]
    assert found == same


def test_what_is_due_first_is_claimed_first(db: Database) -> None:
    made = [add_run(db, add_task(db, f"t{n}"), due_at=NOW - n * MINUTE) for n in range(4)]

    first = turn(db, room=3)
    second = turn(db, room=3)

    assert [ticket.run_id for ticket in first.tickets] == [made[3].id, made[2].id, made[1].id]
    assert [ticket.run_id for ticket in second.tickets] == [made[0].id]
    assert (first.has_backlog, second.has_backlog) == (True, False)
    assert transitions(db, made[3].id) == ["queued>claimed,starting"]


def test_a_claim_raises_fence_and_attempts(db: Database, task: Task) -> None:
    add_run(db, task, fence=4, attempts=2)

    (ticket,) = turn(db).tickets

    (run,) = all_runs(db)
    assert (run.fence, run.attempts, run.holder) == (5, 3, "me.home")
    assert (ticket.fence, ticket.number) == (5, 3)


def test_one_claim_takes_one_run_of_a_task_unless_they_may_overlap(db: Database, task: Task) -> None:
    many = add_task(db, "many", overlap="allow")
    for _ in range(3):
        add_run(db, task)
        add_run(db, many, may_overlap=True)

    turned = turn(db)

    assert sorted(ticket.task_name for ticket in turned.tickets) == ["backup", "many", "many", "many"]
    assert turned.has_backlog


def test_claims_and_births_share_the_room(db: Database, task: Task) -> None:
    add_run(db, add_task(db, "waiting"))

    turned = turn(db, due_task(task), room=1)

    assert [ticket.task_name for ticket in turned.tickets] == ["waiting"]
    assert states_of(db) == ["starting", "queued"]


@pytest.mark.parametrize("room", [0, -3])
def test_without_room_nothing_is_started(db: Database, task: Task, room: int) -> None:
    add_run(db, task)

    turned = turn(db, due_task(add_task(db, "other")), room=room)

    assert (turned.tickets, turned.has_backlog) == ([], True)
    assert states_of(db) == ["queued", "queued"]


def test_a_turn_that_need_not_look_at_the_queue_does_not(db: Database, task: Task) -> None:
    add_run(db, task)

    assert turn(db, claims=False).tickets == []


def test_a_turn_that_cannot_be_stored_leaves_nothing_of_itself(db: Database, task: Task, database_url: str) -> None:
    impatient = Database.open(database_url, busy_timeout_seconds=0.01)
    with db.write() as session:
        session.execute(text("UPDATE task SET comment = 'held'"))
        with pytest.raises(Unavailable):
            turn(impatient, due_task(task))

    assert all_runs(db) == []
    assert len(turn(impatient, due_task(task)).tickets) == 1
    impatient.close()


def test_a_thousand_due_at_once_are_born_in_one_turn_each_once(db: Database, task: Task) -> None:
    many = add_task(db, "many", overlap="allow")
    verdicts = [verdict_at(n) for n in range(1000)]

    turned = turn(db, due_task(many, *verdicts, overlap=Overlap.ALLOW), room=1000)

    assert len({ticket.run_id for ticket in turned.tickets}) == 1000
    assert len({ticket.attempt_id for ticket in turned.tickets}) == 1000
    assert {run.state for run in all_runs(db)} == {"starting"}
