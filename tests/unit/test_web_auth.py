from __future__ import annotations

import dataclasses
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.http import parse_cookie

from tests.database import url_of
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts
from watchbell.store.session import Database
from watchbell.web.checks import safe_next

PASSWORD = "a bell at noon"


@pytest.fixture
def with_password(db: Database, anonymous: Person) -> Person:
    accounts.set_password(db, "admin", PASSWORD, now=clock.now())
    return anonymous


def log_in(person: Person, password: str = PASSWORD, url: str = "/login", **fields: str) -> int:
    return person.client.post(url, data={"password": password, **fields}).status_code


def cookies_of(person: Person, app: Flask) -> str:
    cookie = person.client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    return cookie.value if cookie else ""


def test_a_script_that_posts_the_password_alone_is_logged_in(with_password: Person) -> None:
    answer = with_password.client.post("/login", data={"password": PASSWORD})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert with_password.is_in()


def test_a_wrong_password_is_told_on_the_page(with_password: Person) -> None:
    answer = with_password.client.post("/login", data={"password": "wrong"})

    assert answer.status_code == 200
    assert "Invalid password" in answer.text
    assert not with_password.is_in()


def test_a_wrong_password_is_told_once_and_nothing_of_saving(with_password: Person) -> None:
    answer = with_password.client.post("/login", data={"password": "wrong"})

    assert answer.text.count("Invalid password") == 1
    assert "Nothing was saved" not in answer.text
    field = BeautifulSoup(answer.text, "html.parser").select_one("#password")
    assert field is not None
    assert field["aria-describedby"] == "password-error"
    assert field.has_attr("autofocus")


def test_who_cannot_log_in_is_told_the_command_that_makes_a_link(anonymous: Person) -> None:
    anonymous.get("/login/link/spent")

    page = anonymous.see("/login")

    spent = page.select_one(".wb-notice")
    assert spent is not None
    assert [code.text for code in spent.select("code")] == ["watchbell user link NAME"]
    assert "watchbell up" not in page.text
    assert "`" not in page.text


def test_an_unknown_name_is_told_nothing_else_than_a_wrong_password(with_password: Person, db: Database) -> None:
    accounts.add(db, "bo", role="viewer", password=None, now=clock.now())

    told = [
        with_password.client.post("/login", data={"username": name, "password": "wrong"}).text
        for name in ("admin", "bo", "nobody")
    ]

    pages = {text.replace(name, "NAME") for text, name in zip(told, ("admin", "bo", "nobody"), strict=True)}
    assert len({page.split("<main")[1].split("csrf_token")[0] for page in pages}) == 1
    assert "Invalid name or password" in told[0]


def test_the_name_is_asked_for_only_where_there_are_several(with_password: Person, db: Database) -> None:
    assert not with_password.see("/login").select("[name=username]")

    accounts.add(db, "bo", role="viewer", password=None, now=clock.now())

    assert with_password.see("/login").select("[name=username]")


def test_the_only_account_need_not_be_called_admin(with_password: Person, db: Database) -> None:
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE account SET username = 'captain'")

    assert log_in(with_password) == 303


def test_guessing_is_slowed_down_for_the_account_and_for_the_address(with_password: Person, db: Database) -> None:
    accounts.add(db, "bo", role="viewer", password="another bell", now=clock.now())
    statuses = [log_in(with_password, "wrong", username="admin") for _ in range(11)]

    assert statuses == [200] * 10 + [429]
    assert log_in(with_password, PASSWORD, username="admin") == 429
    # The same address tries another account; the account's owner comes from elsewhere.
    assert log_in(with_password, "another bell", username="bo") == 429
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    fields = {"username": "admin", "password": PASSWORD}
    assert with_password.client.post("/login", data=fields, **elsewhere).status_code == 303
    with_password.post("/logout", **elsewhere)
    fields = {"username": "bo", "password": "another bell"}
    assert with_password.client.post("/login", data=fields, **elsewhere).status_code == 303


def test_a_forwarded_address_does_not_hide_the_real_peer(with_password: Person) -> None:
    statuses = [
        with_password.client.post(
            "/login", data={"username": f"n{number}", "password": "x"}, headers={"X-Forwarded-For": f"192.0.2.{number}"}
        ).status_code
        for number in range(11)
    ]

    assert statuses[-1] == 429


def test_a_right_password_gives_the_tries_back(with_password: Person) -> None:
    for _ in range(3):
        assert [log_in(with_password, "wrong") for _ in range(8)] == [200] * 8
        assert log_in(with_password) == 303
        with_password.post("/logout")


