"""A fleet in which everything has happened: devices of all kinds, orders in each state, and one that goes again and again."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta

from tests.browser.installations import Installation
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import (
    device_groups,
    device_jobs,
    devices,
    enrolment,
    fleet_jobs,
    fleet_rollouts,
    fleet_schedules,
)
from watchbell.services.device_jobs import Report, ReportRefused
from watchbell.services.fleet_orders import Order

LONG_NAME = "gateway-of-the-northern-greenhouse-behind-the-old-orchard-with-a-name-that-does-not-end-soon-at-all"
DOCUMENT = {
    "version": "1.0",
    "steps": [
        {"name": "fetch", "type": "runCommand", "input": {"command": "curl,-fsS,https://host/new.conf"}},
        {"name": LONG_NAME, "type": "runCommand", "input": {"command": "nginx,-t"}, "timeoutSeconds": 60},
    ],
}
ROLLOUT = {"canary": 1, "wave": 2, "abort": [{"failure_type": "FAILED", "threshold_percentage": 50, "minimum": 3}]}


def add_devices(house: Installation, count: int = 6) -> list[str]:
    """Make active devices, one with a long name, and return their uuids."""
    uuids = []
    for number in range(count):
        name = LONG_NAME if number == 1 else f"pi-{number}"
        made, _secret = devices.add(house.db, {"name": name}, now=clock.now(), actor="admin")
        uuids.append(made.device.uuid)
        devices.set_tags(
            house.db, uuids[-1], {"site": "north" if number % 2 else "south"}, now=clock.now(), actor="admin"
        )
        devices.set_active(house.db, uuids[-1], True, now=clock.now(), actor="admin")
        devices.touch(house.db, uuids[-1], now=clock.now(), address="192.0.2.7")
    return uuids


def give(house: Installation, name: str, uuids: list[str], **fields: object) -> str:
    """Give an order and return its name for the outside."""
    order = Order(name, "device", document=DOCUMENT, target_devices=uuids, **fields)  # type: ignore[arg-type]
    return fleet_jobs.execute(house.db, order, now=clock.now(), actor="admin").execution.job_id


def hold(house: Installation, uuid: str, now: datetime | None = None) -> None:
    """Let a device have what waits for it."""
    assert device_jobs.poll(house.db, uuid, now=now or clock.now()).offer is not None


def end(house: Installation, job_id: str, uuid: str, state: str = "succeeded", **result: object) -> None:
    """Let a device report how its part has ended."""
    device_jobs.report(house.db, uuid, job_id, Report(DeviceJobState(state), result), now=clock.now())


def gather(house: Installation, uuids: list[str]) -> None:
    """Let devices be in groups, one tell all that can be told of itself, and others join by codes or wait for that."""
    now = clock.now()
    for number, name in enumerate(("kitchens", LONG_NAME)):
        group = device_groups.create(house.db, name, description=LONG_NAME, now=now, actor="admin")
        device_groups.add_named(house.db, group.id, uuids[number:], now=now, actor="admin")
    facts = {
        "os": "Debian GNU/Linux 12 (bookworm)",
        "load": [0.1, 0.2, 0.3],
        "uptime_seconds": 1e6,
        "other": {"of": LONG_NAME},
    }
    house.execute("UPDATE device SET facts = ? WHERE uuid = ?", json.dumps(facts), uuids[1])
    enrolment.create(house.db, name=LONG_NAME, group="kitchens", tags={"site": LONG_NAME}, now=now, actor="admin")
    for needs_approval in (False, True):
        made = enrolment.create(house.db, needs_approval=needs_approval, now=now, actor="admin")
        enrolment.join(house.db, made.secret, hostname=LONG_NAME, now=now, address="192.0.2.8")
    devices.add(house.db, {"name": "by-hand"}, now=now, actor="admin")


def fill(house: Installation) -> dict[str, str]:
    """Let everything happen once; return the order with failures, and a device with a long story in it."""
    uuids = add_devices(house)
    gather(house, uuids)
    good = give(house, "check", uuids[:2])
    for uuid in uuids[:2]:
        hold(house, uuid)
        end(house, good, uuid, stdout="all is well\n")
    bad = give(house, f"update {LONG_NAME}", uuids[:5], rollout=ROLLOUT, rollback_document=DOCUMENT)
    for uuid in uuids[:3]:
        hold(house, uuid)
        is_bad = uuid != uuids[0]
        failure = {"reason": "x" * 300, "failed_step": LONG_NAME, "stderr": "y" * 300, "exit_code": 1}
        end(house, bad, uuid, "failed" if is_bad else "succeeded", **(failure if is_bad else {"exit_code": 0}))
        fleet_rollouts.move_on(house.db, now=clock.now())
    fleet_jobs.retry(house.db, bad, now=clock.now(), actor="admin")
    hold(house, uuids[1])
    end(house, bad, uuids[1], "failed", exit_code=2, reason="again")
    # What comes too late is refused, and kept beside the result.
    with contextlib.suppress(ReportRefused):
        end(house, bad, uuids[1], stdout="late words")
    give(house, "at work", uuids[5:])
    hold(house, uuids[5])
    back = give(house, "taken back", uuids[:1])
    fleet_jobs.cancel(house.db, back, now=clock.now(), actor="admin", force=False)
    made = fleet_schedules.create(
        house.db,
        {
            "name": "hourly",
            "document": DOCUMENT,
            "target_type": "all",
            "schedule_type": "interval",
            "interval_minutes": 60,
        },
        now=clock.now() - timedelta(hours=1, minutes=-5),
        zone="Europe/Berlin",
        actor="admin",
    )
    return {"order": bad, "device": uuids[1], "schedule": made.schedule_id}
