"""What the tests with real schedulers share: one nursery, one migrated database to copy, and installations."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.process.lives import Lab, Nursery
from watchbell.store import schema
from watchbell.store.session import Database


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
