"""The web application on the test's own database, and people who use it.

The application is made once: what a test changes is its database and its data directory, which are put in place for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, passwords
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.web import realtime
from watchbell.web.factory import create_app
from watchbell.web.realtime import sockets
from watchbell.web.throttle import Tries

Enter = Callable[..., "Person"]


@dataclasses.dataclass
class Person:
    """A browser, in front of it somebody with an account or nobody."""

    client: FlaskClient
    username: str = ""

    def get(self, url: str, **options: object) -> TestResponse:
        # Buffered: a static file is then read to its end and closed.
        return self.client.get(url, buffered=True, **options)  # type: ignore[arg-type]

    def see(self, url: str) -> BeautifulSoup:
        """Return a page that must be there."""
        answer = self.client.get(url)
        assert answer.status_code == 200, (url, answer.status, answer.text[:500])
        return BeautifulSoup(answer.text, "html.parser")

    def post(self, url: str, fields: Mapping[str, object] | None = None, **options: object) -> TestResponse:
        """Send a form as its page would, with the token."""
        token = self.see("/logout").select_one("input[name=csrf_token]")
        assert token is not None
        return self.client.post(url, data={**(fields or {}), "csrf_token": token["value"]}, **options)  # type: ignore[arg-type]

    def is_in(self) -> bool:
        """Return whether the server takes this browser for somebody who has logged in."""
        return self.client.get("/overview.json").status_code == 200


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords with little work: what is tested is who gets in, not how long a guess takes."""
    patch = pytest.MonkeyPatch()
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    patch.setattr(passwords, "_HASHER", quick)
    patch.setattr(passwords, "_DECOY", passwords.decoy(quick))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def made_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    app = create_app(Config.load({"home": tmp_path_factory.mktemp("home")}, {}))
    app.testing = True
    return app


@pytest.fixture
def web_config(tmp_path: Path, database_url: str) -> Config:
    given = {"home": tmp_path, "zone": "Europe/Berlin", "hostname": "watchtower", "user": "ann"}
    return Config.load({**given, "database_url": database_url} if "postgresql" in database_url else given, {})


@pytest.fixture
def app(made_app: Flask, web_config: Config, db: Database) -> Iterator[Flask]:
    """Give the application on this test's database."""
    before = dict(made_app.extensions)
    made_app.extensions.update(
        {
            "watchbell.config": web_config,
            "watchbell.database": db,
            "watchbell.hub": sockets.make_hub(web_config),
            "watchbell.tries": Tries(before["watchbell.tries"].limiter),
        }
    )
    yield made_app
    realtime.end(made_app)
    made_app.extensions.clear()
    made_app.extensions.update(before)


@pytest.fixture
def admin_account(db: Database) -> Account:
    return accounts.ensure_first(db, now=clock.now())


@pytest.fixture
def anonymous(app: Flask, admin_account: Account) -> Person:
    return Person(app.test_client())


@pytest.fixture
def enter(app: Flask, db: Database, admin_account: Account) -> Enter:
    """Return a function that gives a browser in which somebody has logged in."""

    def log_in(role: str = "admin") -> Person:
        if role == "admin":
            username = admin_account.username
        else:
            username = accounts.add(db, f"a-{role}", role=role, password=None, now=clock.now()).username
        person = Person(app.test_client(), username)
        person.get(f"/login/link/{accounts.make_link(db, username, now=clock.now())}")
        return person

    return log_in


@pytest.fixture
def admin(enter: Enter) -> Person:
    return enter("admin")