def test_a_throttled_answer_says_when_to_come_back(with_password: Person) -> None:
    for _ in range(10):
        log_in(with_password, "wrong")

    answer = with_password.client.post("/login", data={"password": "wrong"})

    assert answer.status_code == 429
    assert "Wait a minute" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_logging_out_ends_the_session_wherever_its_cookie_has_been_copied(admin: Person, app: Flask) -> None:
    saved = cookies_of(admin, app)
    thief = Person(app.test_client())
    thief.client.set_cookie(app.config["SESSION_COOKIE_NAME"], saved)
    assert thief.is_in()

    assert admin.post("/logout").headers["Location"] == "/login"

    assert not admin.is_in()
    assert not thief.is_in()


def test_looking_at_the_logout_page_ends_nothing(admin: Person) -> None:
    page = admin.see("/logout")

    assert page.select_one("form[action='/logout'][method=post]")
    assert admin.is_in()


def test_a_login_makes_a_new_session_and_ends_the_one_before(with_password: Person, app: Flask, db: Database) -> None:
    log_in(with_password)
    before = cookies_of(with_password, app)
    other = Person(app.test_client())
    other.client.set_cookie(app.config["SESSION_COOKIE_NAME"], before)

    with_password.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")

    assert cookies_of(with_password, app) != before
    assert with_password.is_in()
    assert not other.is_in()


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(with_password: Person) -> None:
    header = with_password.client.post("/login", data={"password": PASSWORD}).headers["Set-Cookie"]

    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in header.split(";")}
    assert "admin" not in str(parse_cookie(header.split(";")[0]))


def test_a_login_link_works_once(anonymous: Person, app: Flask, db: Database) -> None:
    url = f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}"

    assert anonymous.get(url).headers["Location"] == "/account/password"
    assert anonymous.is_in()
    second = Person(app.test_client())
    assert second.get(url).headers["Location"] == "/login"
    assert not second.is_in()
    assert "has been used or is too old" in second.see("/login").text


def test_a_login_link_grows_too_old(anonymous: Person, db: Database) -> None:
    token = accounts.make_link(db, "admin", now=clock.now() - timedelta(minutes=31))

    anonymous.get(f"/login/link/{token}")

    assert not anonymous.is_in()


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}])
def test_a_browser_that_looks_ahead_does_not_use_the_link_up(
    anonymous: Person, db: Database, headers: dict[str, str]
) -> None:
    url = f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}"

    anonymous.get(url, headers=headers)
    anonymous.client.head(url)
    assert not anonymous.is_in()

    anonymous.get(url)
    assert anonymous.is_in()


def test_an_account_that_has_a_password_goes_straight_to_the_overview(with_password: Person, db: Database) -> None:
    url = f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}"

    assert with_password.get(url).headers["Location"] == "/"


def test_a_first_password_can_be_chosen_after_the_link(admin: Person, app: Flask) -> None:
    page = admin.see("/account/password")
    assert page.find("a", string="Later")
    assert not page.select("[name=current]")

    answer = admin.post("/account/password", {"password": PASSWORD, "repeat": PASSWORD})

    assert answer.headers["Location"] == "/"
    assert admin.is_in()
    assert log_in(Person(app.test_client())) == 303


def test_a_new_password_asks_for_the_present_one_and_ends_other_sessions(with_password: Person, app: Flask) -> None:
    other = Person(app.test_client())
    log_in(other)
    log_in(with_password)
    fields = {"current": "wrong", "password": "another bell", "repeat": "another bell"}

    refused = with_password.post("/account/password", fields)
    assert refused.status_code == 200
    assert "Invalid password" in refused.text
    assert other.is_in()

    assert with_password.post("/account/password", {**fields, "current": PASSWORD}).status_code == 303
    assert with_password.is_in()
    assert not other.is_in()
    assert log_in(Person(app.test_client())) == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "short", "repeat": "short"}, "at least 8 characters"),
        ({"password": PASSWORD, "repeat": "a bell at one"}, "The two differ"),
        ({"password": "", "repeat": ""}, "Choose a password"),
        ({"password": "x" * 2000, "repeat": "x" * 2000}, "at most 1024 characters"),
    ],
    ids=["short", "differs", "empty", "long"],
)
def test_a_password_that_will_not_do_is_refused_at_its_field(admin: Person, fields: dict[str, str], said: str) -> None:
    answer = admin.post("/account/password", fields)

    assert answer.status_code == 200
    assert said in answer.text


@pytest.mark.parametrize("password", ["🔔" * 20, "x" * 64, "y" * 1024, "with spaces and \u00fc"])
def test_long_and_unusual_passwords_are_kept_whole(admin: Person, app: Flask, password: str) -> None:
    assert admin.post("/account/password", {"password": password, "repeat": password}).status_code == 303

    assert log_in(Person(app.test_client()), password[:-1]) == 200
    assert log_in(Person(app.test_client()), password) == 303


