"""Orders that are given again and again: when they are due, and when they rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import DOCUMENT, add_device
from watchbell.errors import InputError
from watchbell.services import fleet_jobs, fleet_schedules
from watchbell.services.fleet_schedules import ScheduleNotFound
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.session import Database


def make(db: Database, **fields: Any) -> FleetSchedule:
    given = {"name": "hourly", "document": DOCUMENT, "target_type": "all", "schedule_type": "interval"}
    return fleet_schedules.create(
        db, {**given, "interval_minutes": 60, **fields}, now=NOW, zone="Europe/Berlin", actor="ann"
    )


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_an_interval_is_due_when_it_has_passed_once_and_then_again_and_again(db: Database) -> None:
    add_device(db)
    made = make(db)
    assert made.next_at == at(60)

    given = [fleet_schedules.give_due(db, now=at(minutes)).orders for minutes in (0, 59, 60, 61, 119, 120)]

    assert given == [0, 0, 1, 0, 0, 1]
    found = fleet_schedules.get(db, made.schedule_id)
    assert (found.execution_count, found.last_execution_at, found.next_at) == (2, at(120), at(180))
    (newest, _older) = fleet_jobs.list_page(db, limit=10, schedule_id=found.id)
    assert (newest.execution.name, newest.execution.created_by) == ("hourly", "ann")


def test_cron_text_is_read_in_the_zone_of_the_schedule(db: Database) -> None:
    made = make(db, schedule_type="cron", cron_expression="0 2 * * *", interval_minutes=None)

    # Two o'clock in Berlin, in winter.
    assert made.next_at == NOW.replace(day=23, hour=1)


def test_after_a_long_rest_one_order_is_given_and_not_one_for_each_hour(db: Database) -> None:
    add_device(db)
    made = make(db)

    assert fleet_schedules.give_due(db, now=at(60 * 24 + 30)).orders == 1

    assert fleet_schedules.get(db, made.schedule_id).next_at == at(60 * 25)


def test_a_schedule_rests_when_it_has_given_all_that_it_may(db: Database) -> None:
    add_device(db)
    made = make(db, max_executions=2)

    given = [fleet_schedules.give_due(db, now=at(60 * hours)).orders for hours in (1, 2, 3)]

    found = fleet_schedules.get(db, made.schedule_id)
    assert (given, found.is_active, found.next_at) == ([1, 1, 0], False, None)


def test_what_finds_no_device_is_not_counted_and_is_tried_the_next_time(db: Database) -> None:
    made = make(db, max_executions=1)
    looked = fleet_schedules.give_due(db, now=at(60))
    assert (looked.orders, looked.empty) == (0, 1)

    add_device(db)

    assert fleet_schedules.give_due(db, now=at(120)).orders == 1
    assert fleet_schedules.get(db, made.schedule_id).execution_count == 1


def test_whoever_joins_before_it_is_due_is_meant_as_well(db: Database) -> None:
    make(db)
    uuids = [add_device(db), add_device(db)]

    fleet_schedules.give_due(db, now=at(60))

    assert fleet_jobs.list_page(db, limit=1)[0].targets == uuids


def test_a_paused_schedule_gives_nothing_and_makes_up_for_nothing(db: Database) -> None:
    add_device(db)
    made = make(db)
    paused = fleet_schedules.set_active(db, made.schedule_id, False, now=NOW, actor="ann")
    assert paused.next_at is None
    assert fleet_schedules.give_due(db, now=at(300)).orders == 0

    going = fleet_schedules.set_active(db, made.schedule_id, True, now=at(310), actor="ann")

    assert going.next_at == at(360)


def test_a_change_of_its_time_counts_from_the_change_and_others_leave_it(db: Database) -> None:
    made = make(db)

    assert fleet_schedules.update(db, made.schedule_id, {"name": "new"}, now=at(5), actor="ann").next_at == at(60)
    changed = fleet_schedules.update(db, made.schedule_id, {"interval_minutes": 10}, now=at(5), actor="ann")

    assert (changed.next_at, changed.name) == (at(15), "new")


def test_a_schedule_of_the_other_type_forgets_what_the_first_one_said(db: Database) -> None:
    made = make(db)
    cron = {"schedule_type": "cron", "cron_expression": "0 2 * * *"}

    changed = fleet_schedules.update(db, made.schedule_id, cron, now=at(5), actor="ann")

    assert (changed.interval_minutes, changed.cron_expression) == (None, "0 2 * * *")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "job_name"),
        ({"document": None}, "job_document"),
        ({"document": {"version": "1.0", "steps": []}}, "job_document.steps"),
        ({"target_type": "planet"}, "target_type"),
        ({"target_type": "device"}, "target_devices"),
        ({"target_type": "device", "target_devices": ["x"]}, "target_devices"),
        ({"target_type": "group"}, "target_filter"),
        ({"target_type": "group", "target_filter": {"1=1": "x"}}, "target_filter.1=1"),
        ({"schedule_type": "sometimes"}, "schedule_type"),
        ({"schedule_type": "cron"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
        ({"interval_minutes": 0}, "interval_minutes"),
        ({"interval_minutes": 600_000}, "interval_minutes"),
        ({"cron_expression": "x"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": "0 2 * * *", "interval_minutes": 5}, "interval_minutes"),
        (
            {"document": {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": "a,{{B}}"}}]}},
            "variables.B",
        ),
    ],
)
def test_a_schedule_that_is_wrong_is_told_where_and_not_made(db: Database, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as told:
        make(db, **fields)
    assert told.value.problems[0].field == field
    assert fleet_schedules.list_all(db) == []

    made = make(db)
    if all(value is not None for value in fields.values()):
        with pytest.raises(InputError):
            fleet_schedules.update(db, made.schedule_id, fields, now=NOW, actor="ann")
        assert fleet_schedules.get(db, made.schedule_id).document == DOCUMENT


def test_lists_can_be_of_the_active_ones_and_what_is_deleted_is_gone(db: Database) -> None:
    first, second = make(db), make(db, is_active=False)

    assert [one.schedule_id for one in fleet_schedules.list_all(db)] == [second.schedule_id, first.schedule_id]
    assert [one.schedule_id for one in fleet_schedules.list_all(db, is_active=True)] == [first.schedule_id]
    fleet_schedules.delete(db, first.schedule_id, now=NOW, actor="ann")

    with pytest.raises(ScheduleNotFound):
        fleet_schedules.delete(db, first.schedule_id, now=NOW, actor="ann")
    with pytest.raises(ScheduleNotFound):
        fleet_schedules.get(db, first.schedule_id)
