"""The room that is given up when there is none, and the log beside the database."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from tests.database import add_task
from watchbell.logs import BoundedFileHandler
from watchbell.store import reserve, session
from watchbell.store.reserve import Reserve
from watchbell.store.session import Database


def test_a_reserve_takes_room_and_gives_it_back(database_file: Path) -> None:
    kept = Reserve(database_file)
    file = database_file.with_name("watchbell.db.reserve")

    assert kept.make()
    assert kept.make()
    assert file.stat().st_blocks * 512 >= reserve.SIZE
    assert kept.give_up()
    assert not kept.give_up()
    assert not file.exists()


def test_no_reserve_is_made_where_it_would_be_needed_again_at_once(
    database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "_SLACK", 1 << 60)

    assert not Reserve(database_file).make()
    assert not database_file.with_name("watchbell.db.reserve").exists()


def test_a_server_needs_no_reserve() -> None:
    kept = Reserve(None)

    assert kept.make()
    assert not kept.give_up()
    assert not kept.is_tight()


def test_a_long_log_is_worked_off_once_its_readers_are_gone(
    db: Database, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WAL_KEPT_BYTES", 100_000)
    reader = sqlite3.connect(database_file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM task").fetchone()
    for number in range(30):
        add_task(db, f"task-{number}", comment="x" * 2000)
    size = db.log_bytes()
    assert size > 100_000

    # Waits for nobody.
    db.work_off_log()
    reader.execute("ROLLBACK")
    reader.close()
    db.work_off_log()
    for number in range(3):
        add_task(db, f"more-{number}")

    # It is written from its beginning again instead of growing.
    assert db.log_bytes() <= size


def test_a_log_that_cannot_be_opened_costs_its_lines_and_nothing_else(tmp_path: Path) -> None:
    handler = BoundedFileHandler(tmp_path / "nowhere" / "scheduler.log")
    record = logging.LogRecord("watchbell", logging.INFO, "", 0, "words", (), None)

    handler.handle(record)

    (tmp_path / "nowhere").mkdir()
    handler.handle(record)
    handler.close()
    assert (tmp_path / "nowhere" / "scheduler.log").read_text() == "words\n"
