"""Writing the ledger: one row for each occurrence, compare-and-swap, and who may start."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.database import NOW, add_run, add_task, run_row
from watchbell.domain.run_state import ACTIVE, FINAL, IllegalTransition, RunState
from watchbell.store import ledger, waiting
from watchbell.store.runs import Run, find_run, list_events
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db)


def _row(task_id: int, key: str, **values: object) -> dict[str, Any]:
    return run_row(Task(id=task_id, name="backup", version=1), key=key, **values)


def _insert(db: Database, *rows: dict[str, Any]) -> dict[tuple[int, str], int]:
    with db.write() as session:
        return ledger.insert_runs(session, rows)


def _all_runs(db: Database) -> list[Run]:
    with db.read() as session:
        return [run for number in range(1, 50) if (run := find_run(session, number))]


def test_nothing_to_insert_is_no_statement(db: Database) -> None:
    with db.read() as session:
        assert ledger.insert_runs(session, []) == {}


def test_an_occurrence_becomes_one_row_however_often_it_is_inserted(db: Database, task: Task) -> None:
    first = _insert(db, _row(task.id, "a"), _row(task.id, "b"))
    second = _insert(db, _row(task.id, "b"), _row(task.id, "c"), _row(task.id, "a"))

    assert first == {(task.id, "a"): 1, (task.id, "b"): 2}
    assert list(second) == [(task.id, "c")]
    assert {run.occurrence_key: run.id for run in _all_runs(db)} == {"a": 1, "b": 2, "c": second[task.id, "c"]}


def test_of_two_rows_for_one_occurrence_in_one_statement_the_first_is_made(db: Database, task: Task) -> None:
    made = _insert(db, _row(task.id, "a", reason="first"), _row(task.id, "a", reason="second"))

    (run,) = _all_runs(db)
    assert (made, run.reason) == ({(task.id, "a"): run.id}, "first")


def test_the_same_key_of_another_task_is_another_occurrence(db: Database, task: Task) -> None:
    other = add_task(db, "other")

    assert len(_insert(db, _row(task.id, "a"), _row(other.id, "a"))) == 2


def test_a_run_keeps_its_number_for_ever(db: Database, task: Task) -> None:
    _insert(db, _row(task.id, "a"), _row(task.id, "b"))
    with db.write() as session:
        session.execute(text("DELETE FROM run WHERE occurrence_key = 'b'"))

    assert _insert(db, _row(task.id, "c")) == {(task.id, "c"): 3}


_INSERTER = """
import random, sys
from tests.unit.test_store_ledger import _row
from watchbell.store import ledger
from watchbell.store.session import Database

db = Database.open(sys.argv[1])
order = random.Random(int(sys.argv[2]))
keys = [f"k{n}" for n in range(1000)]
order.shuffle(keys)
sys.stdin.readline()
made = 0
for start in range(0, 1000, 50):
    with db.write() as session:
        made += len(ledger.insert_runs(session, [_row(1, key) for key in keys[start : start + 50]]))
