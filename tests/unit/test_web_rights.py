from __future__ import annotations

import itertools
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from flask import Flask, Response
from sqlalchemy import update
from werkzeug.routing import Rule

from tests.crawl import Note
from tests.fleet import add_device
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.permissions import ROUTES, Right, Role, Scope
from watchbell.services import accounts, devices, tokens
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.web.factory import create_app
from watchbell.web.throttle import Tries

_PEERS = itertools.count()

#: One value for each parameter of a route; nothing of it exists.
VALUES = {
    **dict.fromkeys(
        (
            "task_id",
            "run_id",
            "version",
            "token_id",
            "view_id",
            "account_id",
            "login_id",
            "identity_id",
            "passkey_id",
            "rule_id",
            "code_id",
            "team_id",
            "calendar_id",
            "blackout_id",
        ),
        999_999,
    ),
    "stream": "stdout",
    "suffix": "yaml",
    "token": "x",
    "stamp": "x",
    "name": "none.css",
    "job_name": "none",
    "job_id": "none",
    "schedule_id": "none",
    "handler_id": 999_999,
    "template_id": 999_999,
    "execution_id": 999_999,
    "group_id": 999_999,
    "uuid": "8479359e-dbeb-4858-813c-e8a9008dde04",
    "number": 999_999,
}

#: What each role may do with a login, and with a token of each scope; written out here, so that no rule decides about itself.
_LOOKS, _RUNS = {Right.PUBLIC, Right.VIEW}, {Right.PUBLIC, Right.VIEW, Right.OPERATE}
_EDITS, _RULES = _RUNS | {Right.EDIT}, _RUNS | {Right.EDIT, Right.ADMINISTER}
MATRIX: dict[tuple[str, str | None], set[Right]] = {
    ("viewer", None): _LOOKS | {Right.ACCOUNT},
    ("viewer", "read"): _LOOKS,
    ("viewer", "run"): _LOOKS,
    ("viewer", "edit"): _LOOKS,
    ("viewer", "admin"): _LOOKS,
    ("viewer", "device"): {Right.PUBLIC},
    ("operator", None): _RUNS | {Right.ACCOUNT},
    ("operator", "read"): _LOOKS,
    ("operator", "run"): _RUNS,
    ("operator", "edit"): _RUNS,
    ("operator", "admin"): _RUNS,
    ("operator", "device"): {Right.PUBLIC},
    ("editor", None): _EDITS | {Right.ACCOUNT},
    ("editor", "read"): _LOOKS,
    ("editor", "run"): _RUNS,
    ("editor", "edit"): _EDITS,
    ("editor", "admin"): _EDITS,
    ("editor", "device"): {Right.PUBLIC},
    ("admin", None): _RULES | {Right.ACCOUNT, Right.PEOPLE},
    ("admin", "read"): _LOOKS,
    ("admin", "run"): _RUNS,
    ("admin", "edit"): _EDITS,
    ("admin", "admin"): _RULES,
    ("admin", "device"): {Right.PUBLIC},
}
REACHED = 299


