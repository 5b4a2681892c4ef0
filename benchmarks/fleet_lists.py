"""What the pages of a large fleet cost the server: the list of devices with each filter, one device, groups, search, overview.

    python -m benchmarks.fleet_lists [--devices 10000] [--jobs 10] [--rounds 20]

They are asked for as ``benchmarks.lists`` asks for the other lists: within one process, with a login. A third of the devices
are online, and each has had so many jobs.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import uuid as uuids
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from benchmarks import lists
from benchmarks.lab import Lab, lab_at
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.store.devices import Device, DeviceGroup, DeviceGroupMember, DeviceTag
from watchbell.store.fleet_jobs import DeviceJob, Execution

_GROUPS = 40
_ENDS = (*(DeviceJobState.SUCCEEDED,) * 17, DeviceJobState.FAILED, DeviceJobState.TIMED_OUT, DeviceJobState.REJECTED)


def fill(place: Lab, devices: int, jobs: int) -> None:
    """Make a fleet with tags and groups, and with jobs that have ended."""
    now = clock.now()
    with place.db.write() as session:
        connection = session.connection()
        facts = {
            "uptime": 12345,
            "load": [0.1, 0.2, 0.3],
            "memory": {"total": 4 << 30, "free": 1 << 30},
            "kernel": "6.1",
        }
        connection.execute(
            insert(Device),
            [
                {
                    "uuid": str(uuids.UUID(int=number)), "name": f"device-{number:06}", "type": ("gateway", "sensor")[number % 2],
                    "is_active": number % 50 != 0, "provisioning_state": ("provisioned", "pending")[number % 100 == 0],
                    "seen_at": None if number % 20 == 1 else now - timedelta(seconds=60 if number % 3 else 6000),
                    "ip_address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", "os_version": "Debian 12",
                    "agent_version": f"1.{number % 5}", "zone": "Europe/Berlin", "facts": facts, "created_at": now, "modified_at": now,
                }
                for number in range(1, devices + 1)
            ],
        )  # fmt: skip
        ids = range(1, devices + 1)
        tags = (
            {"site": f"site-{n % 100}", "floor": str(n % 7), "ring": "canary" if n % 100 == 0 else "rest"} for n in ids
        )
        connection.execute(
            insert(DeviceTag),
            [
                {"device_id": n, "key": key, "value": value}
                for n, one in zip(ids, tags, strict=True)
                for key, value in one.items()
            ],
        )
        groups = [{"name": f"group-{n:02}", "created_at": now} for n in range(_GROUPS)]
        connection.execute(insert(DeviceGroup), groups)
        connection.execute(insert(DeviceGroupMember), [{"group_id": n % _GROUPS + 1, "device_id": n} for n in ids])
    for number in range(jobs):
        _add_order(place, number, devices)


def _add_order(place: Lab, number: int, devices: int) -> None:
    """Add an order to all devices that has ended on each."""
    begun = clock.now() - timedelta(hours=6 * (number + 1))
    with place.db.write() as session:
        order = Execution(
            job_id=str(uuids.uuid4()), name=f"order-{number}", document={"version": "1.0", "steps": []}, target_type="all",
            execution_type="oneTime", timeout_seconds=3600, state="failed", total=devices, queued_at=begun, started_at=begun,
            completed_at=begun, created_at=begun, updated_at=begun,
        )  # fmt: skip
        session.add(order)
        session.flush()
        session.connection().execute(
            insert(DeviceJob),
            [
                {
                    "execution_id": order.id, "device_id": device, "state": _ENDS[(device + number) % len(_ENDS)].value, "is_newest": True,
                    "queued_at": begun, "started_at": begun, "updated_at": begun, "completed_at": begun + timedelta(seconds=30),
                    "exit_code": 0, "stdout": "done\n" * 40, "details": {},
                }
                for device in range(1, devices + 1)
            ],
        )  # fmt: skip


def addresses(devices: int) -> dict[str, str]:
    """Return what is asked for, by what it is called."""
    rows = "/fleet/devices/data?draw=1&length=25&order[0][name]=name&order[0][dir]=asc&start={}"
    return {
        "devices": "/fleet/devices?view=all",
        "devices, 200 rows": "/fleet/devices?length=200",
        "devices, by last contact": "/fleet/devices?order=-seen",
        "devices, the last page": f"/fleet/devices?page={devices // 25}",
        "devices, rows alone": rows.format(0),
        "devices, rows alone, the last page": rows.format(devices - 25),
        "devices, search for a name": "/fleet/devices?q=device-0077",
        "devices, search for a tag": "/fleet/devices?q=site%3Dsite-7",
        "devices, search for three words": "/fleet/devices?q=site-7+floor+device",
        "devices, search without a match": "/fleet/devices?q=nothing+like+this",
        "devices, online": "/fleet/devices?state=online",
        "devices, never heard of": "/fleet/devices?state=never",
        "devices, a group": "/fleet/devices?group=group-07",
        "devices, a tag": "/fleet/devices?tag=ring%3Drest",
        "devices, a type": "/fleet/devices?type=sensor",
        "one device": f"/fleet/devices/{uuids.UUID(int=77)}",
        "groups": "/fleet/groups",
        "one group": "/fleet/groups/7",
        "all devices as CSV": "/fleet/devices.csv",
        "search": "/search?q=device-0077",
        "search as the palette does": "/search.json?q=device-0077&in=tasks,devices,runs,pages",
        "overview": "/",
    }


def main() -> None:
    """Make a fleet and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as scratch, lab_at(Path(scratch)) as place:
        fill(place, options.devices, options.jobs)
        # What was filled in stood in this process, and no server has to look through what is left of it.
        gc.collect()
        gc.freeze()
        title = f"Pages of {options.devices:,} devices with {options.jobs:,} jobs each"
        lists.measure(place, options.rounds, addresses(options.devices), title)


if __name__ == "__main__":
    main()
