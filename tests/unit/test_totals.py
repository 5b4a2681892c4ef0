"""Daily totals: every way in which a run can end is counted, once, in the transaction that ends it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.database import NOW, add_run, add_task, refusing
from tests.unit.turning import MINUTE, due_task, result_of, turn, verdict_at
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict
from watchbell.services import runs, tasks, totals, triggers
from watchbell.services.tickets import Result, Ticket
from watchbell.store.session import Database

pytestmark = pytest.mark.on_both

TODAY = NOW.date()


def counted(db: Database, task_id: int | None = None, day: date = TODAY) -> dict[str, tuple[int, int]]:
    """Return rows and occurrences of a day by state."""
    found = totals.list_days(db, since=day, until=day, task_id=task_id)
    return {total.state: (total.runs, total.occurrences) for total in found}


def took(ticket: Ticket, seconds: float, *path: RunState) -> Result:
    """Return a result of a run that took so long."""
    result = result_of(ticket, *path, state=RunState.STARTING)
    attempt = {**result.attempt, "new_started_at": NOW, "new_ended_at": NOW + timedelta(seconds=seconds)}
    return result_of(ticket, *path, state=RunState.STARTING, attempt=attempt)


def test_results_are_counted_with_the_time_they_took(db: Database) -> None:
    task = add_task(db, every="1m", overlap="allow")
    due = due_task(task, *(verdict_at(minute) for minute in range(3)), overlap=Overlap.ALLOW)
    good, bad, slow = turn(db, due).tickets
    assert counted(db) == {}

    turn(db, results=[took(good, 1.5), took(bad, 1.5, RunState.FAILED)])
    turn(db, results=[took(slow, 10)])

    failed, succeeded = totals.list_days(db, since=TODAY, until=TODAY)
    assert (failed.state, failed.runs, failed.occurrences) == ("failed", 1, 1)
    assert (succeeded.state, succeeded.runs, succeeded.occurrences) == ("succeeded", 2, 2)
    assert succeeded.seconds == pytest.approx(11.5, abs=0.01)
    assert succeeded.longest_seconds == pytest.approx(10, abs=0.01)
    assert totals.verify(db, complete=True) == []


def test_a_result_that_comes_twice_is_counted_once(db: Database) -> None:
    (ticket,) = turn(db, due_task(add_task(db, every="1m"))).tickets

    turn(db, results=[took(ticket, 1)])
    assert turn(db, results=[took(ticket, 1)]).surprises

    assert counted(db) == {"succeeded": (1, 1)}


def test_what_is_not_started_is_counted_with_all_that_it_stands_for(db: Database) -> None:
    task = add_task(db, every="1m")
    missed = verdict_at(0, is_missed=True, stands_for=5000, reason="nobody was there")

    turn(db, due_task(task, missed, verdict_at(1), verdict_at(2)))

    assert counted(db) == {"missed": (1, 5000), "skipped": (1, 1)}
    assert totals.verify(db, complete=True) == []


def test_what_a_person_ends_is_counted(db: Database) -> None:
    task, other = add_task(db, "cancelled", every="1m"), add_task(db, "deleted", every="1m")
    run = triggers.run_now(db, task.id, now=NOW, actor="ann")
    triggers.run_now(db, other.id, now=NOW, actor="ann")

    runs.cancel(db, run.id, now=NOW, actor="ann")
    with pytest.raises(Conflict):
        runs.cancel(db, run.id, now=NOW, actor="ann")
    tasks.delete(db, other.id, now=NOW + 3 * MINUTE, actor="ann")

    assert counted(db, task.id) == {"cancelled": (1, 1)}
    assert counted(db, other.id) == {"cancelled": (1, 1), "missed": (3, 3)}
    assert totals.verify(db, complete=True) == []


def test_a_day_is_the_one_on_which_it_was_due_in_utc(db: Database) -> None:
    task = add_task(db, zone="Pacific/Auckland", every="1m")
    yesterday = verdict_at(-12 * 60 - 1, is_missed=True)

    turn(db, due_task(task, yesterday, verdict_at(-12 * 60, is_missed=True)))

    assert counted(db, day=TODAY - timedelta(days=1)) == {"missed": (1, 1)}
    assert counted(db) == {"missed": (1, 1)}
    assert len(totals.list_days(db, since=TODAY - timedelta(days=9), until=TODAY)) == 2


def test_a_turn_that_is_not_stored_counts_nothing(db: Database) -> None:
    (ticket,) = turn(db, due_task(add_task(db, every="1m"))).tickets
    output = {"attempt_id": ticket.attempt_id, "stream": "stdout", "size": 1, "head_size": 1, "dropped": 0}

    with refusing(db, "INSERT ON output", "never"), pytest.raises(IntegrityError, match="never"):
        turn(
            db,
            results=[result_of(ticket, state=RunState.STARTING, outputs=[{**output, "content": b"x", "file": None}])],
        )

    assert counted(db) == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE run_day SET runs = 1, occurrences = 1", "1 counted, 2 there"),
        ("DELETE FROM run_day", "0 counted, 2 there"),
        ("UPDATE run_day SET occurrences = 9", "with other occurrences or seconds"),
        ("UPDATE run_day SET seconds = 9", "with other occurrences or seconds"),
    ],
)
def test_totals_that_are_wrong_are_noticed(db: Database, change: str, told: str) -> None:
    due = due_task(add_task(db, every="1m"), verdict_at(0, is_missed=True), verdict_at(1, is_missed=True))
    turn(db, due)
    assert totals.verify(db, complete=True) == []

    with db.write() as session:
        session.execute(text(change))

    (problem,) = totals.verify(db)
    assert problem.startswith("2026-11-22, task 1, missed: ") and problem.endswith(told)


def test_totals_may_tell_of_runs_that_have_been_deleted_but_of_no_others(db: Database) -> None:
    add_run(db, add_task(db))
    with db.write() as session:
        session.execute(text("INSERT INTO run_day VALUES ('2026-11-22', 1, 'failed', 3, 3, 0, 0)"))

    assert totals.verify(db) == []
    assert totals.verify(db, complete=True) == ["2026-11-22, task 1, failed: 3 counted, 0 there"]
