"""A proxy that logs people in and names them in a header: believed from its own address, and from no other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from tests.web_fixtures import Person
from watchbell import clock
from watchbell.config import Config
from watchbell.errors import ConfigError
from watchbell.services import accounts
from watchbell.store.audit import AuditEntry
from watchbell.store.session import Database
from watchbell.web import auth
from watchbell.web.factory import create_app

HEADER = "X-Remote-User"
PROXY = "10.1.2.3"
PASSWORD = "a bell at noon"


@pytest.fixture
def behind(app: Flask, web_config: Config, db: Database) -> Person:
    """Give a browser behind a proxy that is trusted, and an account whose owner it may name."""
    named = {"login_header": HEADER, "login_header_from": ("10.1.2.0/24", "::1/128")}
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, **named)
    accounts.ensure_first(db, now=clock.now())
    accounts.add(db, "ann", role="operator", password=PASSWORD, now=clock.now())
    return Person(app.test_client())


def ask(
    person: Person, name: str | None = "ann", peer: str = PROXY, url: str = "/overview.json", **more: str
) -> TestResponse:
    headers = {**({HEADER: name} if name is not None else {}), **more}
    return person.client.get(url, headers=headers, environ_base={"REMOTE_ADDR": peer}, buffered=True)


def send(person: Person, url: str, fields: Mapping[str, str], name: str = "ann") -> TestResponse:
    """Send a form as a page behind the proxy would."""
    page = ask(person, name, url="/logout").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    return person.client.post(
        url,
        data={**fields, "csrf_token": token},
        headers={HEADER: name},
        environ_base={"REMOTE_ADDR": PROXY},
    )


def refusals(db: Database) -> list[str]:
    with db.read() as session:
        found = select(AuditEntry.detail).where(AuditEntry.action == "login.refuse").order_by(AuditEntry.id)
        return [json.dumps(detail) for detail in session.scalars(found)]


def test_whom_a_trusted_proxy_names_is_logged_in_for_as_long_as_it_does(behind: Person) -> None:
    assert ask(behind).status_code == 200
    assert "Logged in as <strong>ann</strong>, operator" in ask(behind, url="/").text

    assert ask(behind, None).status_code == 401
    assert ask(behind, "").status_code == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.3.3", "192.0.2.1", "::2", "", "unix:", "10.1.2.3.4"])
def test_nobody_else_is_believed(behind: Person, db: Database, peer: str) -> None:
    assert ask(behind, "admin", peer).status_code == 401
    assert ask(behind, "admin", peer).status_code == 401

    (told,) = refusals(db)
    assert HEADER in told and "admin" not in told


@pytest.mark.parametrize("peer", ["10.1.2.3", "10.1.2.254", "::1", "::ffff:10.1.2.3"])
def test_a_proxy_is_trusted_by_address_or_network(behind: Person, peer: str) -> None:
    assert ask(behind, peer=peer).status_code == 200


@pytest.mark.parametrize("forged", ["10.1.2.3", "10.1.2.3, 10.1.2.3", "::1"])
def test_a_forwarded_address_is_no_address(behind: Person, app: Flask, forged: str) -> None:
    # As it is with WATCHBELL_BEHIND_PROXY, where the first hop is taken from a header.
    plain = app.wsgi_app
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]
    try:
        for peer, reached in (("192.0.2.1", 401), (PROXY, 200)):
            answer = ask(
                behind, peer=peer, **{"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged}"}
            )
            assert answer.status_code == reached
    finally:
        app.wsgi_app = plain  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "name",
    [
        "bo",
        "ann,admin",
        "ann admin",
        "ann\t",
        "../ann",
        "ann%00",
        "<b>ann</b>",
        "x" * 9000,
        "Ann",
        "ann\xa0",
        "\x85ann",
    ],
)
def test_a_name_without_an_account_is_nobodys(behind: Person, db: Database, name: str) -> None:
    expected = 200 if name.strip(" \t") == "ann" else 401

    assert ask(behind, name).status_code == expected
    assert len(accounts.list_all(db)) == 2


def test_the_login_page_says_what_is_missing(behind: Person) -> None:
    text = ask(behind, "<i>bo</i>", url="/login").text

    assert "The proxy in front says that you are &lt;i&gt;bo&lt;/i&gt;" in text
    assert "The proxy in front" not in ask(behind, "<i>bo</i>", "192.0.2.1", url="/login").text


def test_a_header_that_comes_twice_names_nobody(behind: Person) -> None:
    answer = behind.client.get(
        "/overview.json", headers=[(HEADER, "ann"), (HEADER, "admin")], environ_base={"REMOTE_ADDR": PROXY}
    )

    assert answer.status_code == 401


def test_an_account_that_is_disabled_is_out_at_once_and_so_is_its_stream(
    behind: Person, app: Flask, db: Database
) -> None:
    with app.test_request_context(headers={HEADER: "ann"}, environ_base={"REMOTE_ADDR": PROXY}):
        credential = auth.credential()
    assert credential
    assert auth.still_open(db, [credential]) == {credential}

    accounts.set_role(db, "ann", "viewer", now=clock.now(), actor="admin")
    assert auth.still_open(db, [credential]) == set()
    accounts.set_active(db, "ann", False, now=clock.now(), actor="admin")

    assert ask(behind).status_code == 401
    assert auth.still_open(db, [credential]) == set()


def test_whoever_is_named_counts_and_not_whose_session_the_browser_has(behind: Person, db: Database) -> None:
    behind.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")
    assert "admin" in ask(behind, None, url="/").text

    assert "Logged in as <strong>ann</strong>" in ask(behind, url="/").text
    # A name without an account is no way back to the session of somebody else.
    assert ask(behind, "bo").status_code == 401


def test_a_token_counts_more_than_the_name(behind: Person) -> None:
    assert ask(behind, Authorization="Bearer wb_nothing").status_code == 401


def test_an_account_is_made_if_the_settings_give_a_role(behind: Person, app: Flask, db: Database) -> None:
    config = app.extensions["watchbell.config"]
    app.extensions["watchbell.config"] = dataclasses.replace(config, login_header_role="viewer")

    assert [ask(behind, "bo").status_code for _ in range(2)] == [200, 200]
    assert accounts.find(db, "bo").role == "viewer"
    assert accounts.find(db, "bo").password_hash is None
    assert ask(behind, "no name at all").status_code == 401
    assert ask(behind, "eve", "192.0.2.1").status_code == 401
    assert {one.username for one in accounts.list_all(db)} == {"admin", "ann", "bo"}


def test_forms_need_their_token_as_ever(behind: Person) -> None:
    answer = behind.client.post("/pause", headers={HEADER: "ann"}, environ_base={"REMOTE_ADDR": PROXY})
    foreign = behind.client.post(
        "/pause", headers={HEADER: "ann", "Origin": "https://evil.example"}, environ_base={"REMOTE_ADDR": PROXY}
    )

    assert (answer.status_code, foreign.status_code) == (400, 403)


def test_logging_out_says_where(behind: Person) -> None:
    assert "Log out there" in ask(behind, url="/logout").text

    assert "Log out there" in send(behind, "/logout", {}).text
    assert ask(behind).status_code == 200


def test_who_has_a_password_types_it_before_a_token_is_made(behind: Person, db: Database) -> None:
    fields = {"name": "x", "scope": "read", "expires": "7d"}

    assert send(behind, "/account/tokens/new", fields).status_code == 422
    assert send(behind, "/account/tokens/new", {**fields, "current": "wrong"}).status_code == 422
    assert send(behind, "/account/tokens/new", {**fields, "current": PASSWORD}).status_code == 200
    # That has made no session which would outlive the proxy's word.
    assert accounts.list_logins(db, "ann", now=clock.now()) == []
    assert ask(behind, None).status_code == 401


def test_the_audit_tells_of_one_login_and_not_of_each_request(behind: Person, db: Database) -> None:
    for _ in range(3):
        ask(behind)

    with db.read() as session:
        rows = session.connection().exec_driver_sql("SELECT actor FROM audit_entry WHERE action = 'login.proxy'").all()
    assert rows == [("ann",)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"login_header": "X-User"}, "belong together"),
        ({"login_header_from": "10.0.0.1"}, "belong together"),
        ({"login_header": "X_User", "login_header_from": "10.0.0.1"}, "letters, digits and dashes"),
        ({"login_header": "Cookie", "login_header_from": "10.0.0.1"}, "letters, digits and dashes"),
        ({"login_header": "X-User", "login_header_from": "10.0.0.1/24"}, "10.0.0.1/24 is none"),
        ({"login_header": "X-User", "login_header_from": "proxy"}, "proxy is none"),
        ({"login_header": "X-User", "login_header_from": "10.0.0.1", "login_header_role": "root"}, "one of none"),
        ({"login_header": "X-User", "login_header_from": "10.0.0.1", "auth": "off"}, "needs logins"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(tmp_path: Path, given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        create_app(Config.load({"home": tmp_path, **given}, {}))
