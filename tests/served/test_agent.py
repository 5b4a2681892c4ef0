"""A real agent beside a real server: it joins, does what it is told, once, and what it could not report is reported later."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.process.conftest import Served
from tests.process.lives import ROOT, Lab
from tests.served.wire import Wire
from tests.waiting import wait_until
from watchbell import clock
from watchbell.config import Config
from watchbell.control import pidfile
from watchbell.services import (
    agents,
    audit,
    carried,
    carried_moments,
    device_jobs,
    devices,
    enrolment,
    fleet_jobs,
    fleet_schedules,
    secrets,
)
from watchbell.services.fleet_orders import Order

_PATIENCE = 60
SECRET = "correct horse battery"


class Device:
    """A device with its agent, which has joined by a code."""

    def __init__(self, lab: Lab, wire: Wire, folder: Path) -> None:
        self._lab, self.wire, self.folder, self.db = lab, wire, folder, lab.db
        self.process: subprocess.Popen[bytes] | None = None
        code = enrolment.create(lab.db, name="pi", now=clock.now(), actor="tester")
        self.start(code.secret)
        wait_until(lambda: enrolment.find(lab.db, code.code.prefix, now=clock.now()).device_uuid, _PATIENCE, "a device")
        self.uuid = str(enrolment.find(lab.db, code.code.prefix, now=clock.now()).device_uuid)
        # The server has said so; a test that cuts or changes the wire now would keep it from the agent, for which the code
        # is used up.
        wait_until((folder / "credentials.json").exists, _PATIENCE, "the device to know who it is")

    def start(self, code: str = "", folder: Path | None = None) -> subprocess.Popen[bytes]:
        # Two with one identity ask together less often than the server lets a device.
        state = ["--state", str(folder or self.folder), "--poll-seconds", "0.5"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "watchbell.agent", "--url", self.wire.url, "--enroll", code, *state],
            env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
            start_new_session=True,
        )
        return self.process

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

    def has_spooled(self) -> bool:
        return bool(list((self.folder / "spool").glob("*.json")))


@pytest.fixture
def lab(served: Served) -> Lab:
    return served.lab


@pytest.fixture
def device(served: Served, tmp_path: Path) -> Iterator[Device]:
    wire = Wire(served.page.url)
    made = Device(served.lab, wire, tmp_path / "device")
    yield made
    made.end(signal.SIGKILL)
    wire.close()


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
    secrets.put(device.db, "registry", SECRET, now=clock.now(), actor="tester")
    named = {"TOKEN": "${secret:registry}"}
    good = device.give(
        run("echo hello; echo $TOKEN; printenv TOKEN > " + f"{tmp_path}/token", environment=named), handler
    )
    bad = device.give(run("echo out; echo err >&2; exit 3", name="worse"))

    done = device.wait_for(good, "succeeded", "failed")
    failed = device.wait_for(bad, "succeeded", "failed")

    assert (done.state, done.exit_code, done.executed_steps) == ("succeeded", 0, 2), done.stderr
    assert (tmp_path / "got").read_text() == Path("/etc/hostname").read_text()
    assert (tmp_path / "token").read_text() == f"{SECRET}\n"
    assert "hello\n" + "*" * len(SECRET) in done.stdout
    assert [use.device_name for use in secrets.get(device.db, "registry").uses] == ["pi"]
    assert not any(SECRET.encode() in file.read_bytes() for file in device.folder.rglob("*") if file.is_file())
    assert (failed.state, failed.exit_code, failed.failed_step) == ("failed", 3, "worse")
    assert (failed.stdout, failed.stderr, failed.reason) == ("out\n", "err\n", "worse: exit code 3")


def test_a_job_that_is_cancelled_is_ended_on_the_device(lab: Lab, device: Device, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    job_id = device.give(run(f"echo $$ > {mark}; exec sleep 600"))
    wait_until(lambda: mark.exists() and mark.read_text().strip(), _PATIENCE, "the job to begin")

    fleet_jobs.cancel(lab.db, job_id, now=clock.now(), actor="tester", force=True)

    wait_until(lambda: not Path(f"/proc/{int(mark.read_text())}").exists(), _PATIENCE, "the end of the command")
    assert device.part(job_id).state == "cancelled"


def test_an_agent_that_was_killed_in_the_middle_says_so_and_does_not_do_it_again(
    device: Device, tmp_path: Path
) -> None:
    mark, pid = tmp_path / "count", tmp_path / "pid"
    job_id = device.give(run(f"echo $$ > {pid}; echo x >> {mark}; exec sleep 600"))
    wait_until(mark.exists, _PATIENCE, "the job to begin")
    journal = device.folder / "journal.json"
    wait_until(lambda: '"process"' in journal.read_text(), _PATIENCE, "what the job is known by")
    device.end(signal.SIGKILL)

    device.start()

    part = device.wait_for(job_id, "failed", "succeeded")
    # What was left of it would else go on beside whatever is told next.
    assert part.reason.startswith("unknown")
    left = Path(f"/proc/{int(pid.read_text())}/stat")
    assert not left.exists() or left.read_text().split()[2] == "Z"
    after = device.give(run("echo,on"))
    assert device.wait_for(after, "failed", "succeeded").state == "succeeded"
    assert mark.read_text() == "x\n"


def test_what_ended_while_the_network_was_cut_is_reported_when_it_is_back(
    lab: Lab, device: Device, tmp_path: Path
) -> None:
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    job_id = device.give(run(f"touch {mark}; while ! [ -e {gate} ]; do sleep 0.1; done; echo done"))
    wait_until(mark.exists, _PATIENCE, "the job to begin")
    device.wire.is_cut = True
    gate.touch()
    wait_until(device.has_spooled, _PATIENCE, "a report that waits")
    device.end()

    device.wire.is_cut = False
    device.start()
    part = device.wait_for(job_id, "succeeded", "failed")

    moved = [event for event in device_jobs.list_events(lab.db, device.uuid, job_id) if event.kind == "moved"]
    assert (part.state, part.stdout, len(moved)) == ("succeeded", "done\n", 2)
    assert part.details == {"message": "Job completed successfully"}
    wait_until(lambda: not device.has_spooled(), _PATIENCE, "an empty spool")


def test_a_second_agent_in_the_same_place_is_refused(device: Device) -> None:
    first = device.process
    try:
        assert device.start().wait(_PATIENCE) == 4
    finally:
        device.process = first


def test_a_result_waits_while_the_device_may_not_report(lab: Lab, device: Device, tmp_path: Path) -> None:
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    job_id = device.give(run(f"touch {mark}; while ! [ -e {gate} ]; do sleep 0.1; done"))
    wait_until(mark.exists, _PATIENCE, "the job to begin")
    with lab.db.write() as session:
        key_hash = devices.require(session, device.uuid).key_hash
    devices.revoke_key(lab.db, device.uuid, now=clock.now(), actor="tester")
    gate.touch()
    wait_until(device.has_spooled, _PATIENCE, "a report that waits")
    device.end()
    assert device.has_spooled()

    with lab.db.write() as session:
        devices.require(session, device.uuid).key_hash = key_hash
    device.start()

    assert device.wait_for(job_id, "succeeded", "failed").state == "succeeded"


@pytest.mark.parametrize("every", [2, 3])
def test_every_so_manieth_answer_is_lost_and_all_is_done_and_told_once(
    lab: Lab, device: Device, tmp_path: Path, every: int
) -> None:
    mark, numbers = tmp_path / "count", itertools.count()
    # The server has done what it was asked, and its answer never comes: of two things that are asked in turn the same one.
    device.wire.change = lambda _asked, answer: answer if next(numbers) % every else b""

    job_ids = [device.give(run(f"echo x >> {mark}")) for _ in range(3)]

    for job_id in job_ids:
        assert device.wait_for(job_id, "succeeded", "failed").state == "succeeded"
        moved = [event for event in device_jobs.list_events(lab.db, device.uuid, job_id) if event.kind == "moved"]
        assert len(moved) == 2
    assert mark.read_text() == "x\n" * 3
    assert not heard(lab, device, "agent.conflict")


def test_what_somebody_changes_on_its_way_is_not_done_and_told(lab: Lab, device: Device, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    device.wire.change = lambda _asked, answer: answer.replace(b"echo,asked", b"touch," + bytes(mark)[:4] + b"x")
    job_id = device.give(run("echo,asked"))

    wait_until(lambda: heard(lab, device, "agent.distrust"), _PATIENCE, "an agent that does not trust")
    assert device.part(job_id).state == "in_progress"
    device.wire.change = lambda _asked, answer: answer

    assert device.wait_for(job_id, "succeeded", "failed").stdout == "asked\n"


def test_an_answer_that_comes_again_begins_nothing(device: Device, tmp_path: Path) -> None:
    mark, first = tmp_path / "count", []

    def replay(asked: bytes, answer: bytes) -> bytes:
        if b"/poll" in asked and b"job_id" in answer:
            first.append(answer)
        return first[0] if first and b"/poll" in asked else answer

    device.wire.change = replay
    job_id = device.give(run(f"echo x >> {mark}"))
    device.wait_for(job_id, "succeeded")
    later = device.give(run("echo,on"))
    device.wire.change = lambda _asked, answer: answer

    assert device.wait_for(later, "succeeded", "failed").state == "succeeded"
    assert mark.read_text() == "x\n"


def test_a_copied_folder_is_found_out_and_nothing_is_done_twice(lab: Lab, device: Device, tmp_path: Path) -> None:
    mark, gate, copy = tmp_path / "count", tmp_path / "gate", tmp_path / "copy"
    # The server knows of it a moment before it has written down itself that it has joined.
    wait_until((device.folder / "credentials.json").exists, _PATIENCE, "its credentials")
    job_id = device.give(run(f"echo x >> {mark}; while ! [ -e {gate} ]; do sleep 0.1; done"))
    wait_until(mark.exists, _PATIENCE, "the job to begin")
    journal = device.folder / "journal.json"
    wait_until(lambda: '"process"' in journal.read_text(), _PATIENCE, "what the job is known by")
    # The copy holds the job as well, and takes it for one whose agent has crashed.
    shutil.copytree(device.folder, copy)
    first = device.process
    second = device.start(folder=copy)
    try:
        wait_until(lambda: agents.list_conflicts(lab.db), _PATIENCE, "a conflict")
        later = device.give(run(f"echo y >> {mark}"))
        gate.touch()
        assert device.wait_for(job_id, "succeeded", "failed").state == "succeeded"
    finally:
        second.kill()
        second.wait(_PATIENCE)
        device.process = first
    assert device.part(later).state == "queued"
    assert heard(lab, device, "agent.conflict")

    agents.settle(lab.db, device.uuid, now=clock.now(), actor="tester")

    device.wait_for(later, "succeeded")
    assert mark.read_text() == "x\ny\n"


def test_the_server_knows_the_machine_of_an_agent(lab: Lab, device: Device) -> None:
    def row() -> Any:
        return devices.get(lab.db, device.uuid, now=clock.now()).device

    wait_until(lambda: row().facts, _PATIENCE, "facts")

    facts = row().facts
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert abs(facts["clock_ahead_seconds"]) < 60
    assert facts["memory_total_bytes"] > facts["memory_available_bytes"] > 0
    assert row().os_version == facts["os"]


def test_neither_agent_nor_scheduler_listens_to_anything(served: Served, device: Device) -> None:
    """The page does, by which it is seen that this would be noticed."""
    owner = pidfile.find_owner(Config.load({"home": served.lab.home}, {}))
    assert owner is not None
    assert device.process is not None

    ports = {}
    for pid in (owner.pid, device.process.pid, served.page.workers()[0]):
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        found = [one for process in tree for one in process.net_connections(kind="inet")]
        ports[pid] = [one.laddr for one in found if one.status == psutil.CONN_LISTEN or one.type is socket.SOCK_DGRAM]

    assert (ports[owner.pid], ports[device.process.pid]) == ([], [])
    assert ports[served.page.workers()[0]]


def test_what_is_carried_is_done_while_the_server_is_away_and_told_once_when_it_is_back(
    lab: Lab, device: Device, tmp_path: Path
) -> None:
    mark, lost = tmp_path / "count", []
    schedule_id = carry(lab, device, f"echo x >> {mark}; echo done", seconds=4)
    wait_until(lambda: carried_by(lab, schedule_id) == [1], _PATIENCE, "a device that carries it")
    device.wire.is_cut = True
    wait_until(lambda: list((device.folder / "carried" / "spool").glob("*.json")), _PATIENCE, "a result that waits")
    device.end()

    def lose_one(asked: bytes, answer: bytes) -> bytes:
        if b"/moments" in asked and not lost:
            lost.append(answer)
            return b""
        return answer

    device.wire.is_cut, device.wire.change = False, lose_one
    device.start()
    wait_until(lambda: lost and not list((device.folder / "carried" / "spool").glob("*.json")), _PATIENCE, "no more")

    (told,), total = carried_moments.list_moments(lab.db, schedule_id, limit=9)
    assert told.part is not None
    assert (total, told.moment.outcome, told.part.state, told.part.stdout) == (1, "run", "succeeded", "done\n")
    assert mark.read_text() == "x\n"
    fleet_schedules.set_active(lab.db, schedule_id, False, now=clock.now(), actor="tester")
    wait_until(lambda: not carried_by(lab, schedule_id), _PATIENCE, "a device that has dropped it")


def test_an_agent_that_was_killed_at_a_moment_says_so_and_does_not_do_it_again(
    lab: Lab, device: Device, tmp_path: Path
) -> None:
    mark = tmp_path / "count"
    schedule_id = carry(lab, device, f"echo x >> {mark}; exec sleep 600", seconds=3)
    wait_until(mark.exists, _PATIENCE, "the moment")
    state = device.folder / "carried" / "state.json"
    wait_until(lambda: '"process"' in state.read_text(), _PATIENCE, "what it is known by")
    device.end(signal.SIGKILL)

    device.start()

    wait_until(lambda: carried_moments.list_moments(lab.db, schedule_id, limit=9)[1], _PATIENCE, "what became of it")
    (told,), _total = carried_moments.list_moments(lab.db, schedule_id, limit=9)
    assert told.part is not None
    assert (told.part.state, told.part.reason[:7]) == ("failed", "unknown")
    after = device.give(run("echo,on"))
    assert device.wait_for(after, "failed", "succeeded").state == "succeeded"
    assert mark.read_text() == "x\n"


def carry(lab: Lab, device: Device, command: str, *, seconds: int) -> str:
    """Let a device carry what is due in so many seconds, and then after an hour."""
    fields = {
        "name": "night", "document": {"version": "1.0", "steps": [run(command)]}, "target_type": "device",
        "target_devices": [device.uuid], "schedule_type": "interval", "interval_minutes": 60, "is_carried": True,
    }  # fmt: skip
    made_at = clock.now() - timedelta(hours=1) + timedelta(seconds=seconds)
    return fleet_schedules.create(lab.db, fields, now=made_at, zone="UTC", actor="tester").schedule_id


def carried_by(lab: Lab, schedule_id: str) -> list[int]:
    """Return the versions that devices say they carry."""
    found, _total = carried.list_carriers(lab.db, schedule_id, now=clock.now(), limit=9)
    return [one.version for one in found if one.version is not None]


def heard(lab: Lab, device: Device, action: str) -> list[Any]:
    entries = audit.list_page(lab.db, limit=500, subject=f"device:{device.uuid}")
    return [entry for entry in entries if entry.action == action]
