"""Behind a proxy: whose word is taken for where a request comes from, and pages below a path of the proxy's host."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask, request
from werkzeug.test import TestResponse

from tests.web_fixtures import Enter, Person
from watchbell import clock, dashboard
from watchbell.services import accounts
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.web.proxies import NamedProxy

PROXY = "10.1.2.3"
SAID = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/bell"}
PAGES = ("/", "/tasks", "/tasks/new", "/runs", "/next-runs", "/heartbeats", "/log", "/audit", "/settings", "/fleet/devices",
         "/fleet/enrolment", "/metrics", "/docs", "/tokens", "/no-such-page")  # fmt: skip


@pytest.fixture
def behind(app: Flask) -> Iterator[Flask]:
    """Give the application behind the proxy of an address."""
    plain = app.wsgi_app
    app.wsgi_app = NamedProxy(plain, ["10.1.2.0/24"])  # type: ignore[method-assign]
    yield app
    app.wsgi_app = plain  # type: ignore[method-assign]


def seen(app: Flask, peer: str, **headers: str) -> tuple[str | None, str, str]:
    """Return client, scheme and sub-path as the application takes them."""
    found: list[tuple[str | None, str, str]] = []

    def look(_environ: object, start_response: object) -> list[bytes]:
        with app.request_context(_environ):  # type: ignore[arg-type]
            found.append((request.remote_addr, request.scheme, request.script_root))
        start_response("200 OK", [])  # type: ignore[operator]
        return []

    environ = app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": peer}).request.environ
    list(NamedProxy(look, ["10.1.2.0/24"])(environ, lambda *_: lambda _: None))
    return found[0]


@pytest.mark.parametrize("peer", [PROXY, "10.1.2.254", "::ffff:10.1.2.3"])
def test_the_named_proxy_says_who_the_client_is_and_where_the_server_stands(app: Flask, peer: str) -> None:
    assert seen(app, peer, **SAID) == ("203.0.113.9", "https", "/bell")


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.3.3", "192.0.2.1", "::1", "10.1.2.3.4"])
def test_nobody_else_is_believed_about_anything(app: Flask, peer: str) -> None:
    assert seen(app, peer, **SAID, Forwarded="for=203.0.113.9") == (peer, "http", "")


def test_of_several_addresses_the_one_that_the_proxy_has_added_counts(app: Flask) -> None:
    assert seen(app, PROXY, **{"X-Forwarded-For": "10.0.0.1, 203.0.113.9"})[0] == "203.0.113.9"


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/bell/", "bell", "/a b", "/bell?x=1", "/\\evil", "/bell//x", "/"]
)
def test_a_path_that_could_lead_elsewhere_is_no_prefix(app: Flask, prefix: str) -> None:
    assert seen(app, PROXY, **{"X-Forwarded-Prefix": prefix})[2] == ""


def ask(person: Person, url: str, **headers: str) -> TestResponse:
    return person.client.get(url, headers={**SAID, **headers}, environ_base={"REMOTE_ADDR": PROXY}, buffered=True)


def test_every_address_of_a_page_below_a_path_stays_below_it(behind: Flask, enter: Enter) -> None:
    person = enter("admin")
    for url in PAGES:
        page = BeautifulSoup(ask(person, url).text, "html.parser")
        places = [
            (node.name, name, value)
            for node in page.find_all(True)
            for name, value in node.attrs.items()
            # A suggested interpreter is a place on the machine.
            if isinstance(value, str) and value.startswith("/") and (node.name, name) != ("option", "value")
            if name not in {"data-root", "d", "placeholder"}
        ]

        assert page.html is not None and page.html["data-root"] == "/bell"
        assert places and [place for place in places if not f"{place[2]}/".startswith("/bell/")] == [], url


def test_whoever_has_to_log_in_comes_back_to_the_page_that_was_asked_for(
    behind: Flask, db: Database, admin_account: Account
) -> None:
    person = Person(behind.test_client())
    asked = ask(person, "/runs?state=failed").headers["Location"]
    link = accounts.make_link(db, admin_account.username, now=clock.now())
    entered = ask(person, f"/login/link/{link}").headers["Location"]

    assert asked == "/bell/login?next=/bell/runs?state%3Dfailed"
    assert urlsplit(entered).path.startswith("/bell/")
    assert ask(Person(behind.test_client()), "/").headers["Location"] == "/bell/login"


def test_the_document_of_the_api_names_the_path(behind: Flask, enter: Enter) -> None:
    assert ask(enter("admin"), "/openapi.json").get_json()["servers"] == [{"url": "/bell"}]


def test_our_own_web_server_takes_nobodys_word_before_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    served = dashboard._Application(Flask, 0, lambda: None)

    assert served.cfg.forwarded_allow_ips == []
