"""Addresses for programs: who may send what to them without a form, and what a browser can be made to do with them."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta

import pytest
from flask import Flask

from tests.unit.test_web_rights import requests_of
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.permissions import ROUTES, Right
from watchbell.services import pauses, tasks, tokens
from watchbell.store.session import Database

JOB = {"name": "by-program", "cron": "0 3 * * *", "command": "true"}
FOREIGN = (
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8081"},
    {"Origin": "http://localhost.elsewhere.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.fixture
def open_house(app: Flask, anonymous: Person, web_config: Config) -> Person:
    """Give a visitor of a server that asks for no login."""
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")
    return anonymous


def is_made(db: Database) -> bool:
    return tasks.is_taken(db, JOB["name"])


def form_token(person: Person) -> str:
    field = person.see("/logout").select_one("input[name=csrf_token]")
    assert field is not None
    return str(field["value"])


def test_without_logins_a_program_posts_as_the_examples_do(open_house: Person, db: Database) -> None:
    answer = open_house.client.post("/api/jobs", json=JOB)

    assert answer.status_code == 201
    assert is_made(db)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_without_logins_a_page_elsewhere_still_changes_nothing(
    open_house: Person, db: Database, headers: dict[str, str]
) -> None:
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = open_house.client.post("/api/jobs", data="{}", content_type=content_type, headers=headers)

        assert answer.status_code == 403
    assert not is_made(db)


def test_without_logins_pages_still_ask_for_their_form(open_house: Person, db: Database) -> None:
    assert open_house.client.post("/pause", data={"scope": "everything"}).status_code == 400
    assert pauses.list_all(db, now=clock.now()) == []


def test_with_a_cookie_the_token_of_a_form_is_needed_and_its_lack_is_told(admin: Person, db: Database) -> None:
    refused = admin.client.post("/api/jobs", json=JOB)
    taken = admin.client.post("/api/jobs", json=JOB, headers={"X-CSRFToken": form_token(admin)})

    assert (refused.status_code, taken.status_code) == (400, 201)
    assert "X-CSRFToken" in refused.text
    assert "request_id" in refused.get_json()


def test_the_form_token_of_somebody_else_is_none(admin: Person, app: Flask, db: Database) -> None:
    other = Person(app.test_client())

    assert admin.client.post("/api/jobs", json=JOB, headers={"X-CSRFToken": form_token(other)}).status_code == 400
    assert not is_made(db)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_header_makes_a_look_a_change(app: Flask, anonymous: Person, db: Database, header: str, method: str) -> None:
    secret = tokens.create(db, "admin", "t", scope="admin", lifetime=timedelta(days=1), now=clock.now()).secret
    headers = {"Authorization": f"Bearer {secret}", header: "POST"}

    for path in ("/pause", "/api/jobs"):
        answer = app.test_client().open(f"{path}?_method=POST", method=method, headers=headers, json=JOB)
        assert answer.status_code in {200, 400, 422}, path
    assert not is_made(db)
    assert pauses.list_all(db, now=clock.now()) == []


def test_nobody_elsewhere_is_let_in_by_a_header_of_ours(app: Flask, admin: Person) -> None:
    wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization",
            "Access-Control-Request-Private-Network": "true"}  # fmt: skip
    paths = {path for _endpoint, _method, path in requests_of(app)}
    for path, headers in itertools.product(sorted(paths), FOREIGN[:2]):
        if "/static/" not in path:
            answer = admin.client.options(path, headers={**headers, **wish})

            assert not [name for name, _ in answer.headers if name.startswith("Access-Control-Allow")], path


@pytest.mark.parametrize("asked", ["callback=steal", "jsonp=steal", "format=html"])
def test_what_a_program_gets_is_never_a_script(admin: Person, anonymous: Person, asked: str) -> None:
    for path in ("/tasks.json", "/overview.json", "/account/tokens.json", "/queues.json"):
        answer = admin.client.get(f"{path}?{asked}")

        assert answer.mimetype == "application/json", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert b"steal" not in answer.data
        assert anonymous.client.get(f"{path}?{asked}").status_code == 401


def test_what_somebody_sees_is_kept_by_nobody_between(admin: Person, app: Flask, db: Database) -> None:
    secret = tokens.create(db, "admin", "t", scope="read", lifetime=None, now=clock.now()).secret
    for endpoint, method, path in requests_of(app):
        if method == "GET" and ROUTES[endpoint] in {Right.VIEW, Right.ACCOUNT}:
            # To its end: what a page streams keeps its request open until it is read or closed.
            by_cookie = admin.client.get(path, buffered=True)
            by_token = app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"}, buffered=True)
            for answer in (by_cookie, by_token):
                kept = answer.headers["Cache-Control"]
                assert "no-store" in kept or "private" in kept, (endpoint, kept)
