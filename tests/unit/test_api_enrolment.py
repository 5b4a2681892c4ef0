"""Enrolment over HTTP: codes for people who may edit, the trade of a code for credentials for anybody who has one."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api_fixtures import Book, Program
from watchbell import clock
from watchbell.domain import agent_protocol
from watchbell.services import audit, devices, enrolment
from watchbell.store.accounts import Account
from watchbell.store.session import Database

JOIN = "/agent/v1/enroll"


@pytest.fixture
def remote(app: Flask, admin_account: Account, book: Book) -> Program:
    """Give a program that calls a server which asks for logins, without any credentials."""
    return Program(app.test_client(), book)


def make(db: Database, **fields: Any) -> str:
    return enrolment.create(db, now=clock.now(), actor="ann", **fields).secret


def test_a_device_trades_a_code_for_credentials_that_work(app: Flask, remote: Program, db: Database) -> None:
    told = remote.want(201, "POST", JOIN, {"code": make(db), "hostname": "pi"})

    row = devices.get(db, told["uuid"], now=clock.now()).device
    assert (told["name"], told["is_active"], row.seen_from) == ("pi", True, "127.0.0.1")
    assert row.signing_salt is not None
    key = agent_protocol.signing_key(app.config["SECRET_KEY"], row.uuid, row.signing_salt)
    assert told["signing_key"] == key
    asked = {"headers": {"Authorization": f"Bearer {told['key']}"}}
    assert remote.get(f"/api/v1/devices/{told['uuid']}/jobs/next", **asked)["message"] == "No pending jobs"


def test_the_same_code_again_is_refused_and_the_audit_says_so(remote: Program, db: Database) -> None:
    code = make(db)
    remote.want(201, "POST", JOIN, {"code": code})

    told = remote.want(403, "POST", JOIN, {"code": code})

    assert (told["code"], "already" in told["error"]) == ("enrolment_refused", True)
    entry = audit.list_page(db, limit=1)[0]
    assert (entry.action, entry.name, entry.address) == ("enrolment.refuse", code[:10], "127.0.0.1")


def test_whoever_guesses_is_kept_away_and_nobody_else_is(remote: Program, db: Database) -> None:
    code = make(db)
    guess = {"code": "wbe_" + "0" * 32}
    statuses = [remote.call("POST", JOIN, guess).status_code for _ in range(30)]

    assert statuses == [403] * 10 + [429] * 20
    # Not even the right one is looked at from there, or the last guess would count like the first.
    answer = remote.call("POST", JOIN, {"code": code})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "127.0.0.9", "wsgi.multithread": True}}
    remote.want(201, "POST", JOIN, {"code": code}, **elsewhere)
    assert sum(entry.action == "enrolment.refuse" for entry in audit.list_page(db, limit=100)) == 10


@pytest.mark.parametrize("body", [{}, {"code": 5}, {"code": "x" * 201}, {"code": "x", "uuid": "y"}, {"code": "a\0"}])
def test_what_makes_no_sense_is_told_by_its_fields(remote: Program, db: Database, body: Any) -> None:
    assert remote.want(422, "POST", JOIN, body)["errors"]


def test_codes_are_made_listed_and_taken_back(program: Program, db: Database) -> None:
    fields = {"name": "pi", "tags": {"site": "north"}, "needs_approval": True, "expires_in_seconds": 600}
    made = program.want(201, "POST", "/api/v1/enroll-codes", fields)

    (listed,) = program.get("/api/v1/enroll-codes")["codes"]
    assert listed == made["enrolment"]
    assert made["code"].startswith(listed["prefix"])
    assert (listed["state"], listed["name"], listed["needs_approval"]) == ("open", "pi", True)
    ended = program.want(200, "DELETE", f"/api/v1/enroll-codes/{listed['id']}")
    assert ended["state"] == "revoked"
    program.want(404, "DELETE", "/api/v1/enroll-codes/999999")


@pytest.mark.parametrize(
    "body", [{"expires_in_seconds": 1}, {"tags": []}, {"group": "none"}, {"devices": 2}, {"name": "x" * 256}]
)
def test_a_code_that_makes_no_sense_is_not_made(program: Program, db: Database, body: Any) -> None:
    assert program.want(400, "POST", "/api/v1/enroll-codes", body)["error"]
    assert enrolment.list_all(db, now=clock.now()) == []
