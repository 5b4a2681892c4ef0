"""One statement for many rows does what the same statement does for each of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from tests.database import NOW, add_run, add_task, run_row
from watchbell.domain.run_state import RunState
from watchbell.store import ledger
from watchbell.store.base import read_moment
from watchbell.store.session import Database

SIZES = (1, 3, 4, 15, 16, 21, 64, 65, 149)


def _column(db: Database, name: str) -> list[Any]:
    with db.read() as session:
        return list(session.execute(text(f"SELECT {name} FROM run ORDER BY id")).scalars())


@pytest.mark.parametrize("count", SIZES)
def test_any_number_of_rows_is_inserted_in_its_order(db: Database, count: int) -> None:
    task = add_task(db)
    rows = [run_row(task, reason=f"r{number}", may_overlap=number % 2 == 0) for number in range(count)]

    with db.write() as session:
        made = ledger.insert_runs(session, rows)

    assert list(made.values()) == list(range(1, count + 1))
    assert _column(db, "reason") == [f"r{number}" for number in range(count)]
    assert _column(db, "may_overlap") == [int(number % 2 == 0) for number in range(count)]


@pytest.mark.parametrize("count", SIZES)
def test_any_number_of_rows_is_changed_each_in_its_own_way(db: Database, count: int) -> None:
    task = add_task(db)
    made = [add_run(db, task, RunState.RUNNING) for _ in range(count)]
    rows = [
        {
            "run": run.id,
            "from_state": "running",
            "from_fence": run.fence,
            "new_state": "failed",
            "new_reason": f"r{run.id}",
            "new_ended_at": NOW + run.id * timedelta(microseconds=1),
            "new_exit_code": None if run.id % 3 else run.id,
        }
        for run in made
    ]

    with db.write() as session:
        left = ledger.swap_runs(session, rows)

    assert left == []
    assert _column(db, "reason") == [f"r{run.id}" for run in made]
    assert _column(db, "exit_code") == [None if run.id % 3 else run.id for run in made]
    ended = [read_moment(at) for at in _column(db, "ended_at")]
    assert ended == [NOW + run.id * timedelta(microseconds=1) for run in made]


def test_a_row_that_is_named_twice_is_changed_once_and_told(db: Database) -> None:
    task = add_task(db)
    made = [add_run(db, task, RunState.RUNNING) for _ in range(20)]
    row = {"from_state": "running", "new_state": "failed", "new_reason": "", "new_ended_at": NOW}
    rows = [{"run": run.id, "from_fence": run.fence, **row} for run in [*made, made[3]]]

    with db.write() as session:
        left = ledger.swap_runs(session, rows)

    assert left == [made[3].id]
    assert _column(db, "state") == ["failed"] * 20


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7)), timezone(timedelta(minutes=345))])
@pytest.mark.parametrize("at", [datetime(1, 1, 2), datetime(2026, 3, 29, 1, 30, 0, 7), datetime(9999, 12, 30, 23)])
@pytest.mark.embedded
def test_a_time_is_stored_in_utc_with_all_its_digits(db: Database, zone: timezone, at: datetime) -> None:
    task, moment = add_task(db), at.replace(tzinfo=zone)

    with db.write() as session:
        ledger.insert_runs(session, [run_row(task, due_at=moment)])

    wanted = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    assert _column(db, "due_at") == [wanted]
