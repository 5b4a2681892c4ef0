"""What the tests with real schedulers share: one nursery, one migrated database to copy, and installations."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from contextlib import closing

import pytest

from tests.process.brokers import rabbit, redis_broker
from tests.process.lives import Lab, Nursery
from tests.process.page import Page
from watchbell.store import schema
from watchbell.store.session import Database

__all__ = ["rabbit", "redis_broker"]
#: Only root can run commands as somebody else, so elsewhere there is nothing to test.
collect_ignore = [] if os.geteuid() == 0 else ["test_run_as.py"]


@pytest.fixture(scope="session")
def nursery():
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Return a file with the migrated schema and nothing in it, to be copied instead of migrated again and again."""
    file = tmp_path_factory.mktemp("template") / "watchbell.db"
    db = Database.open(f"sqlite:///{file}")
    schema.upgrade(db)
    db.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@dataclasses.dataclass(frozen=True)
class Served:
    """An installation whose scheduler works and whose page asks for logins."""

    lab: Lab
    page: Page


@pytest.fixture(scope="module")
def served(tmp_path_factory, nursery, empty_database):
    """Give an installation that all tests of a module share."""
    lab = Lab(tmp_path_factory.mktemp("served") / "home", nursery, empty_database)
    try:
        with lab.running():
            page = Page(lab, auth="on")
            try:
                yield Served(lab, page)
            finally:
                page.stop()
    finally:
        lab.close()


@pytest.fixture
def make_lab(tmp_path, nursery, empty_database):
    """Make installations; all that they have started is ended with the test."""
    made = []

    def make(name: str = "home", **settings: object) -> Lab:
        lab = Lab(tmp_path / name, nursery, empty_database, **settings)
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def lab(make_lab):
    return make_lab()
