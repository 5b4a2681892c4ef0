"""Migrating real files: full ones, damaged ones, newer ones, by a process that is killed, by two at once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from tests.database import NOW, add_run, add_task, url_of
from tests.fleet import add_device, execute, states_of
from tests.waiting import wait_until
from watchbell import resources
from watchbell.domain.run_state import RunState
from watchbell.errors import EXIT_CONFIG, ConfigError, Unavailable
from watchbell.services import accounts, devices, runs, tasks
from watchbell.store import schema
from watchbell.store.session import Database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchbell.db"


@pytest.fixture
def fresh(path: Path) -> Iterator[Database]:
    database = Database.open(url_of(path))
    yield database
    database.close()


def _tables(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    return names


def test_a_new_database_is_brought_to_this_version(fresh: Database) -> None:
    before = schema.upgrade(fresh)

    assert (before.current, before.is_newer, before.is_current) == (None, False, False)
    assert schema.state(fresh).is_current
    schema.require_current(fresh)


def test_migrating_again_does_nothing(db: Database) -> None:
    with db.read() as session:
        version = session.execute(text("PRAGMA schema_version")).scalar_one()

    assert schema.upgrade(db).is_current

    with db.read() as session:
        assert session.execute(text("PRAGMA schema_version")).scalar_one() == version


def test_a_full_database_survives_being_migrated(db: Database) -> None:
    task = add_task(db, every="1m", environment="A=1")
    run = add_run(db, task, RunState.SUCCEEDED, reason="as it was")
    account = accounts.ensure_first(db, now=run.created_at)

    schema.upgrade(db)

    assert tasks.definition_of(tasks.get(db, task.id)) == tasks.definition_of(task)
    assert (runs.get(db, run.id).state, runs.get(db, run.id).reason) == ("succeeded", "as it was")
    assert accounts.find(db, "admin").id == account.id
    assert schema.check_integrity(db) == []


def test_rows_that_refer_to_a_table_outlive_its_being_copied(db: Database) -> None:
    uuid = add_device(db, tags={"site": "north"})
    job = execute(db, uuid).execution.job_id
    config = Config()
    config.set_main_option("script_location", str(resources.migrations()))
    with db.engine.execution_options(watchbell_write=True).connect() as connection:
        config.attributes["connection"] = connection
        with schema.copying_tables(connection), connection.begin():
            command.downgrade(config, "0013")

    schema.upgrade(db)

    assert states_of(db, job) == ["queued"]
    assert devices.get(db, uuid, now=NOW).tags == {"site": "north"}
    with db.read() as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []


def test_a_program_that_needs_the_schema_says_how_to_get_it(fresh: Database) -> None:
    with pytest.raises(ConfigError, match=r"run: watchbell db upgrade$"):
        schema.require_current(fresh)


@pytest.mark.parametrize("call", [schema.upgrade, schema.require_current])
def test_a_newer_schema_is_refused_and_left_alone(db: Database, call) -> None:
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigError, match="has schema 9999, made by a newer Watchbell; this version knows") as caught:
        call(db)

    assert caught.value.exit_code == EXIT_CONFIG
    assert caught.value.message.isprintable()
    assert schema.state(db).is_newer


GARBAGE = {
    "text": b"This is not a database, but a letter to somebody. " * 100,
    "noise": random.Random(1).randbytes(20_000),
    "the header alone": b"SQLite format 3\0" + b"\xff" * 4080,
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, fresh: Database, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="damaged or not a database; restore a backup") as caught:
        schema.upgrade(fresh)

    assert caught.value.message.isprintable()
    assert path.read_bytes() == content
    assert schema.check_integrity(fresh) == ["the file is damaged or not a database; restore a backup"]


def test_a_directory_in_place_of_the_file_is_refused(path: Path, fresh: Database) -> None:
    path.mkdir()

    with pytest.raises(ConfigError, match="cannot be opened: unable to open database file"):
        schema.upgrade(fresh)


def test_a_file_of_nothing_is_a_new_database(path: Path, fresh: Database) -> None:
    path.touch()

    schema.upgrade(fresh)

    assert schema.state(fresh).is_current


def test_a_database_that_lost_its_second_half_is_found_out(database_file: Path) -> None:
    whole = Database.open(url_of(database_file))
    for n in range(30):
        add_task(whole, f"t{n}", comment="x" * 2000)
    whole.close()
    os.truncate(database_file, database_file.stat().st_size // 2)
    half = Database.open(url_of(database_file))

    problems = schema.check_integrity(half)

    assert problems
    assert all(problem.isprintable() for problem in problems)
    half.close()


def test_a_row_that_refers_to_nothing_is_found_out(db: Database, database_file: Path) -> None:
    run = add_run(db, add_task(db))
    loose = sqlite3.connect(database_file)
    loose.execute("DELETE FROM task")
    loose.commit()
    loose.close()

    assert schema.check_integrity(db) == [
        "row 1 of task_revision refers to a missing task",
        f"row {run.id} of run refers to a missing task",
    ]


def test_a_database_that_is_only_busy_is_waited_for_and_not_given_up(path: Path, fresh: Database) -> None:
    impatient = Database.open(url_of(path), busy_timeout_seconds=0.01)
    with fresh.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE other (x)")
        connection.commit()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        schema.upgrade(impatient)

    holder.execute("ROLLBACK")
    holder.close()
    schema.upgrade(impatient)
    assert schema.state(impatient).is_current
    impatient.close()


_MIGRATE = """
import sys
from watchbell.store import schema
from watchbell.store.session import Database

