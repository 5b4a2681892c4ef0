"""Tokens on the page: seeing, making, replacing and revoking them, and proving who one is before a secret is shown."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import update

from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, tokens
from watchbell.services.tokens import NewToken
from watchbell.store.accounts import LoginSession
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
FIELDS = {"name": "monitor", "scope": "read", "expires": "90d"}
DAY = timedelta(days=1)


def make(db: Database, username: str, name: str = "monitor", *, lifetime: timedelta | None = 90 * DAY) -> NewToken:
    return tokens.create(db, username, name, scope="read", lifetime=lifetime, now=clock.now())


def rows(person: Person, url: str = "/account/tokens") -> dict[str, dict[str, str]]:
    """Return the cells of each token by its name."""
    found = {}
    for row in person.see(url).select("tbody tr"):
        cells = {str(cell["data-label"]): " ".join(cell.text.split()) for cell in row.select("td")}
        found[cells["Name"]] = cells
    return found


def secret_on(page: BeautifulSoup) -> str:
    field = page.select_one("#secret")
    assert field is not None
    return str(field["value"])


@pytest.fixture
def long_ago(db: Database, admin: Person) -> Person:
    """Give somebody who has a password and has not typed it for hours."""
    accounts.set_password(db, "admin", PASSWORD, now=clock.now())
    admin.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")
    return make_old(db, admin)


def make_old(db: Database, person: Person) -> Person:
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))
    assert person.is_in()
    return person


def test_without_tokens_the_page_says_what_they_are_for(admin: Person) -> None:
    page = admin.see("/account/tokens")

    assert "lets a program in without your password" in page.text
    assert page.select_one(".wb-empty a[href='/account/tokens/new']")
    assert admin.see("/").select_one(".wb-menu a[href='/account/tokens']"), "the menu of the account leads there"


def test_a_new_token_is_shown_once_with_a_line_that_works(admin: Person, app: Flask) -> None:
    answer = admin.post("/account/tokens/new", {**FIELDS, "name": "<b>deploy</b>", "scope": "run"})

    page = soup(answer.text)
    secret = secret_on(page)
    line = page.select_one("#try")
    assert line is not None
    assert line["value"] == f"curl -H 'Authorization: Bearer {secret}' 'http://localhost/tasks.json'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert page.select_one("#secret[readonly]")
    used = app.test_client().get("/tasks.json", headers={"Authorization": f"Bearer {secret}"}, buffered=True)
    assert used.status_code == 200
    listed = rows(admin)["<b>deploy</b>"]
    assert (listed["Begins with"], listed["Scope"]) == (f"{secret[:11]}…", "run")
    assert listed["Last used"].endswith("from 127.0.0.1")
    assert secret not in admin.get("/account/tokens").text
    # Sending the form again, as a reload does, makes no second one.
    again = admin.post("/account/tokens/new", {**FIELDS, "name": "<b>deploy</b>", "scope": "run"})
    assert (again.status_code, "already" in again.text) == (422, True)


def test_the_list_marks_what_ends_soon_what_has_ended_and_what_never_does(admin: Person, db: Database) -> None:
    for name, lifetime in (("later", 90 * DAY), ("soon", 5 * DAY), ("never", None)):
        make(db, "admin", name, lifetime=lifetime)
    tokens.create(db, "admin", "over", scope="read", lifetime=DAY, now=clock.now() - 3 * DAY)

    found = {name: cells["Expires"] for name, cells in rows(admin).items()}
    later = f"{(clock.now() + 90 * DAY).astimezone(ZoneInfo('Europe/Berlin')):%Y-%m-%d}"

    assert found == {"later": later, "never": "never", "over": "expired 2d ago", "soon": "soon in 4d"}
    answer = admin.see("/account/tokens").select_one(".wb-answer")
    assert answer is not None
    assert answer.text == "4 tokens, 1 expires soon, 1 has expired."


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"), ({"name": "x" * 65}, "name"), ({"name": "wb_mine"}, "name"), ({"scope": ""}, "scope"),
        ({"scope": "root"}, "scope"), ({"expires": "1000y"}, "expires"), ({"expires": ""}, "expires"),
    ],
    ids=str,
)  # fmt: skip
def test_what_will_not_do_is_refused_at_its_field(
    admin: Person, db: Database, fields: dict[str, str], field: str
) -> None:
    answer = admin.post("/account/tokens/new", {**FIELDS, **fields})

    assert answer.status_code == 422
    assert soup(answer.text).select_one(f"#{field}-error") is not None
    assert tokens.list_all(db, now=clock.now()) == []


def test_a_role_is_offered_the_scopes_that_it_fills_and_gets_no_other(enter: Enter, db: Database) -> None:
    person = enter("operator")

    offered = [box["value"] for box in person.see("/account/tokens/new").select("input[name=scope]")]
    answer = person.post("/account/tokens/new", {**FIELDS, "scope": "edit"})

    assert offered == ["read", "run"]
    assert answer.status_code == 422
    assert "more than the role operator may" in answer.text
    assert person.post("/account/tokens/new", {**FIELDS, "scope": "run"}).status_code == 200


def test_after_a_login_of_long_ago_the_password_is_asked_for_again(long_ago: Person, db: Database) -> None:
    assert long_ago.see("/account/tokens/new").select_one("#current[type=password]")

    for given, said in (("", "Type your password"), ("wrong", "Invalid password")):
        answer = long_ago.post("/account/tokens/new", {**FIELDS, "current": given})
        assert (answer.status_code, said in answer.text) == (422, True), given
    assert tokens.list_all(db, now=clock.now()) == []

    answer = long_ago.post("/account/tokens/new", {**FIELDS, "current": PASSWORD})
    assert secret_on(soup(answer.text)).startswith("wb_")
    assert not long_ago.see("/account/tokens/new").select("#current"), "it has been proven just now"


def test_the_forms_of_the_page_after_the_password_was_typed_are_good(long_ago: Person) -> None:
    answer = long_ago.post("/account/tokens/new", {**FIELDS, "name": "", "current": PASSWORD})
    page = soup(answer.text)
    assert answer.status_code == 422
    assert not page.select("#current")

    field = page.select_one("form[action='/account/tokens/new'] input[name=csrf_token]")
    assert field is not None
    made = long_ago.client.post("/account/tokens/new", data={**FIELDS, "csrf_token": field["value"]})

    assert secret_on(soup(made.text)).startswith("wb_")


def test_the_password_cannot_be_guessed_there_either(long_ago: Person) -> None:
    statuses = [long_ago.post("/account/tokens/new", {**FIELDS, "current": "wrong"}).status_code for _ in range(12)]

    assert set(statuses) == {422}
    # The tries are used up, so that the right one does not help now.
    assert long_ago.post("/account/tokens/new", {**FIELDS, "current": PASSWORD}).status_code == 422


def test_rotating_shows_a_new_secret_and_kills_the_old_one(admin: Person, app: Flask, db: Database) -> None:
    old = make(db, "admin")
    assert "dead at once" in admin.see(f"/account/tokens/{old.token.id}/rotate").text

    new = secret_on(soup(admin.post(f"/account/tokens/{old.token.id}/rotate").text))

    statuses = [
        app.test_client().get("/tasks.json", headers={"Authorization": f"Bearer {secret}"}).status_code
        for secret in (old.secret, new)
    ]
    assert statuses == [401, 200]
    assert list(rows(admin)) == ["monitor"]
    assert admin.get(f"/account/tokens/{old.token.id}/rotate").status_code == 404
    assert admin.post(f"/account/tokens/{old.token.id}/rotate").status_code == 409


def test_rotating_asks_for_the_password_too(long_ago: Person, db: Database) -> None:
    old = make(db, "admin")

    assert long_ago.post(f"/account/tokens/{old.token.id}/rotate").status_code == 422
    assert tokens.resolve(db, old.secret, now=clock.now())
    assert long_ago.post(f"/account/tokens/{old.token.id}/rotate", {"current": PASSWORD}).status_code == 200


def test_revoking_asks_first_and_then_ends_it(admin: Person, db: Database) -> None:
    made = make(db, "admin")
    form = admin.see("/account/tokens").select_one(f"form[action='/account/tokens/{made.token.id}/revoke']")
    assert form is not None
    assert str(form["data-confirm"]).startswith("Revoke monitor?")

    answer = admin.post(f"/account/tokens/{made.token.id}/revoke", follow_redirects=True)

    assert "The token monitor is revoked" in answer.text
    assert rows(admin) == {}


def test_an_administrator_sees_and_ends_those_of_all_and_takes_over_none(
    admin: Person, enter: Enter, db: Database
) -> None:
    enter("editor")
    theirs, own = make(db, "a-editor", "theirs"), make(db, "admin", "own")

    assert list(rows(admin)) == ["own"]
    assert {name: cells["Account"] for name, cells in rows(admin, "/account/tokens?of=*").items()} == {
        "theirs": "a-editor", "own": "admin",
    }  # fmt: skip
    assert list(rows(admin, "/account/tokens?of=a-editor")) == ["theirs"]
    assert admin.get("/account/tokens?of=nobody").status_code == 404
    assert [one["name"] for one in admin.get("/account/tokens.json?of=*").get_json()] == ["theirs", "own"]
    assert admin.post(f"/account/tokens/{theirs.token.id}/rotate").status_code == 404
    ended = admin.post(f"/account/tokens/{theirs.token.id}/revoke?of=*")
    assert ended.headers["Location"] == "/account/tokens?of=*"
    assert [one.id for one in tokens.list_all(db, now=clock.now())] == [own.token.id]


def test_others_see_and_touch_their_own_only(enter: Enter, admin: Person, db: Database) -> None:
    editor = enter("editor")
    other = make(db, "admin", "other")
    make(db, "a-editor", "mine")

    for url in ("/account/tokens", "/account/tokens?of=*", "/account/tokens?of=admin"):
        assert list(rows(editor, url)) == ["mine"], url
    assert [one["name"] for one in editor.get("/account/tokens.json?of=*").get_json()] == ["mine"]
    assert not editor.see("/account/tokens").select(".wb-tabs")
    for act in ("rotate", "revoke"):
        assert editor.post(f"/account/tokens/{other.token.id}/{act}").status_code == 404
    assert tokens.resolve(db, other.secret, now=clock.now())


def test_the_twin_tells_all_but_the_secret(admin: Person, db: Database) -> None:
    made = make(db, "admin")

    (told,) = admin.get("/account/tokens.json").get_json()

    assert told["prefix"] == made.token.prefix
    assert told["state"] == "active"
    assert set(told) == {
        "id", "name", "username", "prefix", "scope", "state", "created_at", "expires_at", "used_at", "used_from",
        "revoked_at",
    }  # fmt: skip
    assert made.secret[11:] not in str(told)


def test_without_logins_there_is_a_list_and_nothing_to_make(
    anonymous: Person, app: Flask, db: Database, web_config: Config
) -> None:
    made = make(db, "admin")
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")

    page = anonymous.see("/account/tokens")

    assert "asks for no login" in page.text
    assert not page.select("a[href='/account/tokens/new']")
    assert list(rows(anonymous)) == ["monitor"]
    assert anonymous.get("/account/tokens/new").headers["Location"] == "/account/tokens"
    assert anonymous.post("/account/tokens/new", FIELDS).status_code == 409
    assert anonymous.post(f"/account/tokens/{made.token.id}/revoke").status_code == 303
