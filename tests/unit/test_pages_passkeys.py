"""Passkeys on pages: added, named and removed, and logging in by one, alone and in place of a code."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from tests.unit.form_fields import soup
from tests.unit.passkey_device import Device
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, passkeys, second_factors
from watchbell.store.accounts import LoginSession
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
PAGE = "/account/passkeys"


@pytest.fixture
def ann(db: Database, admin: Person) -> Person:
    accounts.set_password(db, "admin", PASSWORD, now=clock.now())
    return logged_in(admin)


def logged_in(person: Person) -> Person:
    person.client.post("/login", data={"password": PASSWORD})
    return person


def asked(person: Person, path: str) -> str:
    """Return what a page has a browser asked with."""
    form = person.see(path).select_one("form[data-passkey]")
    assert form is not None
    return str(form["data-options"])


def add(person: Person, device: Device, **fields: str) -> list[str]:
    """Add a passkey as a person does, and return the recovery codes that are shown."""
    begun = person.post(PAGE, {"name": "laptop", **fields})
    assert (begun.status_code, begun.location) == (303, f"{PAGE}/new"), begun.text
    answer = person.post(f"{PAGE}/new", {"answer": device.make(asked(person, f"{PAGE}/new"))})
    return [one.text for one in soup(answer.text).select(".wb-factor__codes code")]


@pytest.fixture
def codes(ann: Person, device: Device) -> list[str]:
    return add(ann, device)


@pytest.fixture
def device() -> Device:
    return Device()


def make_old(db: Database) -> None:
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))


def test_one_is_added_and_logs_in_without_name_and_password(
    ann: Person, app: Flask, device: Device, codes: list[str]
) -> None:
    assert len(codes) == 10
    page = ann.see(PAGE)
    assert "1 passkey logs in without a password." in page.text
    assert page.select_one("input[name=name][value=laptop]")
    somebody = Person(app.test_client())
    assert somebody.see("/login").select_one("a[href='/login/passkey']")

    options = asked(somebody, "/login/passkey")
    entered = somebody.post("/login/passkey?next=/runs", {"answer": device.answer(options)})

    assert (entered.status_code, entered.location) == (303, "/runs")
    assert somebody.is_in()
    assert "passkey" in somebody.see("/account/sessions").text


def test_what_was_asked_is_answered_once_and_by_the_browser_that_was_asked(
    ann: Person, app: Flask, device: Device, codes: list[str]
) -> None:
    first, second = Person(app.test_client()), Person(app.test_client())
    answer = device.answer(asked(first, "/login/passkey"))
    asked(second, "/login/passkey")
    never = Person(app.test_client())

    for one in (second, never):
        refused = one.post("/login/passkey", {"answer": answer})
        assert (refused.status_code, refused.location, one.is_in()) == (303, "/login/passkey?again=1", False)
    assert first.post("/login/passkey", {"answer": answer}).location == "/"
    first.post("/logout")
    assert first.post("/login/passkey", {"answer": answer}).location == "/login/passkey?again=1"
    assert not first.is_in()


def test_it_stands_in_for_the_code_after_the_password(
    ann: Person, app: Flask, device: Device, codes: list[str]
) -> None:
    one = logged_in(Person(app.test_client()))
    assert not one.is_in()
    page = one.see("/login/code")
    assert page.select_one("a[href='/login/passkey?purpose=code']")
    assert "your passkey, or one of your recovery codes" in page.text

    options = asked(one, "/login/passkey?purpose=code")
    assert one.post("/login/passkey?purpose=code", {"answer": device.answer(options)}).location == "/"

    assert one.is_in()
    nobody = Person(app.test_client())
    assert nobody.get("/login/passkey?purpose=code").location == "/login/code"


def test_a_target_elsewhere_is_none_after_a_passkey_either(
    ann: Person, app: Flask, device: Device, codes: list[str]
) -> None:
    one = Person(app.test_client())
    answer = device.answer(asked(one, "/login/passkey?next=//evil.example"))
    assert one.post("/login/passkey?next=//evil.example", {"answer": answer}).location == "/"


def test_another_one_asks_for_a_code_unless_one_has_logged_in_by_a_passkey_just_now(
    ann: Person, app: Flask, db: Database, device: Device, codes: list[str]
) -> None:
    page = ann.see(PAGE)
    assert page.select_one("input[name=code]")
    for code in ("", "wrong-code"):
        assert ann.post(PAGE, {"name": "phone", "code": code}).status_code == 422
    # Nor does a password that somebody has found out.
    make_old(db)
    assert ann.post(PAGE, {"name": "phone", "current": PASSWORD}).status_code == 422
    assert ann.post("/account/second-factor", {}).status_code == 422
    assert add(ann, Device(), name="phone", code=codes[0]) == []

    one = Person(app.test_client())
    one.post("/login/passkey", {"answer": device.answer(asked(one, "/login/passkey"))})
    assert not one.see(PAGE).select_one("input[name=code]")
    assert add(one, Device(), name="tablet") == []
    assert [found.name for found in passkeys.list_of(db, "admin")] == ["laptop", "phone", "tablet"]


def test_adding_the_first_one_asks_for_the_password_if_the_login_is_not_of_just_now(
    ann: Person, db: Database, device: Device
) -> None:
    make_old(db)
    assert ann.post(PAGE, {"name": "laptop"}).status_code == 422
    assert ann.get(f"{PAGE}/new").location == PAGE
    assert add(ann, device, current=PASSWORD)
    # What was begun is done while it is still proven who has begun it.
    ann.post(PAGE, {"name": "x"})
    make_old(db)
    assert ann.post(f"{PAGE}/new", {"answer": "{}"}).location == PAGE
    assert len(passkeys.list_of(db, "admin")) == 1


def test_whoever_has_no_password_proves_it_by_the_passkey_again(
    enter: Enter, app: Flask, db: Database, device: Device
) -> None:
    bob = enter("viewer")
    add(bob, device)
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE account SET password_hash = NULL")
    one = Person(app.test_client())
    one.post("/login/passkey", {"answer": device.answer(asked(one, "/login/passkey"))})
    make_old(db)

    again = one.see("/account/tokens/new").select_one("a[href^='/login/passkey']")

    assert again is not None
    assert again["href"] == "/login/passkey?next=/account/tokens/new"
    assert one.post("/account/tokens/new", {"name": "x", "scope": "read", "expires": "7d"}).status_code == 422
    entered = one.post(str(again["href"]), {"answer": device.answer(asked(one, str(again["href"])))})
    assert entered.location == "/account/tokens/new"
    assert not one.see("/account/tokens/new").select("a[href^='/login/passkey']")


def test_what_makes_no_passkey_is_told(ann: Person, db: Database, device: Device) -> None:
    assert ann.post(PAGE, {"name": " "}).status_code == 422
    ann.post(PAGE, {"name": "laptop"})
    device.origin = "https://evil.example"
    answer = ann.post(f"{PAGE}/new", {"answer": device.make(asked(ann, f"{PAGE}/new"))}, follow_redirects=True)

    assert "is no passkey for this server" in answer.text
    assert passkeys.list_of(db, "admin") == []


def test_one_is_renamed_and_removed_by_a_code(ann: Person, app: Flask, db: Database, codes: list[str]) -> None:
    (one,) = passkeys.list_of(db, "admin")
    ann.post(f"{PAGE}/{one.id}/rename", {"name": "old <laptop>"})
    assert "ust be 1 to 64" in ann.post(f"{PAGE}/{one.id}/rename", {"name": ""}, follow_redirects=True).text
    page = ann.see(f"{PAGE}/{one.id}/remove")
    assert "It is your only second factor" in page.text and "old <laptop>" in page.text

    assert ann.post(f"{PAGE}/{one.id}/remove", {}).status_code == 422
    assert ann.post(f"{PAGE}/{one.id}/remove", {"code": codes[1]}).location == PAGE

    assert not second_factors.state_of(db, "admin").is_on
    assert ann.get(f"{PAGE}/{one.id}/remove").status_code == 404
    assert logged_in(Person(app.test_client())).is_in()


def test_an_administrator_removes_one_for_somebody_who_has_lost_it(
    ann: Person, enter: Enter, db: Database, device: Device
) -> None:
    bob = enter("viewer")
    add(bob, device)
    account = next(one for one in accounts.list_all(db) if one.username == bob.username)
    (one,) = passkeys.list_of(db, bob.username)
    assert ann.see(f"/users/{account.id}").select_one(f"button[value='passkey:{one.id}']")

    for number in ("x", "99"):
        assert ann.post(f"/users/{account.id}", {"act": f"passkey:{number}"}).status_code == 404
    assert ann.post(f"/users/{account.id}", {"act": f"passkey:{one.id}"}).status_code == 303

    assert passkeys.list_of(db, bob.username) == []


def test_nobody_touches_the_passkeys_of_others(ann: Person, enter: Enter, db: Database, codes: list[str]) -> None:
    (one,) = passkeys.list_of(db, "admin")
    bob = enter("viewer")

    assert bob.post(f"{PAGE}/{one.id}/rename", {"name": "mine"}).status_code == 404
    assert bob.post(f"{PAGE}/{one.id}/remove", {}).status_code == 404
    assert passkeys.list_of(db, "admin")[0].name == "laptop"


def test_one_is_enough_where_the_settings_ask_for_a_second_factor(
    enter: Enter, app: Flask, web_config: Config, device: Device
) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, second_factor_from="viewer")
    bob = enter("viewer")
    assert bob.get("/runs").location == "/account/second-factor"
    assert "passkey" in bob.see("/account/second-factor").text

    add(bob, device)

    assert bob.get("/runs").status_code == 200


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1", "Passkeys belong to a name"),
        ("http://bell.example", "Passkeys need https."),
        ("https://bell.example", ""),
    ],
)
def test_where_there_can_be_none_the_pages_say_why(ann: Person, app: Flask, address: str, words: str) -> None:
    app.extensions["watchbell.hosts"] = frozenset({"127.0.0.1", "bell.example", "localhost"})
    nobody = Person(app.test_client())
    page = soup(nobody.get("/login/passkey", base_url=address).text)

    assert (page.select_one("form[data-passkey]") is None) is bool(words)
    assert words in page.text


def test_without_logins_there_is_nothing_to_add_one_to(anonymous: Person, app: Flask, web_config: Config) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")

    assert "asks for no login" in anonymous.see(PAGE).text
    assert anonymous.post(PAGE, {"name": "x"}).status_code == 409
