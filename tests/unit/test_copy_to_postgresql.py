"""``watchbell db copy``: an embedded database is taken to PostgreSQL whole, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.database import NOW, add_alert, add_run, add_task
from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell.config import Config
from watchbell.control import pidfile
from watchbell.domain.run_state import RunState
from watchbell.errors import EXIT_ALREADY_RUNNING, EXIT_CONFIG, EXIT_CONFLICT, EXIT_UNAVAILABLE
from watchbell.services import audit
from watchbell.store.runs import Run
from watchbell.store.session import Database

# ruff: noqa: F811


@pytest.fixture
def empty_url(cluster):
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def filled(db):
    """Put rows of many kinds into the embedded database, and take the newest of some away again."""
    task = add_task(db, "Größe\U0001f600", environment={"A": "\\N \\. x"})
    for state in RunState:
        add_run(db, task, state, reason=f"because of {state}\r\n\\.")
    add_alert(db, add_run(db, task, RunState.FAILED, due_at=datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)))
    gone = add_run(db, task, RunState.SUCCEEDED)
    with db.write() as session:
        session.execute(text("DELETE FROM run WHERE id = :id"), {"id": gone.id})
        session.execute(
            text(
                "INSERT INTO attempt (id, run_id, number, fence, holder, folder, reason, max_rss_kib, user_seconds) "
                "VALUES (7, 1, 1, 1, '', '', :reason, 9000000000000, 0.1)"
            ),
            {"reason": "NUL\0"},
        )
        session.execute(
            text(
                "INSERT INTO output (attempt_id, stream, size, head_size, dropped, content) "
                "VALUES (7, 'stdout', 5, 5, 5000000000, :content)"
            ),
            {"content": bytes(range(256))},
        )
    return gone.id


def test_all_rows_arrive_with_their_values_and_their_numbers_go_on(shell, db, filled, empty_url):
    done = shell("db", "copy", "--to", empty_url)

    assert done.code == 0, done.err
    assert "both databases have the same rows and checksums" in done.out
    assert "1 text(s) held a null character" in done.out
    assert f"run: {len(RunState) + 1:,} of {len(RunState) + 1:,}" in done.err
    there = Database.open(empty_url)
    for column in ("reason", "due_at", "state"):
        statement = text(f"SELECT {column} FROM run ORDER BY id")
        with db.read() as old, there.read() as new:
            assert [str(v)[:19] for v in new.scalars(statement)] == [str(v)[:19] for v in old.scalars(statement)]
    with there.read() as session:
        row = session.execute(
            text("SELECT content, dropped, max_rss_kib, a.reason FROM output JOIN attempt a ON a.id = 7")
        )
        assert row.one() == (bytes(range(256)), 5_000_000_000, 9_000_000_000_000, "NUL\ufffd")
    assert audit.verify(there) == audit.verify(db)
    task = add_task(there, "another", now=NOW)
    assert add_run(there, task).id > filled
    there.close()


def test_a_database_with_anything_in_it_is_refused_and_left_as_it_is(shell, db, filled, empty_url):
    shell("db", "copy", "--to", empty_url)
    again = shell("db", "copy", "--to", empty_url)

    assert again.code == EXIT_CONFLICT
    assert "has rows already" in again.err
    there = Database.open(empty_url)
    with there.read() as session:
        assert session.query(Run).count() == len(RunState) + 1
    there.close()


#: Ends the connection in the middle of a copy.
_CUT = (
    "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END$$"
)


def test_a_copy_that_fails_leaves_nothing_and_can_be_made_again(shell, db, filled, empty_url):
    shell("--database-url", empty_url, "db", "upgrade")
    there = Database.open(empty_url)
    with there.write() as session:
        session.execute(text("ALTER TABLE run ADD CONSTRAINT never CHECK (id < 3)"))
    failed = shell("db", "copy", "--to", empty_url)
    assert (failed.code, "refuses what is in run" in failed.err) == (EXIT_CONFLICT, True)
    with there.write() as session:
        assert session.query(Run).count() == 0
        session.execute(text("ALTER TABLE run DROP CONSTRAINT never"))
        session.execute(text(_CUT))
        session.execute(text("CREATE TRIGGER cut BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION cut()"))
    cut = shell("db", "copy", "--to", empty_url)
    assert (cut.code, "run the same command again" in cut.err) == (EXIT_UNAVAILABLE, True)
    with there.write() as session:
        assert session.query(Run).count() == 0
        session.execute(text("DROP FUNCTION cut CASCADE"))
    there.close()

    assert shell("db", "copy", "--to", empty_url, "--json").json()["rows"] > len(RunState)


def test_a_running_scheduler_and_another_kind_of_target_are_refused(shell, db, home, tmp_path):
    elsewhere = shell("db", "copy", "--to", f"sqlite:///{tmp_path}/other.db")
    assert (elsewhere.code, "only into one of PostgreSQL" in elsewhere.err) == (EXIT_CONFIG, True)

    with pidfile.hold(Config.load({"home": home})):
        assert shell("db", "copy", "--to", "postgresql://nobody@/x").code == EXIT_ALREADY_RUNNING


def test_the_doctor_looks_at_the_database_of_a_server_too(shell, home, empty_url):
    def found(url):
        return {finding["code"] for finding in shell("--database-url", url, "doctor", "--json").json()}

    assert "database-silent" in found(empty_url.replace("watchbell@", "nobody_known@"))
    assert "database-older" in found(empty_url)
    shell("--database-url", empty_url, "db", "upgrade")
    assert found(empty_url).isdisjoint({"database-older", "database-silent"})