db = Database.open(sys.argv[1])
if len(sys.argv) > 2:
    from sqlalchemy import event

    def stop(connection, cursor, statement, parameters, context, executemany, *, left=[int(sys.argv[2])]):
        if statement.lstrip().startswith("CREATE"):
            left[0] -= 1
            if left[0] == 0:
                print("half way", flush=True)
                sys.stdin.readline()

    event.listen(db.engine, "after_cursor_execute", stop)
print("ready", flush=True)
if len(sys.argv) == 2:
    sys.stdin.readline()
schema.upgrade(db)
print("done", flush=True)
"""


def _start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _MIGRATE, url_of(path), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


@pytest.mark.parametrize("statement", [2, 8, 25])
def test_a_migration_that_is_killed_half_way_leaves_the_old_schema_and_can_be_done_again(
    path: Path, fresh: Database, statement: int
) -> None:
    process = _start(path, str(statement))
    assert process.stdout.readline() == "half way\n"

    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert _tables(path) == []
    assert schema.state(fresh).current is None
    schema.upgrade(fresh)
    assert schema.state(fresh).is_current
    assert schema.check_integrity(fresh) == []


def test_two_processes_that_migrate_at_once_both_succeed_and_make_one_schema(path: Path, fresh: Database) -> None:
    processes = [_start(path) for _ in range(2)]

    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60) for process in processes]

    assert [out for out, _err in told] == ["done\n", "done\n"], told
    assert schema.state(fresh).is_current
    with fresh.read() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_who_comes_while_another_migrates_waits_for_its_end(path: Path, fresh: Database) -> None:
    first = _start(path, "5")
    assert first.stdout.readline() == "half way\n"
    second = _start(path)
    second.stdin.write("go\n")
    second.stdin.flush()

    def has_come() -> bool:
        return any(os.path.realpath(link) == str(path) for link in Path(f"/proc/{second.pid}/fd").iterdir())

    wait_until(has_come, what="the second one to open the database")
    assert second.poll() is None
    first.stdin.write("go on\n")
    first.stdin.flush()

    assert first.communicate(timeout=60)[0] == "done\n"
    assert second.communicate(timeout=60)[0] == "done\n"
    assert schema.state(fresh).is_current
