"""Pausing, queues, decisions and verdicts from the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.database import add_run, add_task
from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.run_rows import add_execution
from watchbell import clock, errors
from watchbell.domain.run_state import RunState

# ruff: noqa: F811


@pytest.mark.parametrize(
    ("what", "scope"),
    [
        (("--all",), "everything"),
        (("--queue", "nightly"), "queue:nightly"),
        (("backup",), "task:1"),
        (("1",), "task:1"),
    ],
)
def test_what_is_paused_is_listed_and_resumed(shell, db, what, scope):
    add_task(db, "backup")

    made = shell("pause", *what, "--reason", "the disk is changed", "--json").json()

    assert (made["scope"], made["by"], made["reason"], made["until"]) == (scope, "ann", "the disk is changed", None)
    assert [one["scope"] for one in shell("pause", "--json").json()] == [scope]
    assert "the disk is changed" in shell("pause").out
    assert shell("resume", *what, "--json").json() == {"scope": scope, "was_paused": True}
    assert shell("resume", *what).out.startswith("Not paused: ")
    assert shell("pause").out == "Nothing is paused.\n"


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2h", None),
        ("2090-01-31 09:30", datetime(2090, 1, 31, 9, 30, tzinfo=UTC)),
        ("2090-01-31T09:30+01:00", datetime(2090, 1, 31, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_pause_ends_by_itself(shell, db, until, end):
    found = datetime.fromisoformat(shell("pause", "--all", "--until", until, "--json").json()["until"])

    if end is None:
        assert timedelta(minutes=119) < found - clock.now() <= timedelta(hours=2)
    else:
        assert found == end
    assert "until 20" in shell("pause", "--all", "--until", until).out


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "--all", "backup"), ("pause", "--all", "--queue", "x"), ("pause", "--reason", "x"), ("resume",),
        ("pause", "--queue", ""), ("pause", "--all", "--until", ""), ("pause", "--all", "--until", "soon"),
        ("pause", "--all", "--until", "2020-01-01 00:00"), ("pause", "--all", "--until", f"{'9' * 30}d"),
        ("pause", "--queue", "No Way"), ("pause", "--all", "--reason", "x" * 201),
        ("queue", "set", "x"), ("queue", "set", "x", "--max-running", "0"),
        ("queue", "set", "x", "--max-running", "1", "--no-bound"), ("queue", "set", "No Way", "--no-bound"),
        ("runs", "decide", "1", "perhaps"), ("runs", "list", "--undecided", "--state", "lost"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_changes_nothing(shell, db, arguments):
    add_task(db, "backup")

    done = shell(*arguments)

    assert done.code == errors.EXIT_USAGE
    assert done.err.count("\n") == 1
    assert shell("pause", "--json").json() == []
    assert [one["name"] for one in shell("queue", "list", "--json").json()] == ["default"]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_task_that_is_not_there_cannot_be_paused(shell, command):
    assert shell(command, "nothing").code == errors.EXIT_NOT_FOUND


def test_the_page_of_a_paused_task_at_the_shell_says_so(shell, db):
    add_task(db, "backup")
    shell("pause", "backup", "--reason", "full disk")

    assert "by ann since" in shell("task", "show", "backup").out
    assert "full disk" in shell("task", "show", "backup").out


def test_a_queue_is_bounded_commented_and_freed(shell, db):
    add_run(db, add_task(db, "load", queue="database"), RunState.QUEUED, queue="database")

    assert shell("queue", "set", "database", "--max-running", "2").out == "Queue database runs 2 at a time.\n"
    assert shell("queue", "set", "database", "--comment", "slow", "--json").json()["max_running"] == 2
    (found,) = [one for one in shell("queue", "list", "--json").json() if one["name"] == "database"]
    assert (found["max_running"], found["comment"], found["queued"], found["tasks"]) == (2, "slow", 1, 1)
    assert shell("queue", "set", "database", "--no-bound", "--json").json()["comment"] == "slow"
    assert "database" in shell("queue", "list").out
    assert shell("queue", "remove", "database").code == 0
    assert shell("queue", "remove", "database").code == errors.EXIT_NOT_FOUND


def test_a_decision_is_listed_and_made_once(shell, db):
    task = add_task(db, "backup", uncertain="ask")
    number = str(add_run(db, task, RunState.LOST, decision="open", reason="nobody knows").id)
    add_run(db, task, RunState.LOST)

    assert [str(run["id"]) for run in shell("runs", "list", "--undecided", "--json").json()] == [number]
    assert "open; decide" in shell("runs", "show", number).out
    made = shell("runs", "decide", number, "run_again", "--json").json()
    assert str(made["rerun_of"]) == number
    assert shell("runs", "list", "--undecided", "--task", "backup").out == "No run fits.\n"
    assert shell("runs", "decide", number, "leave").code == errors.EXIT_CONFLICT
    assert shell("runs", "decide", "999", "leave").code == errors.EXIT_NOT_FOUND


def test_leaving_a_lost_run_says_so(shell, db):
    task = add_task(db, "backup", uncertain="ask")
    number = str(add_run(db, task, RunState.LOST, decision="open").id)

    assert shell("runs", "decide", number, "leave").out == f"Run {number} is left as it is.\n"


def test_a_verdict_is_told_and_what_was_expected_is_taken_back(shell, db):
    task = add_task(db, "nightly")
    for number in range(20):
        add_execution(db, task, 20, hours_ago=50 - number)
    slow = add_execution(db, task, 90, hours_ago=25)

    assert "slow" in shell("runs", "verdict", str(slow)).out
    assert shell("runs", "verdict", str(slow), "--json").json()["reason"].startswith("took 90 s; usually 15 to 25 s")
    assert shell("runs", "expect", str(slow), "--json").json()["expected_by"] == "ann"
    assert "by ann" in shell("runs", "verdict", str(slow)).out
    assert shell("runs", "expect", str(slow), "--undo", "--json").json()["expected_by"] is None
    refused = shell("runs", "expect", str(slow - 1))
    assert (refused.code, "was not unusual" in refused.err) == (errors.EXIT_CONFLICT, True)
