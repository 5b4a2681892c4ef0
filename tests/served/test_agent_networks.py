"""Real agents in networks of their own: cables are pulled, clocks are wrong, one is killed, and each job is done and told once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fault import faked_time
from tests.process.lives import ROOT, Lab
from tests.process.page import Page
from tests.served.networks import Networks
from tests.served.test_agent import Device, heard, run
from tests.served.wire import Wire
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import device_jobs, devices

_PATIENCE = 60
NUMBERS = (1, 2, 3)
#: A board without a battery for its clock begins here.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Remote(Device):
    """A device behind a cable of its own."""

    def __init__(self, lab: Lab, wire: Wire, networks: Networks, number: int, folder: Path, **more: str) -> None:
        self._before, self._more = networks.enter(number), more
        self._url = f"http://{networks.address(number)}:{networks.port.getsockname()[1]}"
        super().__init__(lab, wire, folder)

    def start(self, code: str = "", folder: Path | None = None) -> subprocess.Popen[bytes]:
        given = ["--url", self._url, "--plain-http", "--enroll", code, "--state", str(folder or self.folder)]
        self.process = subprocess.Popen(
            [*self._before, sys.executable, "-m", "watchbell.agent", *given, "--poll-seconds", "0.5"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "app"), **self._more},
            start_new_session=True,
        )
        return self.process


@pytest.fixture
def networks() -> Iterator[Networks]:
    made = Networks()
    yield made
    made.close()


@pytest.fixture
def remotes(lab: Lab, networks: Networks, tmp_path: Path) -> Iterator[list[Remote]]:
    """Give three devices; the clock of the second is years behind."""
    names = ",".join(networks.address(number) for number in NUMBERS)
    page = Page(lab, auth="on", WATCHBELL_ALLOWED_HOSTS=names)
    wire, made = Wire(page.url, networks.port), []
    try:
        for number in NUMBERS:
            networks.join(number)
            more = faked_time.environment(LONG_AGO) if number == 2 else {}
            made.append(Remote(lab, wire, networks, number, tmp_path / f"device-{number}", **more))
        yield made
    finally:
        for one in made:
            one.end(signal.SIGKILL)
        page.stop()


def test_each_job_is_done_and_told_once_whatever_happens_to_the_network_of_its_device(
    lab: Lab, networks: Networks, remotes: list[Remote], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    marks = [tmp_path / f"mark-{number}" for number in NUMBERS]
    job_ids = [
        device.give(run(f"echo x >> {mark}; while ! [ -e {gate} ]; do sleep 0.1; done; echo done"))
        for device, mark in zip(remotes, marks, strict=True)
    ]
    for mark in marks:
        wait_until(mark.exists, _PATIENCE, "every job to begin")

    networks.pull(1)
    networks.switch_off(2)
    gate.touch()
    assert remotes[2].wait_for(job_ids[2], "succeeded", "failed").state == "succeeded"
    for device in remotes[:2]:
        wait_until(device.has_spooled, _PATIENCE, "a report that waits")
    remotes[0].end(signal.SIGKILL)
    remotes[0].start()
    assert [device.part(job_id).state for device, job_id in zip(remotes[:2], job_ids[:2], strict=True)] == [
        "in_progress"
    ] * 2

    networks.plug(1)
    networks.plug(2)

    for device, job_id, mark in zip(remotes, job_ids, marks, strict=True):
        part = device.wait_for(job_id, "succeeded", "failed")
        moved = [event for event in device_jobs.list_events(lab.db, device.uuid, job_id) if event.kind == "moved"]
        assert (part.state, part.stdout, len(moved), mark.read_text()) == ("succeeded", "done\n", 2, "x\n")
        assert not heard(lab, device, "agent.conflict")
        wait_until(lambda device=device: not device.has_spooled(), _PATIENCE, "an empty spool")
    # What a device says of the time of day decides nothing; the server's is written down, and how far they are apart.
    part = remotes[1].part(job_ids[1])
    assert abs(clock.now() - part.completed_at) < timedelta(hours=1)
    ahead = devices.get(lab.db, remotes[1].uuid, now=clock.now()).device.facts["clock_ahead_seconds"]
    assert ahead < -365 * 86_400
