"""The family of device jobs as devices meet it, and as those do who manage devices: keys, tags and groups."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api_fixtures import Book, Program
from tests.database import NOW
from tests.fleet import add_device, execute
from tests.web_fixtures import Enter
from watchbell import clock
from watchbell.services import devices, job_library, tokens
from watchbell.store.accounts import Account
from watchbell.store.session import Database

NOBODY = "00000000-0000-4000-8000-000000000000"


def device_with_key(db: Database, name: str = "pi", *, active: bool = True) -> tuple[str, str]:
    uuid = add_device(db, name, active=active)
    return uuid, devices.rotate_key(db, uuid, now=NOW, actor="ann")


@pytest.fixture
def remote(app: Flask, admin_account: Account, book: Book) -> Program:
    """Give a program that calls a server which asks for logins, without any credentials."""
    return Program(app.test_client(), book)


def with_key(secret: str, header: str = "X-Device-API-Key") -> dict[str, dict[str, str]]:
    return {"headers": {header: f"Bearer {secret}" if header == "Authorization" else secret}}


@pytest.mark.parametrize("header", ["X-Device-API-Key", "Authorization"])
def test_a_device_asks_and_reports_with_its_key(remote: Program, db: Database, header: str) -> None:
    uuid, secret = device_with_key(db)
    job_id = execute(db, uuid).execution.job_id
    how = with_key(secret, header)

    told = remote.get(f"/api/v1/devices/{uuid.upper()}/jobs/next", **how)
    row = remote.want(200, "PATCH", f"/api/v1/devices/{uuid}/jobs/{job_id}/status", {"status": "SUCCEEDED"}, **how)

    assert (told["job_id"], row["status"], row["device_uuid"]) == (job_id, "SUCCEEDED", uuid)
    assert devices.get(db, uuid, now=clock.now()).is_online is True


def test_a_device_that_asks_without_end_is_slowed_down_and_no_other_is(remote: Program, db: Database) -> None:
    (uuid, secret), (other, key) = device_with_key(db), device_with_key(db, "other")
    jobs, how = f"/api/v1/devices/{uuid}/jobs", with_key(secret)
    for _ in range(100):
        remote.client.get(f"{jobs}/next", **how)
        remote.client.patch(f"{jobs}/{NOBODY}/status", json={"status": "SUCCEEDED"}, **how)
        remote.client.get(f"/api/v1/devices/{uuid}/handlers/none", **how)

    answer = remote.call("GET", f"{jobs}/next", **how)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    assert answer.get_json()["error"] == "This device asks too often"
    remote.want(200, "GET", f"/api/v1/devices/{other}/jobs/next", **with_key(key))


def test_nobody_who_has_logged_in_makes_something_in_the_name_of_another_alone(
    remote: Program, db: Database, admin_account: Account
) -> None:
    add_device(db)
    made = tokens.create(db, admin_account.username, "t", scope="edit", lifetime=None, now=clock.now())
    how = with_key(made.secret, "Authorization")
    document = {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": "df,-h"}}]}
    bodies: dict[str, dict[str, Any]] = {
        "templates": {"name": "one", "job_document": document},
        "handlers": {"name": "one", "script_content": "#!/bin/sh"},
        "execute": {"job_name": "one", "job_document": document, "target_type": "all"},
        "schedules": {
            "job_name": "one", "job_document": document, "target_type": "all", "schedule_type": "interval",
            "interval_minutes": 60,
        },
    }  # fmt: skip
    for where, body in bodies.items():
        told = str(remote.want(201, "POST", f"/api/v1/jobs/{where}", {**body, "created_by": "root"}, **how))
        assert f"'created_by': 'root ({admin_account.username})'" in told, where


def test_no_key_or_a_wrong_one_is_401_and_a_device_at_rest_403(remote: Program, db: Database) -> None:
    uuid, secret = device_with_key(db, active=False)
    path = f"/api/v1/devices/{uuid}/jobs/next"

    assert "account" in remote.want(401, "GET", path)["error"]
    for wrong in ("", uuid, "wbd_" + "0" * 40, secret + "0"):
        assert remote.want(401, "GET", path, **with_key(wrong))["request_id"]
    assert remote.want(403, "GET", path, **with_key(secret))["error"] == "The device is not active"
    devices.revoke_key(db, uuid, now=NOW, actor="ann")
    remote.want(401, "GET", path, **with_key(secret))


def test_a_device_speaks_for_itself_alone(remote: Program, db: Database) -> None:
    uuid, secret = device_with_key(db)
    other, _other_secret = device_with_key(db, "other")
    job_id = execute(db, other).execution.job_id

    for method, path, body in (
        ("GET", f"/api/v1/devices/{other}/jobs/next", None),
        ("GET", f"/api/v1/devices/{NOBODY}/jobs/next", None),
        ("PATCH", f"/api/v1/devices/{other}/jobs/{job_id}/status", {"status": "FAILED"}),
        ("GET", f"/api/v1/devices/{other}/handlers/download-file", None),
    ):
        remote.want(403, method, path, body, **with_key(secret))
    remote.want(404, "PATCH", f"/api/v1/devices/{uuid}/jobs/{job_id}/status", {"status": "FAILED"}, **with_key(secret))


@pytest.mark.parametrize(
    "path", ["/api/v1/jobs/templates", "/api/v1/devices", "/api/v2/tasks", "/api/jobs", "/api/v1/jobs/handlers"]
)
def test_the_key_of_a_device_opens_nothing_that_people_see(remote: Program, db: Database, path: str) -> None:
    _uuid, secret = device_with_key(db)

    remote.want(403, "GET", path, **with_key(secret, "Authorization"))


@pytest.mark.parametrize("scope", ["read", "run", "edit", "admin", "device"])
def test_the_token_of_an_account_is_no_device(
    remote: Program, db: Database, admin_account: Account, scope: str
) -> None:
    uuid, _secret = device_with_key(db)
    made = tokens.create(db, admin_account.username, "t", scope=scope, lifetime=None, now=clock.now())

    remote.want(403, "GET", f"/api/v1/devices/{uuid}/jobs/next", **with_key(made.secret, "Authorization"))


def test_a_key_in_an_address_is_refused(remote: Program, db: Database) -> None:
    uuid, secret = device_with_key(db)

    for query in (f"?api_key={secret}", f"?x={secret}"):
        remote.want(401, "GET", f"/api/v1/devices/{uuid}/jobs/next{query}", **with_key(secret))


def test_a_handler_is_fetched_by_the_device_that_has_a_job_with_it(remote: Program, db: Database) -> None:
    uuid, secret = device_with_key(db)
    step = {"type": "runHandler", "input": {"handler": "backup-directory", "args": ["/etc", "etc"]}}
    execute(db, uuid, document={"version": "1.0", "steps": [step]})

    (told,) = remote.get(f"/api/v1/devices/{uuid}/jobs/next", **with_key(secret))["handlers"]
    sent = remote.get(f"/api/v1/devices/{uuid}/handlers/backup-directory", **with_key(secret))

    assert told["sha256"] == sent["sha256"] == job_library.list_handlers(db)[0].sha256
    assert "tar -czf" in sent["script_content"]


def test_whoever_may_operate_executes_templates_and_no_documents_of_their_own(
    enter: Enter, remote: Program, db: Database
) -> None:
    enter("operator")
    uuid = add_device(db)
    made = tokens.create(db, "a-operator", "t", scope="run", lifetime=None, now=clock.now())
    how = with_key(made.secret, "Authorization")
    body: dict[str, Any] = {"job_name": "x", "target_type": "device", "target_devices": [uuid]}

    remote.want(201, "POST", "/api/v1/jobs/execute", {**body, "template_id": 3}, **how)
    document = {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": "id"}}]}
    told = remote.want(403, "POST", "/api/v1/jobs/execute", {**body, "job_document": document}, **how)

    assert "right to edit" in told["error"]


def test_a_device_is_made_changed_and_deleted(program: Program, db: Database) -> None:
    made = program.want(201, "POST", "/api/v1/devices", {"deviceName": "pi", "ipAddress": "10.0.0.7"})
    uuid = made["device"]["uuid"]
    address = f"/api/v1/devices/{uuid}"
    assert (made["success"], made["device"]["is_active"], made["device"]["device_type"]) == (True, False, "gateway")
    assert devices.resolve(db, made["api_key"], now=NOW).uuid == uuid

    assert program.want(200, "PATCH", f"{address}/active", {"is_active": True})["device"]["is_active"] is True
    assert program.want(200, "PATCH", address, {"deviceName": "new"})["device"]["device_name"] == "new"
    assert program.want(200, "PUT", f"{address}/tags", {"tags": {"site": "north"}})["device"]["tags"] == {
        "site": "north"
    }
    found = program.want(200, "POST", "/api/v1/devices/query", {"tagSelectors": {"site": "north"}})
    assert (found["count"], found["devices"][0]["uuid"]) == (1, uuid)
    assert program.want(200, "POST", f"{address}/key")["api_key"] != made["api_key"]
    assert program.want(200, "DELETE", f"{address}/key")["success"] is True
    assert program.get(address)["device"]["ip_address"] == "10.0.0.7"
    assert program.want(200, "DELETE", address)["success"] is True
    assert program.want(404, "GET", address)["error"] == "Device not found"


def test_devices_are_listed_in_pages(program: Program, db: Database) -> None:
    for name in ("a", "b", "c"):
        add_device(db, name, active=name != "c")

    listed = program.get("/api/v1/devices?limit=2&page=2")

    assert (listed["count"], [one["device_name"] for one in listed["devices"]]) == (1, ["c"])
    assert listed["pagination"] == {"page": 2, "limit": 2, "totalDevices": 3, "totalPages": 2}
    assert program.get("/api/v1/devices?filter=inactive")["count"] == 1
    assert program.get("/api/v1/devices?online=true")["count"] == 0


def test_a_group_is_put_listed_meant_and_deleted(program: Program, db: Database) -> None:
    uuid = add_device(db)
    address = "/api/v1/devices/groups/kitchens"

    assert program.want(200, "PUT", address, {"devices": [uuid, uuid]})["devices"] == 1

    assert program.get("/api/v1/devices/groups") == {
        "groups": [{"name": "kitchens", "description": "", "devices": 1}],
        "total": 1,
    }
    shown = execute(db, target_type="group", target_filter={"group": "kitchens"})
    assert shown.targets == [uuid]
    assert program.want(200, "DELETE", address)["success"] is True
    assert "no group" in program.want(404, "DELETE", address)["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/devices", {}, 400, "deviceName is required"),
        ("POST", "/devices", {"deviceName": " "}, 400, "deviceName must be"),
        ("POST", "/devices", {"deviceName": "x", "uuid": "x"}, 400, "uuid must be a UUID"),
        ("POST", "/devices", {"deviceName": "x", "ipAddress": "<b>"}, 400, "ipAddress must be an address"),
        ("PATCH", f"/devices/{NOBODY}", {"deviceName": "x"}, 404, "Device not found"),
        ("PATCH", f"/devices/{NOBODY}/active", {}, 400, "is_active is required"),
        ("PATCH", f"/devices/{NOBODY}/active", {"is_active": True}, 404, "Device not found"),
        ("PUT", f"/devices/{NOBODY}/tags", {"tags": {}}, 404, "Device not found"),
        ("POST", f"/devices/{NOBODY}/key", None, 404, "Device not found"),
        ("DELETE", f"/devices/{NOBODY}/key", None, 404, "Device not found"),
        ("DELETE", f"/devices/{NOBODY}", None, 404, "Device not found"),
        ("GET", "/devices?page=0", None, 400, "page must be"),
        ("GET", "/devices?filter=all", None, 400, "filter must be one of"),
        ("POST", "/devices/query", {"tagSelectors": {"a b": "x"}}, 400, "tagSelectors has a key"),
        ("PUT", "/devices/groups/x", {"devices": [NOBODY]}, 400, "devices"),
    ],
)
def test_every_error_about_devices_says_what_is_wrong(
    program: Program, method: str, path: str, body: Any, status: int, said: str
) -> None:
    assert program.want(status, method, f"/api/v1{path}", body)["error"].startswith(said)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/devices/groups", "GET, HEAD, OPTIONS"),
        ("/devices/query", "OPTIONS, POST"),
        ("/jobs/templates", "GET, HEAD, OPTIONS, POST"),
        ("/jobs/execute", "OPTIONS, POST"),
        (f"/jobs/{NOBODY}", "DELETE, OPTIONS"),
    ],
)
def test_what_may_be_done_with_one_thing_may_not_be_done_with_a_list_of_them(
    program: Program, path: str, methods: str
) -> None:
    answer = program.client.options(f"/api/v1{path}")

    assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == methods


def test_a_device_by_itself_has_what_its_agent_has_told(program: Program, db: Database) -> None:
    uuid = add_device(db)
    with db.write() as session:
        row = devices.require(session, uuid)
        row.facts, row.facts_at = {"load_1": 0.25}, NOW

    told = program.get(f"/api/v1/devices/{uuid}")["device"]

    assert (told["facts"], told["facts_at"]) == ({"load_1": 0.25}, NOW.isoformat())
    assert "facts" not in program.get("/api/v1/devices")["devices"][0]
