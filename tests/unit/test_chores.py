"""Housekeeping between the turns of the loop: when a step is made, when it is not, and that no failure ends anything."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.database import NOW, add_run, add_task, refusing
from tests.waiting import wait_until
from watchbell.domain.run_state import RunState
from watchbell.scheduler import chores
from watchbell.scheduler.chores import Chores
from watchbell.services import runs, tasks
from watchbell.services.retention import Rules
from watchbell.store.session import Database

SOON = NOW + timedelta(milliseconds=10)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(chores, "PAUSE_SECONDS", 0.0)


def count(db: Database) -> int:
    with db.read() as session:
        return int(session.execute(text("SELECT count(*) FROM run")).scalar_one())


@pytest.fixture
def old(db: Database) -> Database:
    """Give a database with three old runs, of which one has to stay."""
    task = add_task(db)
    at = NOW - timedelta(days=100)
    for _ in range(3):
        add_run(db, task, RunState.SUCCEEDED, created_at=at, ended_at=at)
    return db


def make(db: Database, root: Path = Path("/nowhere")) -> Chores:
    return Chores(db, Rules(days=30), root, actor="scheduler@x")


def finish(work: Chores) -> None:
    """Make steps until a pass is over."""
    wait_until(lambda: work.step(NOW, busy=False, due_at=None) == math.inf, what="the end of the pass", interval=0.0)


def test_a_pass_deletes_what_is_too_old_and_the_next_one_waits_to_be_asked_for(old: Database) -> None:
    work = make(old)

    finish(work)
    assert count(old) == 1
    add_run(old, add_task(old, "later"), RunState.SUCCEEDED, created_at=NOW - timedelta(days=100))
    assert work.step(NOW, busy=False, due_at=None) == math.inf

    work.ask()
    assert work.step(NOW, busy=False, due_at=None) < math.inf


def test_no_step_is_made_when_the_loop_is_busy_or_a_task_is_about_to_be_due(old: Database) -> None:
    work = make(old)

    for _ in range(20):
        assert work.step(NOW, busy=True, due_at=None) == math.inf
        assert work.step(NOW, busy=False, due_at=SOON) == math.inf

    assert count(old) == 3


@pytest.mark.parametrize("circumstances", [{"busy": True, "due_at": None}, {"busy": False, "due_at": SOON}])
def test_what_comes_in_all_the_time_does_not_keep_the_old_for_ever(
    old: Database, monkeypatch: pytest.MonkeyPatch, circumstances: dict
) -> None:
    monkeypatch.setattr(chores, "BUSY_SECONDS", 0.001)
    work = make(old)

    def is_gone() -> bool:
        work.step(NOW, **circumstances)
        return count(old) == 1

    wait_until(is_gone, what="the old runs to go")


def test_a_database_that_does_not_answer_is_tried_again_later(
    old: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(chores, "_RETRY_SECONDS", 0.0)
    work = make(old)
    with old.write() as session:
        session.execute(text("ALTER TABLE heartbeat RENAME TO away"))
    wait_until(lambda: work.step(NOW, busy=False, due_at=None) and "Housekeeping waits" in caplog.text, interval=0.0)
    assert count(old) == 1
    with old.write() as session:
        session.execute(text("ALTER TABLE away RENAME TO heartbeat"))

    finish(work)


def test_a_failure_is_told_and_ends_no_scheduler(
    old: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = make(old)
    with refusing(old, "DELETE ON run", "never"):
        wait_until(
            lambda: work.step(NOW, busy=False, due_at=None) and "Housekeeping has failed" in caplog.text, interval=0.0
        )

    assert 0 < work.step(NOW, busy=False, due_at=None) <= 10


def test_deleting_a_task_that_was_broken_off_is_finished(db: Database) -> None:
    task = add_task(db)
    tasks.delete(db, task.id, now=NOW, actor="ann")
    left = add_run(db, task)

    finish(make(db))

    found = runs.get(db, left.id)
    assert (found.state, found.reason) == ("cancelled", "the task was deleted")


def test_files_that_no_row_names_are_found(db: Database, tmp_path: Path) -> None:
    root = tmp_path / "output"
    root.mkdir()
    (root / "99.1.out").write_bytes(b"x")
    work = Chores(db, Rules(), root, actor="scheduler@x")

    wait_until(lambda: work.step(NOW + timedelta(days=3650), busy=False, due_at=None) == math.inf, interval=0.0)

    assert list(root.iterdir()) == []
