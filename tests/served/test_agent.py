"""A real agent beside a real server: it does what it is told, once, and what it could not report is reported later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.lives import ROOT, Lab
from tests.process.page import Page
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import device_jobs, devices, fleet_jobs
from watchbell.services.fleet_orders import Order

_PATIENCE = 60


class Device:
    """A device with its agent."""

    def __init__(self, lab: Lab, url: str, folder: Path) -> None:
        self._lab, self._url, self.folder = lab, url, folder
        made, secret = devices.add(lab.db, {"name": "pi"}, now=clock.now(), actor="tester")
        self.uuid = made.device.uuid
        devices.set_active(lab.db, self.uuid, True, now=clock.now(), actor="tester")
        folder.mkdir()
        self._key = folder / "key"
        self._key.write_text(secret + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["--url", f"{self._url}/api/v1", "--uuid", self.uuid, "--key-file", str(self._key)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "watchbell.agent", *command, "--folder", str(self.folder), "--poll-seconds", "0.2"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
            start_new_session=True,
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(_PATIENCE)

    def give(self, *steps: dict[str, Any], **fields: Any) -> str:
        document = {"version": "1.0", "steps": list(steps)}
        order = Order("x", "device", document=document, target_devices=[self.uuid], **fields)
        return fleet_jobs.execute(self._lab.db, order, now=clock.now(), actor="tester").execution.job_id

    def part(self, job_id: str) -> Any:
        ((part, _device),) = fleet_jobs.get(self._lab.db, job_id)[1]
        return part

    def wait_for(self, job_id: str, *states: str) -> Any:
        wait_until(lambda: self.part(job_id).state in states, _PATIENCE, f"{states} of {job_id}")
        return self.part(job_id)


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    made = Page(lab, auth="on")
    yield made
    made.stop()


@pytest.fixture
def device(lab: Lab, page: Page, tmp_path: Path) -> Iterator[Device]:
    made = Device(lab, page.url, tmp_path / "device")
    yield made
    made.end(signal.SIGKILL)


def run(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "runCommand", "input": {"command": text}, **more}


def test_an_agent_does_its_jobs_with_the_handlers_of_the_server_and_reports_of_them(
    device: Device, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    handler = {
        "type": "runHandler",
        "input": {"handler": "download-file", "args": ["file:///etc/hostname", f"{tmp_path}/got"]},
    }
    good = device.give(run("echo,hello"), handler)
    bad = device.give(run("echo out; echo err >&2; exit 3", name="worse"))
    device.start()

    done = device.wait_for(good, "succeeded", "failed")
    failed = device.wait_for(bad, "succeeded", "failed")

    assert (done.state, done.exit_code, done.executed_steps) == ("succeeded", 0, 2), done.stderr
    assert (tmp_path / "got").read_text() == Path("/etc/hostname").read_text()
    assert (failed.state, failed.exit_code, failed.failed_step) == ("failed", 3, "worse")
    assert (failed.stdout, failed.stderr, failed.reason) == ("out\n", "err\n", "worse: exit code 3")


def test_a_job_that_is_cancelled_is_ended_on_the_device(lab: Lab, device: Device, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    job_id = device.give(run(f"echo $$ > {mark}; exec sleep 600"))
    device.start()
    wait_until(lambda: mark.exists() and mark.read_text().strip(), _PATIENCE, "the job to begin")

    fleet_jobs.cancel(lab.db, job_id, now=clock.now(), actor="tester", force=True)

    wait_until(lambda: not Path(f"/proc/{int(mark.read_text())}").exists(), _PATIENCE, "the end of the command")
    assert device.part(job_id).state == "cancelled"


def test_an_agent_that_was_killed_in_the_middle_says_so_and_does_not_do_it_again(
    device: Device, tmp_path: Path
) -> None:
    mark = tmp_path / "count"
    job_id = device.give(run(f"echo x >> {mark}; exec sleep 600"))
    device.start()
    wait_until(mark.exists, _PATIENCE, "the job to begin")
    device.end(signal.SIGKILL)

    device.start()

    part = device.wait_for(job_id, "failed", "succeeded")
    assert part.reason.startswith("unknown")
    after = device.give(run("echo,on"))
    assert device.wait_for(after, "failed", "succeeded").state == "succeeded"
    assert mark.read_text() == "x\n"


def test_what_ended_while_the_server_was_away_is_reported_when_it_is_back(
    lab: Lab, page: Page, device: Device, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    job_id = device.give(run(f"while ! [ -e {gate} ]; do sleep 0.1; done; echo done"))
    device.start()
    device.wait_for(job_id, "in_progress")
    page.stop()
    gate.touch()
    wait_until(lambda: list((device.folder / "spool").glob("*.json")), _PATIENCE, "a report that waits")
    device.end()

    again = Page(lab, auth="on")
    try:
        device._url = again.url
        device.start()
        part = device.wait_for(job_id, "succeeded", "failed")
    finally:
        again.stop()

    moved = [event for event in device_jobs.list_events(lab.db, device.uuid, job_id) if event.kind == "moved"]
    assert (part.state, part.stdout, len(moved)) == ("succeeded", "done\n", 2)
    assert not list((device.folder / "spool").glob("*.json"))


def test_a_second_agent_in_the_same_place_is_refused(device: Device) -> None:
    device.start()
    job_id = device.give(run("echo,hi"))
    device.wait_for(job_id, "succeeded")
    first = device.process
    device.start()

    assert device.process is not None
    assert device.process.wait(_PATIENCE) == 4
    device.process = first


def test_a_result_waits_while_the_device_may_not_report(lab: Lab, device: Device, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job_id = device.give(run(f"while ! [ -e {gate} ]; do sleep 0.1; done"))
    device.start()
    device.wait_for(job_id, "in_progress")
    devices.revoke_key(lab.db, device.uuid, now=clock.now(), actor="tester")
    gate.touch()
    wait_until(lambda: list((device.folder / "spool").glob("*.json")), _PATIENCE, "a report that waits")
    device.end()

    device._key.write_text(devices.rotate_key(lab.db, device.uuid, now=clock.now(), actor="tester"))
    device.start()

    assert device.wait_for(job_id, "succeeded", "failed").state == "succeeded"
