"""The quick look at the database tells the same as the long way, or nothing at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from alembic.script import ScriptDirectory

from tests.database import add_run, add_task, database_file, db, migrated_file, url_of  # noqa: F401 - fixtures.
from watchbell.cli.tasks import COLUMNS
from watchbell.domain.run_state import RunState
from watchbell.services import tasks
from watchbell.store import glance, schema

# ruff: noqa: F811


def test_this_versions_schema_is_known_without_the_library_that_makes_it():
    assert glance.newest_revision() == ScriptDirectory.from_config(schema._alembic()).get_current_head()


def test_a_look_tells_of_tasks_what_the_long_way_tells(db, database_file, tmp_path):
    add_task(db, "b", cron="30 2 * * *", tags=["x"], environment={"A": "1"}, directory=str(tmp_path), enabled=False)
    task = add_task(db, "a", every="5m", comment="two\nlines", retries=3)
    add_run(db, task, RunState.FAILED)
    newest = add_run(db, task, RunState.SUCCEEDED, exit_code=0)

    rows, runs = glance.list_tasks(url_of(database_file))
    page = tasks.list_page(db)

    assert [[getattr(row, name) for name in COLUMNS] for row in rows] == [
        [getattr(row, name) for name in COLUMNS] for row in page.tasks
    ]
    assert list(runs) == [task.id]
    assert (runs[task.id].id, runs[task.id].state, runs[task.id].due_at) == (newest.id, "succeeded", newest.due_at)


def test_a_look_leaves_deleted_tasks_out(db, database_file):
    gone = add_task(db, "gone")
    tasks.delete(db, gone.id, now=gone.created_at, actor="ann")

    assert glance.list_tasks(url_of(database_file)) == ([], {})
    assert glance.list_names(url_of(database_file), "") == []


def test_names_are_found_by_their_beginning(db, database_file):
    for name in ("backup", "Backup-2", "report", "100%_", "größe"):
        add_task(db, name)
    url = url_of(database_file)

    assert glance.list_names(url, "back") == ["Backup-2", "backup"]
    assert glance.list_names(url, "100%") == ["100%_"]
    assert glance.list_names(url, "%") == []
    assert len(glance.list_names(url, "")) == 5


@pytest.mark.parametrize(
    "statement", ["UPDATE alembic_version SET version_num = '9999'", "DELETE FROM alembic_version", "DROP TABLE task"]
)
def test_another_schema_is_not_looked_at(database_file, statement):
    with closing(sqlite3.connect(database_file)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
        connection.commit()

    assert glance.list_tasks(url_of(database_file)) is None
    assert glance.list_names(url_of(database_file), "") == ()


def test_what_is_no_database_of_ours_is_not_looked_at(tmp_path):
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"no database " * 100)

    for url in (url_of(garbage), url_of(tmp_path / "missing.db"), "postgresql://db.example/x", "nonsense"):
        assert glance.list_tasks(url) is None
    assert not (tmp_path / "missing.db").exists()


def test_a_look_waits_for_nobody(db, database_file):
    add_task(db, "a")
    with closing(sqlite3.connect(database_file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        found = glance.list_tasks(url_of(database_file))

    assert [row.name for row in found[0]] == ["a"]