@pytest.fixture(scope="module")
def made_hall(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Return the application with an end behind all checks: a token needs no form, so that every route would really act."""
    hall = create_app(Config.load({"home": tmp_path_factory.mktemp("hall")}, {}))
    hall.before_request(lambda: Response(status=REACHED))
    return hall


@pytest.fixture
def hall(made_hall: Flask, web_config: Config, db: Database) -> Flask:
    fresh = Tries(made_hall.extensions["watchbell.tries"].limiter)
    made_hall.extensions.update({"watchbell.config": web_config, "watchbell.database": db, "watchbell.tries": fresh})
    return made_hall


def token_of(db: Database, role: str, scope: str, **how: Any) -> str:
    """Return the secret of a token whose account has a role, be it one that could not have made it."""
    name = f"{role}-{len(accounts.list_all(db))}"
    accounts.add(db, name, role="admin", password=None, now=clock.now())
    made = tokens.create(
        db,
        name,
        "a token",
        scope=scope,
        lifetime=how.get("lifetime", timedelta(days=1)),
        now=how.get("now", clock.now()),
    )
    with db.write() as session:
        session.execute(update(Account).where(Account.username == name).values(role=role))
    return made.secret


def bearing(secret: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {secret}"}}


@cache
def requests_of(app: Flask) -> list[tuple[str, str, str]]:
    """Return (endpoint, method, address) of every request that the application knows."""
    adapter = app.url_map.bind("localhost")
    rules: list[Rule] = list(app.url_map.iter_rules())
    return [
        (rule.endpoint, method, adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments}))
        for rule in rules
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def asked(app: Flask, note: Note, identity: str) -> list[tuple[str, str, str]]:
    """Return every request, and note who makes them all."""
    found = requests_of(app)
    note(identity, len(found))
    return found


def test_the_matrix_has_every_role_with_every_scope() -> None:
    assert set(MATRIX) == {(role, scope) for role in Role for scope in (None, *Scope)}


def test_every_route_has_a_right_and_every_right_a_route(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ROUTES)


def test_nobody_gets_past_the_login_except_where_it_says_public(
    app: Flask, anonymous: Person, note_crawl: Note
) -> None:
    for endpoint, method, address in asked(app, note_crawl, "nobody"):
        if ROUTES[endpoint] is Right.PUBLIC:
            continue
        answer = anonymous.client.open(address, method=method)

        leads_to_login = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        assert leads_to_login or answer.status_code == 401, (endpoint, method, answer.status)


def test_a_program_without_an_account_is_told_so_in_json(app: Flask, anonymous: Person, note_crawl: Note) -> None:
    for endpoint, method, address in asked(app, note_crawl, "a program without an account"):
        if ROUTES[endpoint] is not Right.PUBLIC:
            answer = anonymous.client.open(address, method=method, headers={"Accept": "application/json"})

            assert answer.status_code == 401, (endpoint, method)
            # Each family of addresses tells errors in its own shape, and all of them under a number.
            assert len(answer.get_json()) >= 2 and "request_id" in answer.get_json(), (endpoint, method)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_exactly_what_the_matrix_says(app: Flask, enter: Enter, role: Role, note_crawl: Note) -> None:
    person = enter(role)

    for endpoint, method, address in asked(app, note_crawl, role):
        # A form without its token stops whoever has the right, too, but with another answer and before anything happens.
        status = person.client.open(address, method=method).status_code
        assert (status != 403) is (ROUTES[endpoint] in MATRIX[role, None]), (endpoint, method, status)


@pytest.mark.parametrize(("role", "scope"), [pair for pair in MATRIX if pair[1]], ids="-".join)
def test_each_token_reaches_what_both_its_role_and_its_scope_may(
    hall: Flask, db: Database, role: str, scope: str, note_crawl: Note
) -> None:
    secret = token_of(db, role, scope)
    client = hall.test_client(use_cookies=False)

    for endpoint, method, address in asked(hall, note_crawl, f"a token of {role} with {scope}"):
        answer = client.open(address, method=method, **bearing(secret))

        assert answer.status_code == (REACHED if ROUTES[endpoint] in MATRIX[role, scope] else 403), (endpoint, method)


def test_a_token_that_is_too_narrow_is_told_the_scope_that_would_do(hall: Flask, db: Database) -> None:
    secret = token_of(db, "admin", "device")
    needed = {Right.VIEW: "read", Right.OPERATE: "run", Right.EDIT: "edit", Right.ADMINISTER: "admin"}

    for endpoint, method, address in requests_of(hall):
        if ROUTES[endpoint] in needed:
            answer = hall.test_client().open(address, method=method, **bearing(secret))

            told = f'Bearer error="insufficient_scope", scope="{needed[ROUTES[endpoint]]}"'
            assert answer.headers["WWW-Authenticate"] == told, (endpoint, method)


@pytest.mark.parametrize("end", ["expired", "revoked", "disabled owner", "unknown", "rotated"])
def test_a_token_that_is_over_reaches_nothing_at_all(hall: Flask, db: Database, end: str, note_crawl: Note) -> None:
    now = clock.now()
    secret = token_of(
        db, "admin", "admin", now=now - timedelta(days=2), lifetime=timedelta(days=1 if end == "expired" else 9)
    )
    (made,) = tokens.list_all(db, now=now)
    if end == "revoked":
        tokens.revoke(db, made.id, now=now)
    if end == "rotated":
        tokens.rotate(db, made.id, now=now)
    if end == "disabled owner":
        with db.write() as session:
            session.connection().exec_driver_sql("UPDATE account SET is_active = false")
    if end == "unknown":
        secret = secret[:-1] + ("0" if secret[-1] != "0" else "1")

    client = hall.test_client(use_cookies=False)
    for endpoint, method, address in asked(hall, note_crawl, f"a token that is {end}"):
        # Each from an address of its own, since there are more of them than wrong tries.
        peer = {"REMOTE_ADDR": f"127.0.0.{next(_PEERS) % 250 + 2}"}
        answer = client.open(address, method=method, environ_base=peer, **bearing(secret))

        assert answer.status_code == 401, (endpoint, method)
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert "request_id" in answer.get_json()


def test_the_key_of_a_device_reaches_what_devices_call_and_nothing_else(
    hall: Flask, db: Database, note_crawl: Note
) -> None:
    key = devices.rotate_key(db, add_device(db, "pi"), now=clock.now(), actor="ann")
    client = hall.test_client(use_cookies=False)

    for endpoint, method, address in asked(hall, note_crawl, "a device"):
        answer = client.open(address, method=method, **bearing(key))

        assert answer.status_code == (REACHED if ROUTES[endpoint] in {Right.PUBLIC, Right.DEVICE} else 403), (
            endpoint,
            method,
        )


def test_no_form_is_accepted_without_its_token(app: Flask, admin: Person, db: Database) -> None:
    for endpoint, method, address in requests_of(app):
        if method == "GET" or endpoint == "auth.login" or ROUTES[endpoint] is Right.DEVICE:
            continue
        answer = admin.client.open(address, method=method)

        assert answer.status_code == 400, (endpoint, method)
        assert "form" in answer.text
    assert admin.is_in()


def test_an_account_with_a_role_that_does_not_exist_may_do_nothing(app: Flask, enter: Enter, db: Database) -> None:
    person = enter("viewer")
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE account SET role = 'root' WHERE username = 'a-viewer'")

    assert person.get("/").status_code == 403


def test_an_account_that_is_switched_off_is_out_with_its_next_request(enter: Enter, db: Database) -> None:
    person = enter("editor")
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE account SET is_active = false WHERE username = 'a-editor'")

    assert not person.is_in()
