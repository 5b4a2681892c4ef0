"""Devices as the tests of their pages need them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update

from tests.database import NOW
from tests.fleet import execute
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, device_lists, devices
from watchbell.services.device_jobs import Report
from watchbell.services.device_lists import DeviceFilter
from watchbell.store.devices import Device
from watchbell.store.session import Database


def add(db: Database, name: str = "pi-kitchen", *, active: bool = True, **fields: Any) -> str:
    """Make a device and return its uuid."""
    tags = fields.pop("tags", None)
    made, _secret = devices.add(db, {"name": name, **fields}, now=clock.now(), actor="ann")
    uuid = made.device.uuid
    if tags:
        devices.set_tags(db, uuid, tags, now=clock.now(), actor="ann")
    if active:
        devices.set_active(db, uuid, True, now=clock.now(), actor="ann")
    return uuid


def add_many(db: Database, count: int) -> None:
    """Put so many active devices into the database at once, pi-00001 and so on; their uuids begin with the same numbers."""
    texts = ("key_prefix", "seen_from", "ip_address", "mac_address", "os_version", "agent_version", "zone")
    same = {**dict.fromkeys(texts, ""), "type": "gateway", "is_active": True, "facts": {}, "created_at": NOW}
    same |= {"provisioning_state": "provisioned", "modified_at": NOW}
    rows = [{"uuid": f"{n:08}-0000-4000-8000-000000000000", "name": f"pi-{n:05}"} for n in range(1, count + 1)]
    with db.write() as session:
        session.connection().execute(insert(Device), [{**same, **row} for row in rows])


def put(db: Database, uuid: str, **values: Any) -> None:
    """Put values into the row of a device."""
    with db.write() as session:
        session.connection().execute(update(Device).where(Device.uuid == uuid).values(**values))


def number_of(db: Database, uuid: str) -> int:
    return devices.get(db, uuid, now=clock.now()).device.id


def give(db: Database, uuid: str, name: str = "patch", *, end: str = "", **result: Any) -> str:
    """Give a job to a device, and let it have reported an end if there is one; return its name outside."""
    now = clock.now()
    job_id = execute(db, uuid, name=name, now=now).execution.job_id
    if end:
        device_jobs.poll(db, uuid, now=now)
        report = Report(DeviceJobState(end), result)
        device_jobs.report(db, uuid, job_id, report, now=now + timedelta(seconds=5))
    return job_id


def line_of(db: Database, uuid: str) -> device_lists.DeviceLine:
    return device_lists.line_of(db, uuid, now=clock.now())


def names(db: Database) -> list[str]:
    page = device_lists.list_page(db, DeviceFilter(), now=clock.now())
    return [line.device.name for line in page.lines]
