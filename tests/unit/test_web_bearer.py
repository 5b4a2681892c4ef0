"""Requests that carry a token: what opens, what is refused, and that nothing falls back to a cookie."""

from __future__ import annotations

import dataclasses
import io
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.logs import LineFormatter
from watchbell.services import accounts, pauses, tokens
from watchbell.services.tokens import NewToken
from watchbell.store.session import Database

Call = Callable[..., TestResponse]
WRONG = "wb_" + "0" * 40
ELSEWHERE = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def made(db: Database, anonymous: Person) -> NewToken:
    """Give a token of the admin that may everything a token may."""
    return tokens.create(db, "admin", "deploy", scope="admin", lifetime=timedelta(days=1), now=clock.now())


@pytest.fixture
def call(app: Flask) -> Call:
    """Return a function that sends a request as a program does, with a token and without cookies."""

    def send(url: str, secret: str | None = None, *, method: str = "GET", **more: object) -> TestResponse:
        headers = dict(more.pop("headers", {}))  # type: ignore[call-overload]
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        return app.test_client().open(url, method=method, headers=headers, **more)  # type: ignore[arg-type]

    return send


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """Give all that is logged, at the lowest level and in the format of our logs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger()
    ours = logging.getLogger("watchbell")
    before, ours_before, propagates = logger.level, ours.level, ours.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    ours.propagate = True
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)
    ours.setLevel(ours_before)
    ours.propagate = propagates


def test_a_token_opens_pages_and_their_twins(call: Call, made: NewToken) -> None:
    assert call("/tasks.json", made.secret).status_code == 200
    assert "Overview" in call("/", made.secret).text
    assert call("/tasks.json").status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_name_of_the_scheme_is_read_as_the_standard_says(app: Flask, made: NewToken, scheme: str) -> None:
    answer = app.test_client().get("/tasks.json", headers={"Authorization": f"{scheme} {made.secret}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer x", "Bearer ü", f"Bearer {WRONG}", "Bearer a,Bearer b"]
)
def test_what_is_no_token_is_401_with_the_reason_for_programs(app: Flask, made: NewToken, header: str) -> None:
    for path in ("/tasks", "/", "/health", "/login", "/api/anything", "/nothing/here"):
        answer = app.test_client().get(path, headers={"Authorization": header, "Accept": "text/html"})

        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert "request_id" in answer.get_json()
        assert "Location" not in answer.headers


def test_a_wrong_token_does_not_fall_back_to_a_login(admin: Person) -> None:
    assert admin.is_in()

    answer = admin.client.get("/tasks.json", headers={"Authorization": f"Bearer {WRONG}"})

    assert answer.status_code == 401
    assert admin.is_in()


def test_a_token_counts_and_not_the_cookie_beside_it(admin: Person, db: Database) -> None:
    secret = tokens.create(db, "admin", "look", scope="read", lifetime=None, now=clock.now()).secret

    answer = admin.client.post("/pause", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 403
    assert pauses.list_all(db, now=clock.now()) == []


@pytest.mark.parametrize(("header", "status"), [(None, 200), ("wrong", 401), ("right", 200)])
def test_without_logins_no_token_is_needed_but_a_wrong_one_is_wrong(
    app: Flask, call: Call, made: NewToken, web_config: Config, header: str | None, status: int
) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")
    secret = {None: None, "wrong": WRONG, "right": made.secret}[header]

    assert call("/tasks.json", secret).status_code == status


def test_without_logins_a_token_is_still_held_to_its_scope(
    app: Flask, call: Call, db: Database, made: NewToken, web_config: Config
) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")
    secret = tokens.create(db, "admin", "look", scope="read", lifetime=None, now=clock.now()).secret

    assert call("/pause", secret, method="POST").status_code == 403


def test_a_program_with_a_token_needs_neither_a_form_nor_an_origin(call: Call, made: NewToken, db: Database) -> None:
    answer = call(
        "/pause", made.secret, method="POST", data={"scope": "everything", "reason": "moved"}, headers=ELSEWHERE
    )

    assert answer.status_code == 303
    (pause,) = pauses.list_all(db, now=clock.now())
    assert (pause.by, pause.reason) == ("admin", "moved")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/pause", "/api/v2/anything", "/nothing"])
def test_a_cookie_from_another_site_changes_nothing_whatever_the_method(admin: Person, method: str, path: str) -> None:
    for headers in (ELSEWHERE, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost:81"}):
        answer = admin.client.open(path, method=method, headers=headers, data="{}", content_type="text/plain")

        assert answer.status_code == 403, headers


def test_a_cookie_needs_the_token_of_a_form_or_of_the_header(admin: Person, db: Database) -> None:
    field = admin.see("/logout").select_one("input[name=csrf_token]")
    assert field is not None

    refused = admin.client.post("/pause", data={"scope": "everything"})
    taken = admin.client.post("/pause", data={"scope": "everything"}, headers={"X-CSRFToken": str(field["value"])})

    assert (refused.status_code, taken.status_code) == (400, 303)


@pytest.mark.parametrize(
    "address",
    ["/tasks.json?access_token={0}", "/tasks.json?token={0}", "/tasks.json?q={0}", "/tasks.json?Access_Token=anything",
     "/health?x=77625f{0}", "/api/x?api_key=1", "/login/link/{0}", "/tasks.json?q=%77{1}"],
)  # fmt: skip
def test_a_token_in_an_address_is_refused_even_where_a_cookie_would_do(
    admin: Person, made: NewToken, address: str
) -> None:
    answer = admin.client.get(address.format(made.secret, made.secret[1:]))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_request"'
    assert "never into an address" in answer.text


def test_addresses_for_programs_never_lead_to_a_login(call: Call, made: NewToken) -> None:
    for path in ("/api", "/api/", "/api/v2/tasks", "/api/cron/start", "/openapi.json", "/ws", "/ws/metrics"):
        for method in ("GET", "POST", "DELETE"):
            answer = call(path, method=method, headers={"Accept": "text/html"})

            # There is no such route, or not for this method, or one that asks for a login.
            assert answer.status_code in {401, 404, 405}, path
            assert answer.is_json
            assert "Location" not in answer.headers


def test_who_sends_nothing_is_told_that_a_token_would_do(call: Call, made: NewToken) -> None:
    answer = call("/tasks.json")

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_password_and_the_tokens_of_an_account_are_out_of_reach(call: Call, made: NewToken) -> None:
    for path in ("/account/password", "/account/tokens", "/account/tokens/new", "/account/tokens.json"):
        answer = call(path, made.secret)

        assert answer.status_code == 403, path
        assert "No token may do this" in answer.get_json()["error"]
    assert call(f"/account/tokens/{made.token.id}/revoke", made.secret, method="POST").status_code == 403
    assert call("/tasks.json", made.secret).status_code == 200


def test_a_token_whose_account_may_too_little_is_not_told_of_its_scope(call: Call, db: Database, enter: Enter) -> None:
    enter("viewer")
    accounts.find(db, "a-viewer")
    secret = tokens.create(db, "a-viewer", "t", scope="read", lifetime=None, now=clock.now()).secret
    with db.write() as session:
        session.connection().exec_driver_sql("UPDATE api_token SET scope = 'admin' WHERE name = 't'")

    answer = call("/pause", secret, method="POST")

    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers
    assert "account does not have the right" in answer.get_json()["error"]


def test_guessing_is_slowed_down_by_address_and_keeps_no_valid_token_out(call: Call, made: NewToken) -> None:
    statuses = [call("/tasks.json", WRONG).status_code for _ in range(31)]
    kept_away = call("/tasks.json", "wb_" + "1" * 40)

    assert statuses == [401] * 30 + [429]
    assert (kept_away.status_code, kept_away.headers["Retry-After"]) == (429, "60")
    assert call("/tasks.json", made.secret).status_code == 200
    assert call("/tasks.json", WRONG, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 401


def test_wrong_tokens_take_nobody_the_tries_to_log_in(call: Call, anonymous: Person, db: Database) -> None:
    accounts.set_password(db, "admin", "a bell at noon", now=clock.now())
    for _ in range(40):
        call("/tasks.json", WRONG)

    assert anonymous.client.post("/login", data={"password": "a bell at noon"}).status_code == 303


def test_a_token_stands_in_no_log_and_on_no_page(call: Call, admin: Person, made: NewToken, told: io.StringIO) -> None:
    call("/tasks.json", made.secret)
    call("/nothing/here", made.secret)
    call(f"/nothing/{made.secret}")
    call(f"/tasks.json?access_token={made.secret}")
    call("/pause", made.secret, method="POST", data={"scope": "nonsense"})
    call("/tasks.json", made.secret[:-1] + "x")
    logging.getLogger("watchbell.web").warning("somebody has sent %s here", made.secret)
    page = admin.get("/account/tokens").text

    assert "answered 404" in told.getvalue()
    assert f"sent {made.token.prefix}… here" in told.getvalue()
    for text in (told.getvalue(), page):
        assert made.secret[11:] not in text
    assert made.token.prefix in page


def test_a_token_answers_with_no_cookie(call: Call, made: NewToken) -> None:
    for path in ("/", "/tasks", "/tasks.json"):
        assert "Set-Cookie" not in call(path, made.secret).headers, path


def test_the_use_of_a_token_is_seen_with_its_address(call: Call, admin: Person, made: NewToken) -> None:
    call("/tasks.json", made.secret, environ_base={"REMOTE_ADDR": "192.0.2.9"})

    assert "192.0.2.9" in admin.get("/account/tokens").text
