"""A pooler before PostgreSQL: what it lends for a transaction only is as good as a connection, and what it cannot carry is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from tests.database import add_task
from tests.pooler import Pooler, pooled
from tests.postgres import Cluster
from tests.shell import home, shell  # noqa: F401 - fixtures.
from tests.waiting import wait_until
from watchbell.errors import ConfigError, Unavailable
from watchbell.store import hearing, schema
from watchbell.store.hearing import Way
from watchbell.store.session import ChangeWatch, Database
from watchbell.store.tasks import next_change

# ruff: noqa: F811


@pytest.fixture(scope="module")
def lending(cluster: Cluster) -> Iterator[Pooler]:
    """Give a pooler that lends a session of the server for each transaction, of which there are two."""
    with pooled(cluster, "transaction", default_pool_size="2") as pooler:
        yield pooler


@pytest.fixture(scope="module")
def forgetting(cluster: Cluster) -> Iterator[Pooler]:
    """Give one that lends whole sessions, and forgets what they were to begin with."""
    with pooled(cluster, "session", ignore_startup_parameters="options") as pooler:
        yield pooler


@pytest.fixture
def name(postgres_url: str) -> str:
    return postgres_url.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def db(lending: Pooler, name: str) -> Iterator[Database]:
    database = Database.open(lending.url(name), busy_timeout_seconds=0.3)
    yield database
    database.close()


_RULES = text(
    "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('timezone')"
)


def test_each_transaction_has_our_rules_and_leaves_none_behind(db: Database, lending: Pooler, name: str) -> None:
    for begin in (db.read, db.write):
        with begin() as session:
            assert session.execute(_RULES).one() == ("300ms", "1min", "UTC")

    # Both of the sessions that there are, and so also the one that was lent to us.
    with lending.busy(database=name) as one, lending.busy(database=name) as other:
        for session in (one, other):
            assert session.execute(str(_RULES)).fetchone() == ("0", "0", "Pacific/Chatham")


def test_a_second_writer_is_told_that_it_is_locked(db: Database, lending: Pooler, name: str) -> None:
    other = Database.open(lending.url(name), busy_timeout_seconds=0.2)
    with db.write() as session:
        next_change(session)
        for patience in ({}, {"wait": False}):
            with pytest.raises(Unavailable, match="locked by another program"), other.write(**patience):
                pass
    other.close()


def test_nothing_that_was_prepared_in_one_session_is_used_in_another(db: Database, lending: Pooler, name: str) -> None:
    def ask_often() -> object:
        with db.write() as session:
            found = [session.execute(text("SELECT pg_backend_pid()")).scalar_one() for _ in range(12)]
        return found[-1]

    first = ask_often()
    with lending.busy(database=name):
        assert ask_often() != first


def test_without_what_the_server_tells_it_is_asked(db: Database, lending: Pooler, name: str) -> None:
    other = Database.open(lending.url(name))
    watch = ChangeWatch(db)
    assert watch.changed()
    # A look is taken once a second all the same, which is not what is asked about here.
    watch._true_at = float("inf")
    wait_until(lambda: not watch.changed(), what="all is still")

    add_task(other, "of another")

    wait_until(watch.changed, what="the watch finds the other's commit")
    assert watch._listener is not None and not watch._listener.hears
    assert hearing.way(db, patience_seconds=0.2) is Way.POLL
    watch.close()
    other.close()


def test_whole_sessions_are_listened_in_also_when_their_rules_are_forgotten(forgetting: Pooler, name: str) -> None:
    db, other = Database.open(forgetting.url(name)), Database.open(forgetting.url(name))
    watch = ChangeWatch(db)
    watch.changed()
    watch._true_at = float("inf")
    assert watch._listener is not None and watch._listener.wait_to_hear(30)
    wait_until(lambda: not watch.changed(), what="all is still")

    add_task(other, "of another")

    wait_until(watch.changed, what="the watch hears of the other's commit")
    assert hearing.way(db, patience_seconds=30) is Way.NOTIFY
    with db.read() as session:
        assert session.execute(_RULES).one() == ("10s", "1min", "UTC")
    watch.close()
    db.close()
    other.close()


def test_rules_of_the_url_that_a_pooler_refuses_are_not_left_out(lending: Pooler, name: str) -> None:
    db = Database.open(f"{lending.url(name)}&options=-c%20work_mem%3D8MB")

    with pytest.raises(ConfigError, match="refuses the options of the URL"):
        schema.state(db)
    db.close()


def test_health_and_the_doctor_say_that_it_is_asked(lending: Pooler, name: str, app: Flask, shell, home) -> None:
    for address in ("/health", "/api/v2/health"):
        assert app.test_client().get(address).get_json()["changes"] == "poll"

    found = {
        finding["code"]: finding for finding in shell("--database-url", lending.url(name), "doctor", "--json").json()
    }
    assert found["database-pooler"]["level"] == "note"
    assert "LISTEN" in found["database-pooler"]["words"]
