"""Pruning and compacting from the command line, and what the page says of a run that is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell.config import Config
from watchbell.control import pidfile
from watchbell.domain.run_state import RunState
from watchbell.errors import EXIT_ALREADY_RUNNING, EXIT_CONFIG

# ruff: noqa: F811


@pytest.fixture
def old(db):
    """Put three runs of 2020 and a file of one of them into the ledger; the newest of them stays in any case."""
    task, at = add_task(db), NOW - timedelta(days=2000)
    return [add_run(db, task, RunState.SUCCEEDED, created_at=at, ended_at=at).id for _ in range(3)]


def numbers(shell) -> list[int]:
    return [run["id"] for run in shell("runs", "list", "--json").json()]


def test_a_dry_run_says_what_would_go_and_leaves_it(shell, old):
    done = shell("db", "prune", "--dry-run")

    assert "2 run(s) of 1 task(s) would be deleted" in done.out
    assert "90 days and 10,000 runs" in done.out
    assert numbers(shell) == old[::-1]


def test_pruning_deletes_what_is_too_old(shell, old):
    assert "2 run(s) of 1 task(s) were deleted" in shell("db", "prune").out

    assert numbers(shell) == old[2:]
    assert shell("db", "prune", "--json").json()["deleted"]["runs"] == 0


def test_a_setting_of_nothing_keeps_everything(shell, old, monkeypatch):
    monkeypatch.setenv("WATCHBELL_RETENTION_DAYS", "0")

    assert "0 run(s)" in shell("db", "prune").out
    assert numbers(shell) == old[::-1]


def test_a_run_that_was_deleted_is_told_from_one_that_never_was(shell, old):
    shell("db", "prune")

    assert "run 1 has been deleted" in shell("runs", "show", "1").err
    assert "there is no run 99" in shell("runs", "show", "99").err


def test_compacting_makes_the_file_smaller(shell, db, home):
    task, at = add_task(db), NOW - timedelta(days=2000)
    for _ in range(60):
        add_run(db, task, RunState.SUCCEEDED, created_at=at, ended_at=at, reason="x" * 10_000)
    shell("db", "prune")

    done = shell("db", "compact", "--json").json()

    assert done["now_bytes"] < done["before_bytes"] - 400_000
    assert len(numbers(shell)) == 1


def test_nothing_is_compacted_under_a_scheduler(shell, old, home):
    with pidfile.hold(Config.load({"home": home})):
        assert shell("db", "compact").code == EXIT_ALREADY_RUNNING


def test_where_there_is_no_data_nothing_is_made(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("WATCHBELL_HOME", str(tmp_path / "mistyped"))

    assert shell("db", "prune").code == EXIT_CONFIG
    assert shell("db", "compact").code == EXIT_CONFIG
