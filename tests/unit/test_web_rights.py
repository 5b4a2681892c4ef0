from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.web_fixtures import Enter, Person
from watchbell.domain.permissions import ROUTES, Right, Role, role_may
from watchbell.store.session import Database

#: One value for each parameter of a route; nothing of it exists.
VALUES = {
    "task_id": 999_999,
    "run_id": 999_999,
    "stream": "stdout",
    "token": "x",
    "stamp": "x",
    "name": "none.css",
    "job_name": "none",
}


def requests_of(app: Flask) -> list[tuple[str, str, str]]:
    """Return (endpoint, method, address) of every request that the application knows."""
    adapter = app.url_map.bind("localhost")
    rules: list[Rule] = list(app.url_map.iter_rules())
    return [
        (rule.endpoint, method, adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments}))
        for rule in rules
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_has_a_right_and_every_right_a_route(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ROUTES)


def test_nobody_gets_past_the_login_except_where_it_says_public(app: Flask, anonymous: Person) -> None:
    for endpoint, method, address in requests_of(app):
        if ROUTES[endpoint] is Right.PUBLIC:
            continue
        answer = anonymous.client.open(address, method=method)

        leads_to_login = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        assert leads_to_login or answer.status_code == 401, (endpoint, method, answer.status)


def test_a_program_without_an_account_is_told_so_in_json(app: Flask, anonymous: Person) -> None:
    for endpoint, method, address in requests_of(app):
        if ROUTES[endpoint] is not Right.PUBLIC:
            answer = anonymous.client.open(address, method=method, headers={"Accept": "application/json"})

            assert answer.status_code == 401, (endpoint, method)
            # Each family of addresses tells errors in its own shape, and all of them under a number.
            assert len(answer.get_json()) >= 2 and "request_id" in answer.get_json(), (endpoint, method)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_exactly_what_the_matrix_says(app: Flask, enter: Enter, role: Role) -> None:
    person = enter(role)

    for endpoint, method, address in requests_of(app):
        # A form without its token stops whoever has the right, too, but with another answer and before anything happens.
        answer = person.client.open(address, method=method)
        assert (answer.status_code == 403) is not role_may(role, ROUTES[endpoint]), (endpoint, method, answer.status)


def test_no_form_is_accepted_without_its_token(app: Flask, admin: Person, db: Database) -> None:
    for endpoint, method, address in requests_of(app):
        if method == "GET" or endpoint == "auth.login":
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
        session.connection().exec_driver_sql("UPDATE account SET is_active = 0 WHERE username = 'a-editor'")

    assert not person.is_in()
