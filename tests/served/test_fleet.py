"""The fleet with a real scheduler and a real socket: what is due is given, what is late is ended, and both are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fleet import DOCUMENT, STEP
from tests.served.listening import Web
from watchbell import clock, resources
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, devices, fleet_jobs, fleet_schedules
from watchbell.services.device_jobs import Report
from watchbell.services.fleet_orders import Order

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)


@pytest.fixture
def web(lab):
    made = Web(lab)
    yield made
    made.kill()


def device(lab, name: str) -> str:
    made, _secret = devices.add(lab.db, {"name": name}, now=clock.now(), actor="ann")
    devices.set_active(lab.db, made.device.uuid, True, now=clock.now(), actor="ann")
    return made.device.uuid


def give(lab, *uuids: str, timeout_seconds: int = 3600) -> str:
    order = Order("check", "device", document=DOCUMENT, target_devices=uuids, timeout_seconds=timeout_seconds)
    return fleet_jobs.execute(lab.db, order, now=clock.now(), actor="tester").execution.job_id


def take(lab, uuid: str) -> None:
    assert device_jobs.poll(lab.db, uuid, now=clock.now()).offer is not None


def test_a_scheduler_gives_the_orders_that_are_due_and_ends_the_jobs_whose_time_is_over(lab) -> None:
    uuid = device(lab, "pi")
    late = give(lab, uuid, timeout_seconds=1)
    take(lab, uuid)
    fields = {"name": "hourly", "document": {"version": "1.0", "steps": [STEP]}, "target_type": "all"}
    past = clock.now() - timedelta(minutes=59, seconds=58)
    made = fleet_schedules.create(
        lab.db,
        {**fields, "schedule_type": "interval", "interval_minutes": 60},
        now=past,
        zone="UTC",
        actor="tester",
    )

    with lab.running():
        lab.wait(lambda: fleet_jobs.get(lab.db, late)[0].execution.state == "failed", "the end of what is late")
        lab.wait(lambda: fleet_schedules.get(lab.db, made.schedule_id).execution_count, "the order that was due")

    ((part, _device),) = fleet_jobs.get(lab.db, late)[1]
    assert (part.state, part.reason) == ("timed_out", "no result within 1 s")
    assert fleet_schedules.get(lab.db, made.schedule_id).execution_count == 1


def test_whoever_asks_for_the_jobs_of_a_device_hears_of_these_and_of_no_other_device(lab, web) -> None:
    mine, other = device(lab, "mine"), device(lab, "other")
    job_id = give(lab, mine, other)

    with web.listen() as ear, web.listen() as everything:
        everything.stand()
        ear.say(type="subscribe:jobs", device=mine.upper())
        chosen = ear.hear()
        ear.stand()
        for uuid in (other, mine):
            take(lab, uuid)
            report = Report(DeviceJobState.SUCCEEDED, {"exit_code": 0})
            device_jobs.report(lab.db, uuid, job_id, report, now=clock.now())
        heard = [one["data"] for one in ear.hear_until("execution:status", timeout=20) if one["type"] == "job:status"]
        while len(heard) < 2:
            heard += [one["data"] for one in [ear.hear()] if "device_uuid" in one["data"]]
        all_told = []
        while len(all_told) < 4:
            all_told += [one for one in [everything.hear()] if one["type"] == "job:status"]

    assert chosen["data"] == {"tasks": None, "types": None, "devices": [mine]}
    assert [(one["job_id"], one["device_uuid"], one["status"]) for one in heard] == [
        (job_id, mine, "IN_PROGRESS"),
        (job_id, mine, "SUCCEEDED"),
    ]
    assert {one["data"]["device_uuid"] for one in all_told} == {mine, other}


def test_one_connection_asks_for_no_more_devices_than_it_may(lab, web) -> None:
    with web.listen() as ear:
        for number in range(200):
            ear.say(type="subscribe:jobs", device=f"device-{number}")
            chosen = ear.hear()
        ear.say(type="subscribe:jobs", device="device-200")
        refused = ear.hear()
        ear.say(type="subscribe:jobs", device="device-7")
        again = ear.hear()

    assert len(chosen["data"]["devices"]) == 200
    assert (refused["type"], refused["data"]["code"]) == ("error", "too_many")
    assert again["data"] == chosen["data"]


@pytest.mark.parametrize("said", [{}, {"device": 5}, {"device": ""}, {"device": "x" * 300}, {"device": "x", "more": 1}])
def test_a_room_that_makes_no_sense_is_told_and_nothing_is_chosen(lab, web, said) -> None:
    with web.listen() as ear:
        ear.say(type="subscribe:jobs", **said)

        assert ear.hear()["type"] == "error"
