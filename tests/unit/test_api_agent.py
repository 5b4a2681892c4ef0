"""/agent/v1 as an agent meets it, and as somebody does who is none: only the credential says which device it is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.api_fixtures import Book, Program
from tests.database import NOW
from tests.fleet import add_device, execute
from watchbell import clock
from watchbell.domain import agent_protocol, carried
from watchbell.domain.agent_protocol import BadlySigned, NotTrusted, Told
from watchbell.services import (
    audit,
    carried_moments,
    devices,
    enrolment,
    fleet_schedules,
    job_handlers,
    job_library,
    secrets,
    tokens,
)
from watchbell.store.accounts import Account
from watchbell.store.session import Database

FACTS: dict[str, Any] = {
    "hostname": "pi", "os": "Debian GNU/Linux 12", "kernel": "Linux 6.1", "architecture": "aarch64", "cpus": 4,
    "python": "3.11.2", "agent_version": "0.1.0", "boot_id": "b", "zone": "Europe/Berlin", "load_averages": [0.5, 0, 1],
    "addresses": ["10.0.0.7", "fe80::1%eth0"], "mac_addresses": ["dc:a6:32:00:00:01"], "uptime_seconds": 60,
    "memory_total_bytes": 2**30, "memory_available_bytes": 0, "disk_total_bytes": 2**40, "disk_free_bytes": 1,
}  # fmt: skip
STEP = {"type": "runHandler", "input": {"handler": "backup-directory", "args": ["/etc", "etc"]}}


class Device:
    """A device that has joined, and asks as its agent would."""

    def __init__(self, program: Program, db: Database) -> None:
        code = enrolment.create(db, name="pi", now=clock.now(), actor="ann").secret
        told = program.want(201, "POST", "/agent/v1/enroll", {"code": code})
        self.uuid, self.key, self.signing_key = told["uuid"], told["key"], told["signing_key"]
        self._program, self._seq = program, 0

    def body(self, **more: Any) -> dict[str, Any]:
        self._seq += 1
        return {"incarnation": "a" * 32, "seq": self._seq, "nonce": f"{self._seq:032x}", **more}

    def want(self, status: int, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self._program.want(status, method, f"/agent/v1/{path}", body, headers=headers)

    def poll(self, **more: Any) -> Told:
        body = self.body(**more)
        answer = self.want(200, "POST", "poll", body)
        return self.unseal(answer, body["nonce"])

    def unseal(self, answer: dict[str, Any], nonce: str, key: str = "") -> Told:
        how = {"key": key or self.signing_key, "device": self.uuid, "nonce": nonce, "elapsed_seconds": 0.1}
        return agent_protocol.unseal(answer, **how)

    def report(self, fence: int, status: str, job_id: str, *, want: int = 200, **more: Any) -> Any:
        body = {"report_id": f"{status}-{fence}", "job_id": job_id, "fence": fence, "incarnation": "a" * 32}
        return self.want(want, "POST", "report", {**body, "status": status, **more})


@pytest.fixture
def remote(app: Flask, admin_account: Account, book: Book) -> Program:
    """Give a program that calls a server which asks for logins, without any credentials."""
    return Program(app.test_client(), book)


@pytest.fixture
def device(remote: Program, db: Database) -> Device:
    return Device(remote, db)


def test_a_job_goes_from_the_order_to_its_result(device: Device, db: Database) -> None:
    job_id = execute(db, device.uuid, document={"version": "1.0", "steps": [STEP]}).execution.job_id

    job = device.poll().assignment
    assert job is not None
    (handler,) = job.payload["handlers"]
    script = device.want(200, "GET", f"handlers/{handler['name']}")
    began = device.report(job.fence, "IN_PROGRESS", job.job_id)
    ended = device.report(job.fence, "SUCCEEDED", job.job_id, exit_code=3, stdout="x" * 100_000)

    assert (job.job_id, script["sha256"]) == (job_id, handler["sha256"])
    assert (began["status"], ended["status"]) == ("IN_PROGRESS", "FAILED")
    assert device.poll().assignment is None


def test_what_is_told_is_signed_for_this_device_and_this_request(device: Device, remote: Program, db: Database) -> None:
    other = Device(remote, db)
    execute(db, device.uuid)
    body = device.body()
    answer = device.want(200, "POST", "poll", body)

    assert device.unseal(answer, body["nonce"]).assignment is not None
    assert json.loads(answer["envelope"])["device"] == device.uuid
    with pytest.raises(BadlySigned):
        device.unseal(answer, body["nonce"], other.signing_key)


def test_the_credential_alone_says_which_device_it_is(device: Device, remote: Program, db: Database) -> None:
    other = Device(remote, db)
    job_id = execute(db, other.uuid).execution.job_id

    assert device.poll().assignment is None
    device.want(422, "POST", "poll", device.body(uuid=other.uuid))
    device.report(1, "SUCCEEDED", job_id, want=404)
    assert other.poll().assignment is not None
    device.want(404, "GET", "handlers/backup-directory")


def test_a_key_that_is_none_or_of_an_account_opens_nothing(
    device: Device, remote: Program, db: Database, admin_account: Account
) -> None:
    made = tokens.create(db, admin_account.username, "t", scope="device", lifetime=None, now=clock.now())
    for secret, status in ((made.secret, 403), ("wbd_" + "0" * 40, 401), (device.signing_key, 401), (device.uuid, 401)):
        device.key = secret
        device.want(status, "POST", "poll", device.body())
    remote.want(401, "POST", "/agent/v1/poll", device.body())


def test_without_logins_nobody_plays_a_device_here(program: Program, db: Database) -> None:
    device = Device(program, db)

    program.want(403, "POST", "/agent/v1/poll", device.body())


def test_a_device_that_waits_is_told_so_by_a_word(device: Device, db: Database) -> None:
    devices.set_active(db, device.uuid, False, now=NOW, actor="ann")

    assert device.want(403, "POST", "poll", device.body())["code"] == "device_inactive"


def test_a_device_that_has_joined_by_no_code_and_a_second_agent_are_told_apart(
    device: Device, remote: Program, db: Database
) -> None:
    device.poll()
    told = device.want(409, "POST", "poll", device.body(incarnation="b" * 32))
    device.key = devices.rotate_key(db, add_device(db), now=NOW, actor="ann")

    assert told["code"] == "duplicate_identity"
    assert device.want(409, "POST", "poll", device.body())["code"] == "not_enrolled"


def test_a_request_that_comes_again_is_given_nothing(device: Device, db: Database) -> None:
    execute(db, device.uuid)
    body = device.body()
    device.want(200, "POST", "poll", body)

    assert device.want(409, "POST", "poll", body)["code"] == "out_of_turn"


def test_facts_are_kept_with_the_device_and_where_orders_look_for_them(
    device: Device, remote: Program, db: Database
) -> None:
    behind = clock.now().replace(year=2020).isoformat()
    device.poll(facts=FACTS, clock=behind, round_trip_ms=12)
    device.poll()

    row = devices.get(db, device.uuid, now=NOW).device
    assert {name: row.facts[name] for name in FACTS} == FACTS
    assert (row.facts["round_trip_ms"], row.facts["clock_ahead_seconds"] < -86_400 * 365) == (12, True)
    assert (row.zone, row.ip_address, row.os_version) == ("Europe/Berlin", "10.0.0.7", "Debian GNU/Linux 12")
    assert row.facts_at is not None


def test_an_order_that_stands_means_a_device_once_its_facts_fit(device: Device, db: Database) -> None:
    execute(db, target_type="group", target_filter={"zone": "Europe/Berlin"}, execution_type="continuous")
    assert device.poll().assignment is None

    assert device.poll(facts=FACTS).assignment is not None


@pytest.mark.parametrize(
    "facts",
    [
        {"hostname": "x" * 256},
        {"hostname": "a\nb"},
        {"zone": "../../etc/passwd\n"},
        {"zone": "Europe/<b>"},
        {"addresses": ["10.0.0.7"] * 17},
        {"addresses": ["<script>"]},
        {"load_averages": [1, 2]},
        {"load_averages": [1, 2, -1]},
        {"cpus": 0},
        {"cpus": "4"},
        {"uptime_seconds": -1},
        {"disk_free_bytes": 2**70},
        {"is_admin": True},
        {"os": {"a": 1}},
        [],
    ],
    ids=str,
)
def test_facts_that_no_machine_has_are_refused_and_nothing_of_them_is_kept(
    device: Device, db: Database, facts: Any
) -> None:
    told = device.want(422, "POST", "poll", device.body(facts=facts))

    assert told["errors"][0]["field"].startswith("facts")
    assert devices.get(db, device.uuid, now=NOW).device.facts == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"exit_code": "0"},
        {"exit_code": 2**40},
        {"fence": 0},
        {"status": "DONE"},
        {"status": "TIMED_OUT"},
        {"executed_steps": -1},
        {"incarnation": "x"},
        {"report_id": "x" * 101},
        {"completed_at": "2999-01-01T00:00:00Z"},
        {"status_details": {str(number): 1 for number in range(5000)}},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_a_report_that_makes_no_sense_is_refused(device: Device, db: Database, wrong: dict[str, Any]) -> None:
    job_id = execute(db, device.uuid).execution.job_id
    device.poll()
    body = {"report_id": "r", "job_id": job_id, "fence": 1, "incarnation": "a" * 32, "status": "IN_PROGRESS", **wrong}

    assert device.want(422, "POST", "report", body)["errors"]


def test_what_cannot_follow_is_told_with_what_the_job_is(device: Device, db: Database) -> None:
    job_id = execute(db, device.uuid).execution.job_id
    job = device.poll().assignment
    assert job is not None
    device.report(job.fence, "SUCCEEDED", job_id, exit_code=0)

    told = device.report(job.fence, "FAILED", job_id, want=409)

    assert told["current"]["status"] == "SUCCEEDED"


def test_an_agent_that_did_not_trust_an_answer_is_heard_of(device: Device, db: Database) -> None:
    device.poll(distrust="the signature of the answer is not the server's")

    entry = audit.list_page(db, limit=1)[0]
    assert (entry.action, entry.subject) == ("agent.distrust", f"device:{device.uuid}")
    assert "signature" in entry.detail["reason"]


def test_an_agent_that_asks_without_end_is_slowed_down_and_no_other_is(
    device: Device, remote: Program, db: Database
) -> None:
    other = Device(remote, db)
    asked = {"json": {}, "headers": {"Authorization": f"Bearer {device.key}"}}
    statuses = [remote.client.post("/agent/v1/report", **asked).status_code for _ in range(2)]
    assert statuses == [422, 422]

    for _ in range(300):
        remote.client.get("/agent/v1/handlers/none", headers=asked["headers"])
    answer = remote.call("POST", "/agent/v1/poll", device.body(), headers=asked["headers"])

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    other.poll()


def test_a_handler_that_was_changed_meanwhile_comes_as_the_signed_digest_says(device: Device, db: Database) -> None:
    execute(db, device.uuid, document={"version": "1.0", "steps": [STEP]})
    job = device.poll().assignment
    assert job is not None
    (told,) = job.payload["handlers"]
    (handler,) = job_library.find_handlers(db, ["backup-directory"])
    job_handlers.update(db, handler.id, {"script_content": "another"}, now=clock.now(), actor="ann")

    fetched = device.want(200, "GET", f"handlers/backup-directory?sha256={told['sha256']}")

    assert (fetched["sha256"], fetched["script_content"]) == (told["sha256"], handler.script_content)
    assert device.want(200, "GET", "handlers/backup-directory")["script_content"] == "another"
    device.want(404, "GET", f"handlers/backup-directory?sha256={'0' * 64}")


@pytest.mark.parametrize(
    ("headers", "is_given"),
    [({}, True), ({"X-Forwarded-For": "10.0.0.9"}, False), ({"X-Forwarded-Proto": "https"}, False)],
)
def test_secrets_go_nowhere_where_somebody_on_the_way_could_read_them(
    device: Device, remote: Program, db: Database, headers: dict[str, str], is_given: bool
) -> None:
    secrets.put(db, "db", "correct horse", now=NOW, actor="ann")
    step = {"type": "runCommand", "input": {"command": "true"}, "environment": {"P": "${secret:db}"}}
    execute(db, device.uuid, document={"version": "1.0", "steps": [step]})
    body = device.body(knows=["step-environment"])
    headers = {"Authorization": f"Bearer {device.key}", **headers}

    answer = remote.want(200, "POST", "/agent/v1/poll", body, headers=headers)

    assert ("correct horse" in str(answer["payload"])) is is_given
    assert (device.unseal(answer, body["nonce"]).assignment is not None) is is_given


def test_a_device_fetches_what_it_is_to_carry_and_tells_of_it(device: Device, remote: Program, db: Database) -> None:
    fields = {
        "name": "night", "document": {"version": "1.0", "steps": [STEP]}, "target_type": "all", "schedule_type": "interval",
        "interval_minutes": 60, "is_carried": True,
    }  # fmt: skip
    made = fleet_schedules.create(db, fields, now=clock.now(), zone="UTC", actor="ann")
    assert device.poll(carries=[]).carried == {made.schedule_id: 1}
    assert device.poll().carried is None
    asked = {"incarnation": "a" * 32, "nonce": "b" * 32, "schedule_id": made.schedule_id}
    answer = device.want(200, "POST", "carried", asked)
    how = {"key": device.signing_key, "device": device.uuid, "nonce": "b" * 32, "elapsed_seconds": 0.1}
    told = agent_protocol.unseal_schedule(answer, **how)
    assert (told["name"], told["version"], told["timing"]["every"]) == ("night", 1, 1)
    for wrong in ({"key": "other"}, {"nonce": "c" * 32}, {"device": "other"}):
        with pytest.raises(NotTrusted):
            agent_protocol.unseal_schedule(answer, **{**how, **wrong})
    with pytest.raises(BadlySigned):
        agent_protocol.unseal_schedule({**answer, "payload": answer["payload"].replace("night", "other")}, **how)
    assert device.want(200, "GET", "handlers/backup-directory")["sha256"] == told["handlers"][0]["sha256"]
    device.want(404, "POST", "carried", {**asked, "schedule_id": "none"})

    due = carried.read_told(told["timing"]).next_after(clock.now() - timedelta(hours=1), "UTC")
    assert due is not None
    key, due_at = carried.key_of(due), due.due_at.isoformat()
    moment = {"schedule_id": made.schedule_id, "version": 1, "key": key, "due_at": due_at, "outcome": "run"}
    for wrong in ({"status": "QUEUED"}, {"key": ""}, {"outcome": "x"}, {"due_at": "now"}, {"stands_for": 0}):
        body = {"incarnation": "a" * 32, "moments": [{**moment, **wrong}]}
        device.want(422, "POST", "moments", body)
    body = {"incarnation": "a" * 32, "moments": [{**moment, "status": "FAILED", "failure": "x", "stdout": "\0"}]}
    assert device.want(200, "POST", "moments", body) == device.want(200, "POST", "moments", body) == {"known": [True]}
    made_up = {"incarnation": "a" * 32, "moments": [{**moment, "key": "k"}]}
    assert device.want(200, "POST", "moments", made_up) == {"known": [False]}
    assert device.want(409, "POST", "moments", {**body, "incarnation": "c" * 32})["code"] == "not_yet"
    (shown,), _total = carried_moments.list_moments(db, made.schedule_id, limit=9)
    assert shown.part is not None
    assert (shown.part.state, shown.part.reason) == ("failed", "x")
