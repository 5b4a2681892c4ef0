"""What outlives a session asks once more who one is, wherever it is made: with a password, and without one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import accounts, devices, second_factors, secrets, tokens
from watchbell.store.accounts import LoginSession
from watchbell.store.audit import AuditEntry
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
#: Address -> what its form is sent with. Each would do what it does if it were proven who asks.
DEEDS = {
    "/account/tokens/new": {"name": "new", "scope": "read", "expires": "7d"},
    "/account/tokens/1/rotate": {},
    "/users/new": {"username": "bo", "role": "admin"},
    "/users/2": {"role": "admin", "is_active": "y"},
    "/users/2 ": {"act": "link"},
    "/users/2  ": {"act": "factor-off"},
    "/secrets/new": {"name": "new", "secret_value": "a value of its own"},
    "/secrets/named/old/replace": {"secret_value": "a value of its own"},
    "/secrets/named/old/delete": {},
    "/account/second-factor": {},
    "/account/passkeys": {"name": "laptop"},
    "/fleet/devices/new": {"name": "pi", "type": "gateway"},
    "/fleet/devices/join/new": {"expires": "1h"},
}


@pytest.fixture
def stale(db: Database, admin: Person) -> Person:
    """Give an administrator who logged in three hours ago, in an installation with something of everything."""
    now = clock.now()
    accounts.set_password(db, "admin", PASSWORD, now=now)
    admin.client.post("/login", data={"password": PASSWORD})
    accounts.add(db, "ann", role="viewer", password=None, now=now)
    tokens.create(db, "admin", "old", scope="read", lifetime=timedelta(days=1), now=now)
    secrets.put(db, "old", "a value of its own", now=now, actor="admin")
    make_old(db)
    return admin


def make_old(db: Database) -> None:
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))


def errors_on(text: str) -> list[str]:
    return [one.text for one in soup(text).select(".wb-field__error")]


def audit_entries(db: Database) -> list[str]:
    with db.read() as session:
        rows = session.execute(select(AuditEntry.action).where(AuditEntry.action.not_like("login.%")))
        return [action for (action,) in rows]


def test_nothing_that_outlives_the_session_is_made_by_a_login_of_hours_ago(stale: Person, db: Database) -> None:
    before = audit_entries(db)

    for address, fields in DEEDS.items():
        for current in ({}, {"current": ""}):
            answer = stale.post(address.strip(), {**fields, **current})
            assert answer.status_code == 422, address
            assert "Type your password." in answer.text, address

    assert "Invalid password." in stale.post("/account/tokens/new", {**DEEDS["/users/new"], "current": "wrong"}).text
    assert audit_entries(db) == before
    assert not second_factors.state_of(db, "admin").is_on


def test_with_the_password_each_is_done_and_a_while_after_it_is_not_asked_for(stale: Person, db: Database) -> None:
    for address, fields in DEEDS.items():
        make_old(db)
        answer = stale.post(address.strip(), {**fields, "current": PASSWORD})
        assert answer.status_code in {200, 303}, (address, errors_on(answer.text))

    assert stale.post("/account/tokens/new", {**DEEDS["/account/tokens/new"], "name": "another"}).status_code == 200


def test_whoever_has_no_password_needs_a_new_link(enter: Enter, db: Database) -> None:
    boss = enter("admin")
    make_old(db)
    before = audit_entries(db)

    for address, fields in DEEDS.items():
        if "users/2" not in address and "1/rotate" not in address and "named" not in address:
            answer = boss.post(address.strip(), fields)
            assert answer.status_code == 422, address
            assert "watchbell user link NAME" in answer.text, address
    assert audit_entries(db) == before

    boss.get(f"/login/link/{accounts.make_link(db, boss.username, now=clock.now())}")
    assert boss.post("/account/tokens/new", DEEDS["/account/tokens/new"]).status_code == 200


def test_a_device_gets_another_key_by_whoever_has_proven_who_they_are(stale: Person, db: Database) -> None:
    made, first = devices.add(db, {"name": "pi", "type": "gateway"}, now=clock.now(), actor="admin")
    address = f"/fleet/devices/{made.device.uuid}/key"

    answer = stale.post(address)
    assert answer.status_code == 422
    assert devices.find_by_key(db, devices.hash_of(first), now=clock.now()) is not None

    answer = stale.post(address, {"current": PASSWORD})
    assert answer.status_code == 200
    assert soup(answer.text).select("#key")


def test_too_many_passwords_are_told_as_such_and_the_right_one_gives_back_no_tries_of_codes(
    stale: Person, db: Database
) -> None:
    deed = "/account/tokens/new"
    wrong = [stale.post(deed, {**DEEDS[deed], "current": "wrong"}).text for _ in range(11)]

    assert "Invalid password." in wrong[9]
    assert "Too many tries." in wrong[10]
    assert "Too many tries." in stale.post(deed, {**DEEDS[deed], "current": PASSWORD}).text
