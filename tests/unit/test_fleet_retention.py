"""Retention of orders to devices: what is over and old or too much goes with its jobs, and the figures of the fleet stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.database import NOW
from tests.fleet import add_device, execute, say, states_of
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, fleet_jobs, fleet_rollouts, fleet_views, retention
from watchbell.services.device_jobs import Report
from watchbell.services.fleet_retention import OrderRules
from watchbell.services.retention import Pass, Rules
from watchbell.store.session import Database

DAY = timedelta(days=1)


@pytest.fixture
def uuid(db: Database) -> str:
    return add_device(db)


def given(db: Database, *uuids: str, days: float, state: str = "succeeded", **fields: object) -> str:
    """Give an order so many days ago that ended at once; return its name."""
    at = NOW - days * DAY
    job_id = execute(db, *uuids, now=at, **fields).execution.job_id
    for uuid in uuids:
        assert device_jobs.poll(db, uuid, now=at).offer is not None
        device_jobs.report(db, uuid, job_id, Report(DeviceJobState(state), {}), now=at)
    return job_id


def prune(db: Database, *, days: int | None = None, limit: int = 500, **most: int) -> tuple[int, int]:
    """Make a whole pass and return how many orders and jobs of devices it has deleted."""
    work = Pass(db, Rules(orders=OrderRules(days, **most)), now=NOW, output_root=Path("/nowhere"))
    orders = jobs = 0
    while (done := work.step(limit)).more:
        assert done.executions + done.device_jobs <= limit
        orders, jobs = orders + done.executions, jobs + done.device_jobs
    return orders, jobs


def left(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.execute(text("SELECT job_id FROM execution ORDER BY id")).scalars())


def rows_of(db: Database, *tables: str) -> list[int]:
    with db.read() as session:
        return [session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]


def test_orders_go_by_their_age_with_all_that_was_reported_of_them(db: Database, uuid: str) -> None:
    given(db, uuid, days=90.001)
    young = given(db, uuid, days=89.999)
    tables = ("device_job", "device_job_event")
    before = rows_of(db, *tables)

    assert prune(db, days=90) == (1, 1)

    assert left(db) == [young]
    assert rows_of(db, *tables) == [count // 2 for count in before]


def test_orders_go_by_their_number_and_by_the_number_of_their_jobs(db: Database) -> None:
    uuids = [add_device(db) for _ in range(3)]
    names = [given(db, *uuids, days=day) for day in (5, 4, 3, 2, 1)]

    assert prune(db, orders=4) == (1, 3)
    assert prune(db, jobs=11, limit=2) == (1, 3)
    assert left(db) == names[2:]
    assert prune(db, jobs=9, orders=3) == (0, 0)


def test_what_goes_on_or_takes_in_devices_that_join_later_stays(db: Database, uuid: str) -> None:
    at = NOW - 100 * DAY
    open_one = execute(db, now=at, target_type="all", execution_type="continuous").execution.job_id
    device_jobs.poll(db, uuid, now=at)
    device_jobs.report(db, uuid, open_one, Report(DeviceJobState.SUCCEEDED, {}), now=at)
    given(db, uuid, days=99)
    going = execute(db, uuid, now=NOW - 98 * DAY).execution.job_id

    assert prune(db, days=30, orders=1, jobs=1) == (1, 1)

    assert left(db) == [open_one, going]


def test_an_order_that_is_tried_again_meanwhile_keeps_its_jobs(db: Database, uuid: str) -> None:
    first, again = (given(db, uuid, days=days, state="failed") for days in (99, 98))
    work = Pass(db, Rules(orders=OrderRules(30)), now=NOW, output_root=Path("/nowhere"))
    while work.step(1).executions == 0:
        pass
    fleet_jobs.retry(db, again, now=NOW, actor="ann")
    while work.step(1).more:
        pass

    assert first not in left(db)
    assert states_of(db, again) == ["queued"]


def test_an_order_whose_device_has_not_heard_that_it_is_over_goes_by_its_age_alone(db: Database, uuid: str) -> None:
    at = NOW - 10 * DAY
    job_id = execute(db, uuid, now=at).execution.job_id
    device_jobs.poll(db, uuid, now=at)
    fleet_jobs.cancel(db, job_id, now=at, actor="ann", force=True)
    execute(db, uuid, now=NOW)

    assert prune(db, orders=1, jobs=1) == (0, 0)
    assert prune(db, days=9) == (1, 1)


def test_an_order_that_undoes_another_stays_as_long_as_that_one(db: Database, uuid: str) -> None:
    undo = {"steps": [{"type": "runCommand", "input": {"command": "true"}}]}
    other = add_device(db)
    at = NOW - 50 * DAY
    undone = execute(db, uuid, other, now=at, rollback_document=undo).execution.job_id
    for one in (uuid, other):
        device_jobs.poll(db, one, now=at)
    device_jobs.report(db, uuid, undone, Report(DeviceJobState.FAILED, {}), now=at)
    undoing = fleet_rollouts.roll_back(db, undone, now=at, actor="ann").execution.job_id
    assert device_jobs.poll(db, uuid, now=at).offer is not None
    device_jobs.report(db, uuid, undoing, Report(DeviceJobState.SUCCEEDED, {}), now=at)
    say(db, other, undone, "succeeded")

    prune(db, days=30)
    assert left(db) == [undone, undoing]


def test_the_figures_of_the_fleet_stay_when_their_orders_go(db: Database) -> None:
    uuids = [add_device(db) for _ in range(3)]
    given(db, *uuids, days=9)
    given(db, *uuids[:2], days=6, state="failed")
    given(db, *uuids, days=0.5)
    given(db, uuids[0], days=0.25, state="failed")
    before = fleet_views.look(db, now=NOW)

    assert prune(db, orders=1) == (3, 8)

    after = fleet_views.look(db, now=NOW)
    assert (after.day, after.week) == (before.day, before.week)
    assert sum(after.week.values()) == 6
    # What nothing tells of any more goes as well.
    with db.read() as session:
        hours = session.execute(text("SELECT hour, state, jobs FROM fleet_hour ORDER BY hour")).all()
    assert [(state, jobs) for _hour, state, jobs in hours] == [("failed", 2), ("succeeded", 3)]


def test_a_preview_counts_what_would_go(db: Database, uuid: str) -> None:
    given(db, uuid, days=50)
    given(db, uuid, days=1)

    found = retention.preview(db, Rules(orders=OrderRules(days=30)), now=NOW)

    assert (found.executions, found.device_jobs, len(left(db))) == (1, 1, 2)
    assert prune(db, days=30) == (1, 1)