print(made)
"""


def test_three_processes_that_insert_the_same_thousand_occurrences_make_a_thousand_rows(
    db: Database, database_url: str, task: Task
) -> None:
    command = [sys.executable, "-c", _INSERTER, database_url]
    root = Path(__file__).resolve().parents[2]
    processes = [
        subprocess.Popen([*command, str(seed)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(3)
    ]

    # All of them are there before the first one is let go.
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    made = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert sum(made) == 1000
    with db.read() as session:
        assert session.execute(text("SELECT count(*), count(DISTINCT occurrence_key) FROM run")).one() == (1000, 1000)


def _swap(db: Database, *rows: dict[str, Any]) -> list[int]:
    with db.write() as session:
        return ledger.swap_runs(session, rows)


def _move(run: Run, to: str, /, **believed: object) -> dict[str, Any]:
    return {"run": run.id, "from_state": run.state, "from_fence": run.fence, "new_state": to, **believed}


def test_a_run_that_is_as_believed_is_changed(db: Database, task: Task) -> None:
    run = add_run(db, task)

    with db.write() as session:
        assert ledger.swap_run(session, run.id, RunState.QUEUED, 0, {"state": "claimed", "fence": 1})

    (found,) = _all_runs(db)
    assert (found.state, found.fence) == ("claimed", 1)


@pytest.mark.parametrize(("state", "fence"), [(RunState.CLAIMED, 0), (RunState.QUEUED, 1), (RunState.RUNNING, 7)])
def test_a_run_that_is_not_as_believed_stays_as_it_is(db: Database, task: Task, state: RunState, fence: int) -> None:
    run = add_run(db, task)

    with db.write() as session:
        assert not ledger.swap_run(session, run.id, state, fence, {"state": "claimed"})

    assert [found.state for found in _all_runs(db)] == ["queued"]


def test_a_run_that_does_not_exist_is_not_as_believed(db: Database) -> None:
    with db.write() as session:
        assert not ledger.swap_run(session, 404, RunState.QUEUED, 0, {"state": "claimed"})


def test_many_are_changed_at_once(db: Database, task: Task) -> None:
    runs = [add_run(db, task, fence=n) for n in range(10)]

    assert _swap(db, *(_move(run, "claimed") for run in runs)) == []

    assert {run.state for run in _all_runs(db)} == {"claimed"}
    assert _swap(db) == []


@pytest.mark.parametrize("stale", [{0}, {4}, {9}, {0, 9}, set(range(10)), {2, 3, 4}], ids=str)
@pytest.mark.parametrize("believed", [{"from_state": "running"}, {"from_fence": 5}, {"run": 404}], ids=str)
def test_in_a_mixed_batch_only_the_stale_ones_are_reported_and_all_others_changed(
    db: Database, task: Task, stale: set[int], believed: dict[str, object]
) -> None:
    runs = [add_run(db, task) for _ in range(10)]
    rows = [_move(run, "skipped", **(believed if n in stale else {})) for n, run in enumerate(runs)]

    reported = _swap(db, *rows)

    assert reported == [rows[n]["run"] for n in sorted(stale)]
    assert [run.state for run in _all_runs(db)] == ["queued" if n in stale else "skipped" for n in range(10)]


def test_a_mixed_batch_leaves_what_was_written_before_it_in_the_same_transaction(db: Database, task: Task) -> None:
    run = add_run(db, task)

    with db.write() as session:
        before = ledger.insert_runs(session, [_row(task.id, "before")])
        assert ledger.swap_runs(session, [_move(run, "claimed"), _move(run, "skipped")]) == [run.id]

    assert len(before) == 1
    assert {found.occurrence_key: found.state for found in _all_runs(db)} == {
        run.occurrence_key: "claimed",
        "before": "queued",
    }


def test_a_transition_that_the_table_does_not_have_cannot_be_logged() -> None:
    with pytest.raises(IllegalTransition):
        ledger.event_row(1, RunState.SUCCEEDED, [RunState.RUNNING], at=NOW, actor="x", fence=1)


def test_a_transition_keeps_the_whole_path(db: Database, task: Task) -> None:
    run = add_run(db, task)
    path = [RunState.CLAIMED, RunState.STARTING, RunState.RUNNING]

    with db.write() as session:
        row = ledger.event_row(run.id, RunState.QUEUED, path, at=NOW, actor="scheduler", fence=1, reason="why")
        ledger.add_events(session, [row])

    with db.read() as session:
        (event,) = list_events(session, run.id)
    assert (event.from_state, event.path, event.to_state) == ("queued", "claimed,starting", "running")
    assert (event.at, event.actor, event.fence, event.reason) == (NOW, "scheduler", 1, "why")


def _startable(db: Database, limit: int = 100) -> list[int]:
    with db.read() as session:
        return [row.id for row in waiting.list_startable(session, limit, now=NOW)]


@pytest.mark.parametrize("state", [*sorted(ACTIVE), *sorted(FINAL)])
def test_a_queued_run_waits_for_the_one_of_its_task_that_is_not_over(db: Database, task: Task, state: str) -> None:
    add_run(db, task, RunState(state))
    later = add_run(db, task)
    overlapping = add_run(db, task, may_overlap=True)

    free = _startable(db)

    assert (later.id in free) is not (state in ACTIVE)
    assert overlapping.id in free


def test_the_flight_of_another_task_holds_nothing_up(db: Database, task: Task) -> None:
    add_run(db, add_task(db, "other"), RunState.RUNNING)
    later = add_run(db, task)

    assert _startable(db) == [later.id]


def test_what_is_due_first_may_start_first(db: Database, task: Task) -> None:
    runs = [add_run(db, task, due_at=NOW + timedelta(seconds=age), may_overlap=True) for age in (5, -5, 0, -5)]

    order = _startable(db)

    assert order == [runs[1].id, runs[3].id, runs[2].id, runs[0].id]
    assert _startable(db, limit=2) == order[:2]


def test_a_long_queue_of_one_task_offers_its_first_and_keeps_no_other_task_out(db: Database, task: Task) -> None:
    first, *_others = [add_run(db, task, due_at=NOW + timedelta(seconds=age)) for age in (-5, 0, -4)]
    later = add_run(db, add_task(db, "other"), due_at=NOW + timedelta(seconds=5))

    assert _startable(db, limit=2) == [first.id, later.id]


def test_only_what_is_in_the_queue_may_start(db: Database, task: Task) -> None:
    for state in RunState:
        add_run(db, task, state, may_overlap=True)

    with db.read() as session:
        (row,) = waiting.list_startable(session, 100, now=NOW)
        assert find_run(session, row.id).state == "queued"
        assert waiting.has_queued(session)


def test_a_queue_that_is_held_up_is_still_a_queue(db: Database, task: Task) -> None:
    with db.read() as session:
        assert not waiting.has_queued(session)
    add_run(db, task, RunState.RUNNING)
    add_run(db, task)

    with db.read() as session:
        assert waiting.has_queued(session)
        assert not waiting.list_startable(session, 100, now=NOW)


def test_active_runs_are_told_by_task_oldest_first(db: Database, task: Task) -> None:
    other, idle = add_task(db, "other"), add_task(db, "idle")
    runs = [add_run(db, t, s) for t, s in itertools.product((task, other), (RunState.QUEUED, RunState.RUNNING))]
    add_run(db, idle, RunState.SUCCEEDED)

    with db.read() as session:
        found = ledger.list_active_by_task(session, [task.id, other.id, idle.id, 404])

    assert found == {
        task.id: [(runs[0].id, "queued", 0, 0), (runs[1].id, "running", 0, 0)],
        other.id: [(runs[2].id, "queued", 0, 0), (runs[3].id, "running", 0, 0)],
    }
