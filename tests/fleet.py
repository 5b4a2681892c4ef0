"""Devices and orders with defaults that are valid, so that a test states only what matters."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.database import NOW
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, devices, fleet_jobs
from watchbell.services.device_jobs import Poll, Report
from watchbell.services.fleet_jobs import Shown
from watchbell.services.fleet_orders import Order
from watchbell.store.session import Database

STEP = {"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}}
DOCUMENT = {"version": "1.0", "steps": [STEP]}
_numbers = itertools.count(1)


def add_device(
    db: Database, name: str = "", *, active: bool = True, tags: Mapping[str, str] | None = None, **fields: Any
) -> str:
    """Make a device, active unless it is said, and return its uuid."""
    given = {"name": name or f"pi-{next(_numbers)}", "type": "gateway", **fields}
    made, _secret = devices.add(db, given, now=NOW, actor="ann")
    if tags is not None:
        devices.set_tags(db, made.device.uuid, tags, now=NOW, actor="ann")
    if active:
        devices.set_active(db, made.device.uuid, True, now=NOW, actor="ann")
    return made.device.uuid


def execute(db: Database, *uuids: str, now: datetime = NOW, **fields: Any) -> Shown:
    """Give an order to some devices, or to whom its fields say."""
    given: dict[str, Any] = {"name": "check", "document": DOCUMENT, "target_type": "device", "target_devices": uuids}
    return fleet_jobs.execute(db, Order(**{**given, **fields}), now=now, actor="ann")


def poll(db: Database, uuid: str, *, after: float = 0) -> Poll:
    """Let a device ask, so many seconds after now."""
    return device_jobs.poll(db, uuid, now=NOW + timedelta(seconds=after))


def say(db: Database, uuid: str, job_id: str, state: str, *, after: float = 0, **fields: Any) -> Any:
    """Let a device report and return its part as it is then."""
    names = {field.name for field in dataclasses.fields(Report)}
    result = {name: value for name, value in fields.items() if name not in names}
    given = Report(DeviceJobState(state), result, **{n: v for n, v in fields.items() if n in names})
    return device_jobs.report(db, uuid, job_id, given, now=NOW + timedelta(seconds=after))[0]


def state_of(db: Database, job_id: str) -> str:
    """Return the state of an order."""
    return fleet_jobs.get(db, job_id)[0].execution.state


def states_of(db: Database, job_id: str) -> list[str]:
    """Return the states of the parts of an order."""
    return [part.state for part, _device in fleet_jobs.get(db, job_id)[1]]
