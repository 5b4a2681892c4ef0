"""What a fleet costs that asks again and again and has nothing to do: no write for each request, and one statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from tests.api_fixtures import Book, Program
from tests.database import NOW
from tests.fleet import add_device, execute
from tests.unit.test_api_agent import FACTS, Device
from tests.waiting import wait_until
from watchbell.services import devices, fleet_jobs
from watchbell.services.device_facts import FactsTold
from watchbell.services.devices import Sighting
from watchbell.store.accounts import Account
from watchbell.store.fleet_jobs import DeviceJob
from watchbell.store.session import Database
from watchbell.web.minutes import Minutes
from watchbell.web.sightings import SINGLY, Sightings


@pytest.fixture
def device(app: Flask, admin_account: Account, book: Book, db: Database) -> Device:
    return Device(Program(app.test_client(), book), db)


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """Note all that a database is asked."""
    engine, found = db.engine, []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def row(db: Database, uuid: str) -> Any:
    return devices.get(db, uuid, now=NOW).device


def test_a_request_for_which_there_is_nothing_costs_one_statement_and_writes_nothing(
    app: Flask, device: Device
) -> None:
    device.poll(facts=FACTS)

    with statements(app.extensions["watchbell.database"]) as found:
        told = device.poll(carries=[])

    assert (told.assignment, told.cancelled, told.carried) == (None, (), {})
    assert len([one for one in found if not one.startswith(("BEGIN", "PRAGMA"))]) == 1
    assert "BEGIN IMMEDIATE" not in found


def test_what_comes_between_two_such_requests_is_told_by_the_second(device: Device, db: Database) -> None:
    assert device.poll().assignment is None
    job_id = execute(db, device.uuid).execution.job_id

    first = device.poll().assignment
    assert first is not None
    device.report(first.fence, "IN_PROGRESS", job_id)
    fleet_jobs.cancel(db, job_id, now=NOW, actor="ann", force=True)

    assert first.job_id == job_id
    assert device.poll().cancelled == (job_id,)
    assert device.poll().cancelled == ()


def test_facts_that_only_move_are_kept_and_those_that_orders_choose_by_let_the_device_join(
    device: Device, db: Database
) -> None:
    device.poll(facts=FACTS)
    chosen = {"target_type": "group", "target_filter": {"zone": "Asia/Tokyo"}, "execution_type": "continuous"}
    add_device(db, zone="Asia/Tokyo")
    job_id = execute(db, **{**chosen, "target_devices": ()}).execution.job_id

    device.poll(facts={**FACTS, "uptime_seconds": 61})
    assert row(db, device.uuid).facts["uptime_seconds"] == 61

    moved = device.poll(facts={**FACTS, "zone": "Asia/Tokyo"})
    assert moved.assignment is not None
    assert (moved.assignment.job_id, row(db, device.uuid).zone) == (job_id, "Asia/Tokyo")


def test_many_that_are_heard_of_at_once_are_written_down_together(db: Database) -> None:
    uuids = [add_device(db) for _ in range(3 * SINGLY)]
    ids = [row(db, uuid).id for uuid in uuids]
    sightings = Sightings()

    with statements(db) as found:
        for device_id in ids:
            sightings.note(db, Sighting(device_id, NOW, "10.0.0.7"))
            sightings.note_facts(db, FactsTold(device_id, NOW, {"uptime_seconds": 1}))
        wait_until(lambda: all(row(db, uuid).seen_at == NOW for uuid in uuids), 20, "all to be written down")

    writes = [one for one in found if one == "BEGIN IMMEDIATE" or "pg_advisory_xact_lock" in one]
    assert len(writes) <= 2 * SINGLY < 2 * len(ids)
    assert all(row(db, uuid).facts == {"uptime_seconds": 1} for uuid in uuids)
    assert row(db, uuids[-1]).seen_from == "10.0.0.7"


@pytest.mark.on_both
def test_what_is_written_down_late_takes_nothing_back(db: Database) -> None:
    uuid = add_device(db)
    one = row(db, uuid).id
    later, sooner = NOW + timedelta(seconds=9), NOW
    for at in (later, sooner):
        devices.note_many(db, [Sighting(one, at, f"10.0.0.{at.second}")], [FactsTold(one, at, {"cpus": at.second})])

    assert (row(db, uuid).seen_at, row(db, uuid).facts_at) == (later, later)
    assert (row(db, uuid).seen_from, row(db, uuid).facts) == (f"10.0.0.{later.second}", {"cpus": later.second})


@pytest.mark.on_both
def test_an_order_to_many_devices_has_the_same_parts_as_one_to_a_few(db: Database) -> None:
    first, *others = [add_device(db, zone="Europe/Berlin") for _ in range(110)]
    few = execute(db, first, schedule={"scheduled_at": "2999-01-01T02:00:00Z"})
    many = execute(db, first, *others, schedule={"scheduled_at": "2999-01-01T02:00:00Z"})

    told = [fleet_jobs.get(db, shown.execution.job_id)[1] for shown in (few, many)]
    (few_part, _), (many_part, _) = told[0][0], told[1][0]
    columns = [column.key for column in DeviceJob.__table__.columns if column.key not in {"id", "execution_id"}]
    assert [getattr(few_part, name) for name in columns] == [getattr(many_part, name) for name in columns]
    assert [device.uuid for _part, device in told[1]] == [first, *others]


def test_whoever_asks_too_often_is_told_so_until_it_has_waited() -> None:
    minutes = Minutes(3)

    assert [minutes.count("a", at) for at in (1000, 1001, 1002, 1003, 1059)] == [True, True, True, False, False]
    assert minutes.count("b", 1003)
    assert [minutes.count("a", at) for at in (1060, 1061, 1062, 1063)] == [True, True, True, False]
    assert minutes.count("b", 2000)
