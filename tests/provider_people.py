"""A real OpenID provider, which is a process of its own, and people who log in there.

A test module imports what it needs; the fixtures are those of all tests.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from tests.openid_provider import CLIENT_ID, CLIENT_SECRET
from tests.unit.form_fields import soup
from tests.waiting import wait_until
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, identities, openid
from watchbell.store.accounts import LoginSession
from watchbell.store.session import Database

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a bell at noon"
FOUND = "/account/identities/found"
ANN: dict[str, Any] = {"sub": "4711", "preferred_username": "ann", "email": "ann@corp.example", "email_verified": True}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("provider") / "port"
    with subprocess.Popen([sys.executable, "-m", "tests.openid_provider", str(place)], cwd=ROOT) as process:
        try:
            wait_until(place.exists, what="the provider listens")
            yield f"http://127.0.0.1:{place.read_text()}"
        finally:
            process.kill()


@pytest.fixture
def config(web_config: Config, issuer: str) -> Config:
    return dataclasses.replace(
        web_config, oidc_issuer=issuer, oidc_client_id=CLIENT_ID, oidc_client_secret=CLIENT_SECRET, oidc_name="Corp"
    )


@pytest.fixture
def browser(app: Flask, config: Config, db: Database) -> Person:
    use(app, config)
    accounts.ensure_first(db, now=clock.now())
    accounts.add(db, "ann", role="operator", password=PASSWORD, now=clock.now())
    return Person(app.test_client())


def use(app: Flask, config: Config, **changes: object) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(config, **changes)  # type: ignore[arg-type]


def ask(person: Person, url: str = "/login/provider") -> str:
    """Return the address at the provider that a page leads to."""
    answer = person.get(url)
    assert answer.status_code == 302, answer.headers.get("Location")
    return answer.headers["Location"]


def ask_link(person: Person) -> str:
    """Return the address at the provider to which the button leads that links."""
    answer = person.post("/account/identities/link")
    assert answer.status_code == 200, answer.headers.get("Location")
    assert answer.mimetype == "text/html"
    way = soup(answer.text).find("a", string="Go on at Corp")
    refresh = soup(answer.text).select_one("meta[http-equiv=refresh]")
    assert way is not None and refresh is not None
    assert refresh["content"] == f"0;url={way['href']}"  # type: ignore[index]
    return str(way["href"])  # type: ignore[index]


def come_back(address: str, **claims: Any) -> str:
    """Log in at the provider as somebody and return the address on this server to which it leads back."""
    answer = requests.get(address, params={"user": json.dumps(claims)}, allow_redirects=False, timeout=20)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith("http://localhost/login/provider/callback?")
    return answer.headers["Location"].removeprefix("http://localhost")


def log_in(person: Person, url: str = "/login/provider", **claims: Any) -> TestResponse:
    return person.get(come_back(ask(person, url), **claims))


def told(person: Person, answer: TestResponse) -> str:
    """Return what the page says to which a failed login leads."""
    assert answer.headers["Location"] == "/login"
    assert not person.is_in()
    return " ".join(person.see("/login").select(".wb-notice")[-1].text.split())


def link(db: Database, issuer: str, username: str = "ann", subject: str = "4711") -> None:
    claims = openid.Claims(issuer, subject, None, None, subject, None)
    identities.link(db, username, claims, now=clock.now())


def make_old(db: Database) -> None:
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))
