"""Devices that take and end jobs at this moment, and what pages show of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bs4 import BeautifulSoup, Tag

from tests.fleet import execute
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, devices
from watchbell.services.device_jobs import Report
from watchbell.store.devices import Device
from watchbell.store.session import Database

#: Stops as soon as half of the devices that have ended have failed.
ROLLOUT = {"canary": 1, "wave": 2, "abort": [{"failure_type": "FAILED", "threshold_percentage": 50, "minimum": 1}]}


def hold(db: Database, uuid: str, now: datetime | None = None) -> None:
    """Let a device ask, be heard of, and have what waits for it."""
    devices.touch(db, uuid, now=now or clock.now(), address="192.0.2.7")
    assert device_jobs.poll(db, uuid, now=now or clock.now()).offer is not None


def end(db: Database, uuid: str, job_id: str, state: str, **result: Any) -> None:
    device_jobs.report(db, uuid, job_id, Report(DeviceJobState(state), result), now=clock.now())


def give(db: Database, uuids: Sequence[str], **fields: Any) -> str:
    return execute(db, *uuids, now=clock.now(), **fields).execution.job_id


def finish(db: Database, job_id: str, uuid: str, state: str = "succeeded", **result: Any) -> None:
    hold(db, uuid)
    end(db, uuid, job_id, state, **result)


def add_many(db: Database, count: int) -> list[str]:
    """Make many active devices at once."""
    uuids = [f"8479359e-dbeb-4858-813c-{number:012x}" for number in range(count)]
    with db.write() as session:
        session.add_all(
            Device(
                uuid=uuid, name=f"pi-{number}", type="gateway", is_active=True, facts={}, created_at=clock.now(),
                modified_at=clock.now(), provisioning_state="provisioned",
            )
            for number, uuid in enumerate(uuids)
        )  # fmt: skip
    return uuids


def text_of(page: BeautifulSoup | Tag, where: str) -> str:
    found = page.select_one(where)
    assert found is not None, where
    return " ".join(found.text.split())
