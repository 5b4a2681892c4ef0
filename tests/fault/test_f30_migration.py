"""F30: a full database of the first schema is migrated by processes that are killed, and by two at once: no row is lost."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import text

from tests.database import url_of
from tests.fault.scale import SEED, count, rounds
from tests.process.lives import ROOT
from watchbell import resources
from watchbell.errors import ConfigError
from watchbell.store import schema
from watchbell.store.session import Database

pytestmark = pytest.mark.fault

RUNS = count("OLD_RUNS", 3000, 100_000)
SECONDS = 60
#: Kills itself after a number of statements, if there are so many; says how many there were.
MIGRATE = """
import os, signal, sys
from sqlalchemy import event
from watchbell.store import schema
from watchbell.store.session import Database

db, left = Database.open(sys.argv[1]), int(sys.argv[2])
done = 0

def count(connection, cursor, statement, parameters, context, executemany):
    global done
    done += 1
    if done == left:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(db.engine, "after_cursor_execute", count)
event.listen(db.engine, "commit", lambda connection: count(None, None, "COMMIT", None, None, None))
print("ready", flush=True)
sys.stdin.readline()
schema.upgrade(db)
print(done, flush=True)
"""


def migrate_to(database: Database, revision: str) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(resources.migrations()))
    with database.engine.execution_options(watchbell_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(file: Path) -> None:
    """Put a task and many runs with their attempts, outputs and events into the first schema."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS}) "
    at = "'2026-01-01 00:00:00.000000'"
    with closing(sqlite3.connect(file)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(task)") if row[3] and not row[4]]
        given = {"name": "'old'", "command": "'true'", "schedule": "'{\"kind\": \"manual\"}'", "policies": "'{}'",
                 "zone": "'UTC'", "id": "1", "environment": "'{}'", "tags": "'[]'"}  # fmt: skip
        values = [given.get(name, at if name.endswith("_at") else "1" if name in {"version", "change"} else "''")
                  for name in columns]  # fmt: skip
        connection.execute(f"INSERT INTO task ({','.join(columns)}) VALUES ({','.join(values)})")
        connection.execute(
            "INSERT INTO run (id, task_id, task_name, task_version, occurrence_key, trigger, due_at, local_time, zone, state,"
            " fence, reason, stands_for, requested_by, may_overlap, attempts, created_at, ended_at, exit_code) "
            + numbers
            + f"SELECT i, 1, 'old', 1, 'test:' || i, 'schedule', {at}, '', 'UTC', 'failed', 1, 'reason ' || i, 1, '', 0, 1,"
            f" {at}, {at}, i % 120 FROM n"
        )
        connection.execute(
            "INSERT INTO attempt (id, run_id, number, fence, holder, folder, reason) "
            + numbers
            + "SELECT i, i, 1, 1, 'me', '', 'exit code' FROM n"
        )
        connection.execute(
            "INSERT INTO output (attempt_id, stream, size, head_size, dropped, content) "
            + numbers
            + "SELECT i, 'stdout', 8, 8, 0, CAST('run ' || i AS BLOB) FROM n WHERE i % 3 = 0"
        )
        connection.execute(
            "INSERT INTO run_event (run_id, to_state, path, at, actor, fence, reason) "
            + numbers
            + f"SELECT i, 'failed', 'queued,claimed,starting,running', {at}, 'me', 1, '' FROM n"
        )


def checksum(file: Path, columns: dict[str, list[str]]) -> dict[str, str]:
    """Return the number of rows and a hash of what stands in the columns that there were at first, by table."""
    found = {}
    with closing(sqlite3.connect(file)) as connection:
        for table, names in columns.items():
            # Quoted, since a word of SQL's own may be a column's name.
            quoted = ",".join(f'"{name}"' for name in names)
            rows = connection.execute(f"SELECT {quoted} FROM {table} ORDER BY rowid").fetchall()
            found[table] = f"{len(rows)} {hashlib.sha256(repr(rows).encode()).hexdigest()}"
    return found


@pytest.fixture
def old(tmp_path):
    """Return a full database of the first schema."""
    file = tmp_path / "watchbell.db"
    database = Database.open(url_of(file))
    migrate_to(database, "0001")
    database.close()
    fill(file)
    return file


def columns_of(file: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(file)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [table for table in tables if table not in {"alembic_version", "sqlite_sequence", "sqlite_stat1"}]
        return {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in kept}


def start(file: Path, statements: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATE, url_of(file), str(statements)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


def version(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_a_migration_that_is_killed_anywhere_loses_no_row(old, claims):
    chance = random.Random(SEED)
    columns = columns_of(old)
    before = checksum(old, columns)
    wrong, kills = [], 0
    whole = old.with_name("whole.db")
    shutil.copy(old, whole)
    statements = int(start(whole, 0).communicate("go\n", timeout=SECONDS)[0])

    for _ in rounds("MIGRATION_KILLS", 4, 200):
        process = start(old, chance.randint(1, statements))
        _told, said = process.communicate("go\n", timeout=SECONDS)
        killed = process.returncode == -signal.SIGKILL
        kills += killed
        if not killed and process.returncode:
            wrong.append(said)
        if checksum(old, columns) != before:
            wrong.append("rows changed")
        if not killed:
            break
    database = Database.open(url_of(old))
    schema.upgrade(database)
    wrong += [] if checksum(old, columns) == before else ["rows changed in the end"]
    wrong += schema.check_integrity(database)
    assert schema.state(database).is_current
    database.close()

    claims.figure("F30", "kills in the middle of a migration", f"{kills}")
    rows = sum(int(told.split()[0]) for told in before.values())
    claims.none_of("F30", "rows of the first schema lost or changed by a migration", rows, wrong)
    assert kills, "it was never killed"


def test_two_that_migrate_a_full_database_at_once_both_succeed(old, claims):
    columns = columns_of(old)
    before = checksum(old, columns)
    pair = [start(old, 0), start(old, 0)]
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=SECONDS) for process in pair]

    wrong = [said for process, (_told, said) in zip(pair, ends, strict=True) if process.returncode]
    wrong += [] if checksum(old, columns) == before else ["rows changed"]
    claims.none_of("F30", "of two that migrate at once: failures, or rows changed", len(pair), wrong)


def test_an_older_program_refuses_the_schema_of_a_newer_one(old, claims):
    database = Database.open(url_of(old))
    schema.upgrade(database)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = checksum(old, columns_of(old))

    with pytest.raises(ConfigError, match="made by a newer Watchbell"):
        schema.upgrade(database)
    database.close()

    changed = [] if (checksum(old, columns_of(old)), version(old)) == (before, "9999") else ["it was changed"]
    claims.none_of("F30", "newer schemas touched by an older program", 1, changed)
