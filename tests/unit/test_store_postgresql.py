"""What the database of a server promises as the embedded one does: one writer, one state for a reader, no change in doubt."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.database import add_task
from tests.postgres import Cluster
from tests.waiting import wait_until
from watchbell.errors import ConfigError, DatabaseTrouble, Unavailable
from watchbell.services import tasks
from watchbell.store import schema
from watchbell.store.session import ChangeWatch, Database
from watchbell.web.realtime.feed import Feed


@pytest.fixture
def server(postgres_url: str) -> Iterator[Database]:
    database = Database.open(postgres_url, busy_timeout_seconds=0.5)
    yield database
    database.close()


def _names(database: Database) -> list[str]:
    return sorted(task.name for task in tasks.list_soonest(database, 10))


def test_a_second_writer_waits_and_gives_up_in_words(server: Database, postgres_url: str) -> None:
    other = Database.open(postgres_url, busy_timeout_seconds=0.2)
    with server.write() as session:
        session.execute(text("SELECT 1"))
        for patience in ({}, {"wait": False}):
            with pytest.raises(Unavailable, match="locked by another program") as told, other.write(**patience):
                pass
            assert told.value.trouble is DatabaseTrouble.LOCKED
    with other.write(wait=False):
        pass
    other.close()


def test_what_a_writer_has_read_stays_true_until_it_ends(server: Database, postgres_url: str) -> None:
    """Two who look whether something is there and make it if not make it once, as on the embedded database."""
    other = Database.open(postgres_url, busy_timeout_seconds=10)
    made: list[str] = []

    def make(database: Database, name: str) -> None:
        with database.write() as session:
            found = session.scalar(text("SELECT count(*) FROM change_mark WHERE name = 'once'"))
            if not found:
                session.execute(text("INSERT INTO change_mark (name, value) VALUES ('once', 1)"))
                made.append(name)

    threads = [threading.Thread(target=make, args=(database, str(n))) for n in range(4) for database in (server, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    other.close()

    assert len(made) == 1


def test_a_reader_sees_one_state_and_waits_for_no_writer(server: Database, postgres_url: str) -> None:
    other = Database.open(postgres_url)
    add_task(server, "first")
    with server.read() as session:
        before = session.scalar(text("SELECT count(*) FROM task"))
        add_task(other, "second")
        assert session.scalar(text("SELECT count(*) FROM task")) == before == 1
    other.close()

    assert _names(server) == ["first", "second"]


def test_a_watch_hears_of_the_commits_of_others_and_not_of_its_own(server: Database, postgres_url: str) -> None:
    other = Database.open(postgres_url)
    watch = ChangeWatch(server)
    assert watch.changed()
    add_task(server, "of its own")
    # A look is taken once a second all the same, which is not what is asked about here.
    watch._true_at = float("inf")
    assert not watch.changed()

    add_task(other, "of another")

    wait_until(watch.changed, what="the watch hears of the other's commit")
    assert not watch.changed()
    watch.close()
    other.close()


_MINE = text("INSERT INTO change_mark (name, value) VALUES ('mine', 1)")


def _change_and_lose(database: Database, cluster: Cluster) -> None:
    with database.write() as session:
        session.execute(_MINE)
        _end_all_connections(cluster)


def _notices_the_loss(watch: ChangeWatch) -> bool:
    try:
        watch.changed()
    except Unavailable as error:
        return "connection to the database was lost" in error.message
    return False


def _end_all_connections(cluster: Cluster) -> None:
    cluster.tell(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'test%'"
    )


def test_a_lost_connection_is_told_and_the_next_attempt_has_a_new_one(server: Database, cluster: Cluster) -> None:
    add_task(server, "before")
    watch = ChangeWatch(server)
    watch.changed()
    with pytest.raises(Unavailable):
        _change_and_lose(server, cluster)
    wait_until(lambda: _notices_the_loss(watch), what="the watch notices that its connection is gone")

    add_task(server, "after")

    assert _names(server) == ["after", "before"]
    assert watch.changed()
    watch.close()


def test_a_feed_that_cannot_begin_leaves_no_connection_behind(
    server: Database, postgres_url: str, cluster: Cluster, migrated_name: str
) -> None:
    feed = Feed(lambda: Database.open(postgres_url), lambda _event: b"")
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        # What the server itself sends round to sweep tables is nobody's connection.
        "AND backend_type = 'client backend'"
    )

    def nobody_is_there() -> bool:
        return cluster.tell(others, database=migrated_name) == [(0,)]

    # The server counts a connection until the process behind it has ended, which is later than its client goes on.
    wait_until(nobody_is_there, what="the connections of earlier tests to end")
    cluster.tell("ALTER TABLE outbox RENAME TO away", database=migrated_name)
    try:
        assert feed.look(1.0) == ()
        wait_until(nobody_is_there, what="its connections to end")
    finally:
        cluster.tell("ALTER TABLE away RENAME TO outbox", database=migrated_name)
    assert not feed.has_begun
    feed.look(1000.0)
    assert feed.has_begun
    feed.close()


def test_a_commit_whose_reply_is_lost_is_found_to_have_been_made(server: Database, cluster: Cluster) -> None:
    """The connection ends between the commit and its reply: the change is there once, and nobody is told that it failed."""
    with server.write() as session:
        session.execute(_MINE)
        driver = session.connection().connection.driver_connection
        driver.execute("COMMIT")
        _end_all_connections(cluster)

    with server.read() as session:
        assert session.scalar(text("SELECT value FROM change_mark WHERE name = 'mine'")) == 1


def test_a_commit_that_never_came_to_be_is_told_as_a_failure(server: Database, cluster: Cluster) -> None:
    with pytest.raises(Unavailable):
        _change_and_lose(server, cluster)

    with server.read() as session:
        assert session.scalar(text("SELECT count(*) FROM change_mark WHERE name = 'mine'")) == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (("/test_1?", "/no_such_database?"), ConfigError, "does not exist on its server"),
        (("watchbell@", "nobody_known@"), ConfigError, "refuses the login"),
        (("watchbell-pg-", "watchbell-pg-not-there-"), Unavailable, "does not answer"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_sql(
    postgres_url: str, change: tuple[str, str], error: type[Exception], words: str
) -> None:
    url = postgres_url.replace(*change)
    assert url != postgres_url
    database = Database.open(url)
    with pytest.raises(error, match=words):
        schema.state(database)
    database.close()


def test_a_database_that_only_lets_read_is_told_as_read_only(server: Database) -> None:
    def change() -> None:
        with server.write() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(_MINE)

    with pytest.raises(Unavailable, match="read-only") as told:
        change()
    assert told.value.trouble is DatabaseTrouble.READ_ONLY
