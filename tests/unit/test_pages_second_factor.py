"""The second factor on pages: set up, asked for, renewed, switched off, and asked for by the settings."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pyotp
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import update

from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, second_factors, tokens
from watchbell.store.accounts import LoginSession
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
PAGE = "/account/second-factor"


def code_of(db: Database, secret: str) -> str:
    """Return a code that fits now; that others were used just before is forgotten."""
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE second_factor SET used_step = NULL")
    return pyotp.TOTP(secret).at(clock.now())


def secret_on(page: BeautifulSoup) -> str:
    found = page.select_one(".wb-factor__secret")
    assert found is not None
    return found.text.replace(" ", "")


def switch_on(db: Database, person: Person) -> tuple[str, list[str]]:
    """Set a second factor up as a person does; return its secret and the recovery codes."""
    assert person.post(PAGE).headers["Location"] == PAGE
    secret = secret_on(person.see(PAGE))
    answer = person.post(f"{PAGE}/confirm", {"code": code_of(db, secret)})
    assert answer.status_code == 200
    return secret, [one.text for one in soup(answer.text).select(".wb-factor__codes code")]


@pytest.fixture
def ann(db: Database, admin: Person) -> Person:
    accounts.set_password(db, "admin", PASSWORD, now=clock.now())
    admin.client.post("/login", data={"password": PASSWORD})
    assert admin.is_in()
    return admin


@pytest.fixture
def secret(db: Database, ann: Person) -> str:
    return switch_on(db, ann)[0]


def make_old(db: Database) -> None:
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))


def test_it_is_set_up_with_a_picture_a_secret_and_a_link(ann: Person, db: Database) -> None:
    assert "It is off" in ann.see(PAGE).text
    ann.post(PAGE)

    page = ann.see(PAGE)

    picture = page.select_one("img.wb-factor__picture")
    assert picture is not None
    assert str(picture["src"]).startswith("data:image/svg+xml")
    assert picture["alt"]
    link = page.select_one("a[href^='otpauth:']")
    assert link is not None
    assert link["href"] == f"otpauth://totp/Watchbell:admin?secret={secret_on(page)}&issuer=Watchbell"
    assert len(secret_on(page)) == 32
    # Looking at the page changes nothing, and the secret does not count before its first code.
    assert secret_on(ann.see(PAGE)) == secret_on(page)
    assert not second_factors.state_of(db, "admin").is_on


def test_another_session_sees_and_confirms_nothing_of_what_one_has_begun(ann: Person, app: Flask, db: Database) -> None:
    old = Person(app.test_client())
    old.client.post("/login", data={"password": PASSWORD})
    ann.post(PAGE)
    code = code_of(db, secret_on(ann.see(PAGE)))

    assert not old.see(PAGE).select(".wb-factor__secret")
    assert old.post(f"{PAGE}/confirm", {"code": code}).status_code == 422
    assert not second_factors.state_of(db, "admin").is_on

    # Nor is it shown, or does it count, where it is no more proven who asks.
    make_old(db)
    assert not ann.see(PAGE).select(".wb-factor__secret")
    assert ann.post(f"{PAGE}/confirm", {"code": code}).status_code == 422
    assert not second_factors.state_of(db, "admin").is_on
    assert ann.is_in() and old.is_in()


def test_a_wrong_code_switches_nothing_on(ann: Person, db: Database) -> None:
    ann.post(PAGE)

    answer = ann.post(f"{PAGE}/confirm", {"code": "000000"})

    assert answer.status_code == 422
    assert "does not fit" in answer.text
    assert not second_factors.state_of(db, "admin").is_on


def test_recovery_codes_are_shown_once(ann: Person, db: Database) -> None:
    _secret, codes = switch_on(db, ann)

    assert len(codes) == 10
    page = ann.see(PAGE)
    assert "10 recovery codes are left" in page.text
    assert not any(code in page.text for code in codes)
    assert ann.is_in()


def test_a_login_asks_for_the_code_and_nobody_is_in_before(ann: Person, app: Flask, db: Database, secret: str) -> None:
    browser = Person(app.test_client())
    answer = browser.client.post("/login?next=/runs%3Fstate%3Dfailed", data={"password": PASSWORD})

    assert answer.headers["Location"] == "/login/code?next=/runs?state%3Dfailed"
    assert not browser.is_in()
    assert browser.get("/tasks").headers["Location"].startswith("/login?")
    page = browser.see("/login/code?next=/runs%3Fstate%3Dfailed")
    assert page.select_one("input[name=code][autocomplete=one-time-code]")
    answer = browser.post("/login/code?next=/runs%3Fstate%3Dfailed", {"code": code_of(db, secret)})
    assert answer.headers["Location"] == "/runs?state=failed"
    assert browser.is_in()


def test_a_wrong_code_lets_nobody_in_and_a_replayed_one_looks_the_same(
    ann: Person, app: Flask, db: Database, secret: str
) -> None:
    code = code_of(db, secret)
    first, second = Person(app.test_client()), Person(app.test_client())
    for browser in (first, second):
        browser.client.post("/login", data={"password": PASSWORD})

    assert first.post("/login/code", {"code": code}).status_code == 303
    replayed, wrong = (second.post("/login/code", {"code": tried}) for tried in (code, "000000"))

    assert not second.is_in()
    assert [answer.status_code for answer in (replayed, wrong)] == [200, 200]
    assert "does not fit, or was used before" in replayed.text
    pages = [soup(answer.text).select_one("main") for answer in (replayed, wrong)]
    assert pages[0] is not None and pages[1] is not None
    assert pages[0].text == pages[1].text


def test_the_form_of_the_code_is_for_whoever_has_given_a_password(anonymous: Person) -> None:
    for answer in (anonymous.get("/login/code?next=/runs"), anonymous.post("/login/code", {"code": "123456"})):
        assert answer.headers["Location"].startswith("/login")
    assert "Begin again" in anonymous.see("/login").text


def test_a_target_elsewhere_is_none_after_the_code_either(ann: Person, app: Flask, db: Database, secret: str) -> None:
    browser = Person(app.test_client())
    browser.client.post("/login", data={"password": PASSWORD})

    answer = browser.post("/login/code?next=//evil.example", {"code": code_of(db, secret)})

    assert answer.headers["Location"] == "/"


def test_guessing_codes_is_slowed_down_as_guessing_passwords_is(
    ann: Person, app: Flask, db: Database, secret: str
) -> None:
    browser = Person(app.test_client())
    browser.client.post("/login", data={"password": PASSWORD})

    statuses = [browser.post("/login/code", {"code": f"{number:06}"}).status_code for number in range(11)]

    assert statuses[0] == 200 and statuses[-1] == 429
    # Nor is the right one looked at then.
    assert browser.post("/login/code", {"code": code_of(db, secret)}).status_code == 429
    assert not browser.is_in()


def test_a_password_that_fits_gives_no_tries_back(ann: Person, app: Flask, secret: str) -> None:
    statuses = []
    for _ in range(8):
        browser = Person(app.test_client())
        statuses.append(browser.client.post("/login", data={"password": PASSWORD}).status_code)
        statuses.append(browser.post("/login/code", {"code": "000000"}).status_code)

    assert 429 in statuses


def test_a_login_link_asks_for_the_code_too(ann: Person, app: Flask, db: Database, secret: str) -> None:
    browser = Person(app.test_client())

    answer = browser.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")

    assert answer.headers["Location"] == "/login/code"
    assert not browser.is_in()
    browser.post("/login/code", {"code": code_of(db, secret)})
    assert browser.is_in()
    # It still stands in for the password, which can be replaced now.
    assert not browser.see("/account/password").select("[name=current]")


def test_the_session_of_before_is_another_one_after_the_code(
    ann: Person, app: Flask, db: Database, secret: str
) -> None:
    browser, thief = Person(app.test_client()), Person(app.test_client())
    browser.client.post("/login", data={"password": PASSWORD})
    name = app.config["SESSION_COOKIE_NAME"]
    planted = browser.client.get_cookie(name)
    assert planted is not None
    thief.client.set_cookie(name, planted.value)

    browser.post("/login/code", {"code": code_of(db, secret)})

    assert browser.is_in()
    assert not thief.is_in()
    assert thief.get("/login/code").headers["Location"] == "/login"


def test_new_recovery_codes_ask_for_the_password_if_the_login_is_not_of_just_now(
    ann: Person, db: Database, secret: str
) -> None:
    make_old(db)

    refused = ann.post(f"{PAGE}/codes", {"current": "wrong", "code": code_of(db, secret)})
    assert refused.status_code == 422
    assert "Invalid password" in refused.text

    answer = ann.post(f"{PAGE}/codes", {"current": PASSWORD, "code": code_of(db, secret)})
    assert len(soup(answer.text).select(".wb-factor__codes code")) == 10


def test_new_recovery_codes_ask_for_a_code_however_new_the_login_is(ann: Person, db: Database) -> None:
    _secret, codes = switch_on(db, ann)

    for given in ({}, {"code": "000000"}, {"current": PASSWORD}):
        answer = ann.post(f"{PAGE}/codes", given)
        assert answer.status_code == 422, given
        assert not soup(answer.text).select(".wb-factor__codes")
    assert second_factors.state_of(db, "admin").codes_left == 10

    made = soup(ann.post(f"{PAGE}/codes", {"code": codes[0]}).text).select(".wb-factor__codes code")
    assert len(made) == 10
    assert ann.post(f"{PAGE}/off", {"code": codes[1]}).status_code == 422


def test_the_present_password_gives_no_tries_of_codes_back(ann: Person, db: Database, secret: str) -> None:
    statuses = []
    for _ in range(6):
        statuses += [ann.post(f"{PAGE}/off", {"code": "000000"}).status_code for _ in range(2)]
        ann.post("/account/password", {"current": PASSWORD, "password": "x", "repeat": "x"})

    # One has switched it on.
    assert statuses == [422] * 9 + [429] * 3
    assert ann.post(f"{PAGE}/off", {"code": code_of(db, secret)}).status_code == 429


def test_whoever_has_the_password_does_not_use_up_the_codes_of_its_owner(
    ann: Person, app: Flask, db: Database, secret: str
) -> None:
    statuses = []
    for number in range(4):
        place = {"environ_base": {"REMOTE_ADDR": f"198.51.100.{number}"}}
        thief = Person(app.test_client())
        thief.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        thief.client.post("/login", data={"password": PASSWORD}, **place)
        statuses += [thief.post("/login/code", {"code": "000000"}).status_code for _ in range(4)]
    assert statuses[0] == 200 and statuses[-1] == 429

    owner = Person(app.test_client())
    owner.client.post("/login", data={"password": PASSWORD})
    assert owner.post("/login/code", {"code": code_of(db, secret)}).status_code == 303
    elsewhere = Person(app.test_client())
    elsewhere.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    elsewhere.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")
    assert elsewhere.post("/login/code", {"code": code_of(db, secret)}).status_code == 303


def test_setting_it_up_asks_for_the_password_if_the_login_is_not_of_just_now(ann: Person, db: Database) -> None:
    make_old(db)

    assert ann.see(PAGE).select("[name=current]")
    assert ann.post(PAGE, {"current": "wrong"}).status_code == 422
    assert ann.post(PAGE, {"current": PASSWORD}).status_code == 303


def test_typing_the_password_once_more_asks_for_no_code(ann: Person, db: Database, secret: str) -> None:
    make_old(db)

    answer = ann.post("/account/tokens/new", {"name": "x", "scope": "read", "expires": "7d", "current": PASSWORD})

    assert answer.status_code == 200
    assert ann.is_in()


def test_it_is_switched_off_by_a_code_and_by_nothing_less(ann: Person, app: Flask, db: Database, secret: str) -> None:
    assert ann.post(f"{PAGE}/off").status_code == 422
    assert ann.post(f"{PAGE}/off", {"code": "000000", "current": PASSWORD}).status_code == 422
    assert second_factors.state_of(db, "admin").is_on

    assert ann.post(f"{PAGE}/off", {"code": code_of(db, secret)}).status_code == 303

    browser = Person(app.test_client())
    assert browser.client.post("/login", data={"password": PASSWORD}).headers["Location"] == "/"
    assert browser.is_in()


def test_an_administrator_switches_it_off_for_somebody_who_has_lost_it(ann: Person, enter: Enter, db: Database) -> None:
    editor = enter("editor")
    switch_on(db, editor)
    account = accounts.find(db, editor.username)
    page = ann.see(f"/users/{account.id}")
    assert page.select_one("button[name=act][value=factor-off]")
    assert [row["has_second_factor"] for row in ann.get("/users.json").json] == [True, False]  # type: ignore[union-attr]

    answer = ann.post(f"/users/{account.id}", {"act": "factor-off"})

    assert answer.status_code == 303
    assert not second_factors.state_of(db, editor.username).is_on
    assert not ann.see(f"/users/{account.id}").select_one("button[value=factor-off]")
    (entry, *_rest) = ann.get("/audit.json").json  # type: ignore[misc]
    assert (entry["action"], entry["actor"], entry["detail"]) == ("account.factor", "admin", {"did": "off"})


@pytest.fixture
def asked_for(app: Flask, web_config: Config) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, second_factor_from="editor")


@pytest.mark.usefixtures("asked_for")
def test_the_settings_ask_for_one_from_a_role_on(enter: Enter, db: Database) -> None:
    operator, editor = enter("operator"), enter("editor")
    assert operator.is_in()

    assert not editor.is_in()
    assert editor.get("/tasks").headers["Location"] == PAGE
    assert editor.get("/tasks.json").status_code == 403
    assert editor.post("/pause", {"scope": "everything"}).status_code == 403
    assert "asks accounts with your role" in editor.see(PAGE).text

    switch_on(db, editor)
    assert editor.is_in()


@pytest.mark.usefixtures("asked_for")
def test_where_the_settings_ask_for_one_a_first_password_can_be_chosen_all_the_same(enter: Enter) -> None:
    assert enter("editor").see("/account/password")


@pytest.mark.usefixtures("asked_for")
def test_tokens_need_none(enter: Enter, db: Database, app: Flask) -> None:
    enter("editor")
    made = tokens.create(db, "a-editor", "x", scope="edit", lifetime=timedelta(days=1), now=clock.now())

    answer = app.test_client().get("/tasks.json", headers={"Authorization": f"Bearer {made.secret}"})
    assert answer.status_code == 200


def test_without_logins_there_is_nothing_to_set_up(anonymous: Person, app: Flask, web_config: Config) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")

    assert "asks for no login" in anonymous.see(PAGE).text
    assert anonymous.post(PAGE).status_code == 409