def test_the_configured_password_opens_the_first_account(anonymous: Person, app: Flask, web_config: Config) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, password="from the environment")

    assert log_in(anonymous, "from the environment") == 303
    assert anonymous.is_in()


def test_without_logins_everybody_on_this_machine_is_the_admin(
    anonymous: Person, app: Flask, web_config: Config
) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")

    assert anonymous.is_in()
    assert anonymous.get("/login").headers["Location"] == "/"
    assert anonymous.get("/account/password").headers["Location"] == "/"
    assert anonymous.get("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_the_way_leads_back_to_the_page_that_was_asked_for(with_password: Person) -> None:
    asked = with_password.get("/runs?state=failed&q=a+b")
    assert asked.headers["Location"].startswith("/login?next=/runs?")

    answer = with_password.client.post(asked.headers["Location"], data={"password": PASSWORD})

    assert answer.headers["Location"] == "/runs?state=failed&q=a+b"


@pytest.mark.parametrize("target", ["/", "/runs/4711", "/tasks?q=%C3%BC&order=-1", "/runs?next=/x#row"])
def test_a_path_on_this_server_is_a_target(target: str) -> None:
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "http:///evil.example",
        "https://evil.example/", "javascript:alert(1)", "runs", "user@evil.example", "/\tevil.example",
        "/\n/evil.example", "/%09/evil.example", "/%5Cevil.example", "%2F%2Fevil.example", "/%2Fevil.example",
        " //evil.example", "/" + "x" * 3000, "http://[", "//[", "http://]", "%2F%2F[",
    ],
)  # fmt: skip
def test_a_target_elsewhere_is_none(with_password: Person, target: str) -> None:
    assert safe_next(target) is None
    answer = with_password.client.post("/login", query_string={"next": target}, data={"password": PASSWORD})

    assert answer.headers["Location"] == "/"


def test_a_target_that_is_no_url_is_none_and_no_error(anonymous: Person) -> None:
    assert anonymous.client.get("/login", query_string={"next": "http://["}).status_code == 200


def test_a_session_that_nobody_has_used_for_long_is_over(enter: Enter, db: Database) -> None:
    person = enter("viewer")
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE session SET seen_at = '2026-01-01 00:00:00.000000'")

    assert not person.is_in()


def test_a_locked_database_keeps_nobody_out(enter: Enter, app: Flask, db: Database, database_file: Path) -> None:
    person = enter("viewer")
    a_while_ago = (clock.now() - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with db.write() as session:
        session.connection().exec_driver_sql(f"UPDATE session SET seen_at = '{a_while_ago}'")
    impatient = Database.open(url_of(database_file), busy_timeout_seconds=0.05)
    app.extensions["watchbell.database"] = impatient

    with db.write():
        assert person.is_in()

    impatient.close()


def test_pages_do_not_hang_while_another_program_holds_the_database(
    admin: Person, db: Database, database_file: Path
) -> None:
    with db.write() as session:
        session.connection().exec_driver_sql(f"UPDATE session SET seen_at = '{_long_ago()}'")
    holder = sqlite3.connect(database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    began = clock.monotonic()
    answer = admin.get("/tasks")
    passed = clock.monotonic() - began
    holder.close()

    assert (answer.status_code, passed < 2) == (200, True), passed


def _long_ago() -> str:
    return f"{clock.now() - timedelta(hours=1):%Y-%m-%d %H:%M:%S.%f}"


def test_what_was_typed_is_still_there_after_the_login_has_ended(with_password: Person) -> None:
    with_password.client.post("/login", data={"password": PASSWORD})
    token = with_password.see("/tasks/new").select_one("input[name=csrf_token]")["value"]  # type: ignore[index]
    typed = {"csrf_token": token, "name": "typed for long", "command": "true", "kind": "manual"}
    with_password.post("/logout")

    refused = with_password.client.post("/tasks/new", data=typed)
    assert refused.status_code == 401
    assert 'href="/login" target="_blank"' in refused.text
    assert 'value="typed for long"' in refused.text
    with_password.client.post("/login", data={"password": PASSWORD})
    # The form is of a session that is over: it is shown once more, with the token of the new one.
    again = BeautifulSoup(with_password.client.post("/tasks/new", data=typed).text, "html.parser")
    fields = {field["name"]: field["value"] for field in again.select('form[action="/tasks/new"] input[type=hidden]')}
    assert with_password.client.post("/tasks/new", data=fields).status_code == 303
    for secret in ("password", "current", "repeat"):
        assert "geheim" not in with_password.client.post("/account/password", data={**typed, secret: "geheim"}).text
