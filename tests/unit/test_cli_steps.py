"""Tasks of steps from the command line."""

from __future__ import annotations

import json

import pytest

from tests.database import NOW, add_run, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell.domain.run_state import RunState
from watchbell.store import ledger
from watchbell.store import steps as step_store

# ruff: noqa: F811

TOLD = [
    {"name": "fetch", "command": "./fetch.sh", "timeout_seconds": 600, "continue_on_failure": True},
    {"name": "load", "command": "./load.sh", "timeout_seconds": None, "continue_on_failure": False},
]


def test_steps_are_said_one_after_the_other(shell):
    done = shell(
        "task", "add", "x", "--manual", "--step", "fetch=A=1 ./fetch.sh", "--step", "=true", "--step", "date",
        "--step-limit", "10m", "--go-on", "--json",
    )  # fmt: skip

    made = done.json()
    assert made["command"] == ""
    assert [(step["name"], step["command"]) for step in made["steps"]] == [
        ("fetch", "A=1 ./fetch.sh"),
        ("step 2", "true"),
        ("step 3", "date"),
    ]
    assert {(step["timeout_seconds"], step["continue_on_failure"]) for step in made["steps"]} == {(600, True)}


def test_steps_come_from_a_file_or_from_standard_input(shell, typed, tmp_path):
    (tmp_path / "steps.json").write_text(json.dumps(TOLD))
    typed(json.dumps(TOLD))

    assert (
        shell("task", "add", "a", "--manual", "--steps", str(tmp_path / "steps.json"), "--json").json()["steps"] == TOLD
    )
    assert shell("task", "add", "b", "--manual", "--steps", "-", "--json").json()["steps"] == TOLD


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--step", "a="), "--step: step 1: its command must not be empty"),
        (("--step", "a=b", "--command", "c"), "--step: a task has either a command or steps, not both"),
        (("--step", "a=b", "--step", "a=c"), "--step: two steps are called 'a'"),
        (("--step", "a=b", "--step-limit", "soon"), "--step: step 1: its time limit must be a whole number of seconds"),
        (("--go-on", "--command", "c"), "--step: --step-limit and --go-on go with --step"),
        (("--steps", "/no/such/file"), "--step: '/no/such/file' cannot be read: No such file or directory"),
        (("--steps", "/etc/hostname"), "--step: '/etc/hostname' holds no JSON"),
        (("--steps", "/etc/hostname", "--step", "a=b"), "--step: say all of them in the file, or all by --step"),
    ],
)
def test_wrong_steps_are_refused_in_one_line(shell, options, said):
    done = shell("task", "add", "x", "--manual", *options)

    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_an_edit_replaces_the_steps_or_goes_back_to_a_command(shell):
    shell("task", "add", "x", "--manual", "--command", "true")

    assert len(shell("task", "edit", "x", "--step", "a=1", "--step", "b=2", "--json").json()["steps"]) == 2
    assert shell("task", "edit", "x", "--comment", "c", "--json").json()["command"] == ""
    back = shell("task", "edit", "x", "--command", "date", "--json").json()
    assert (back["command"], back["steps"]) == ("date", [])


def test_a_task_shows_its_steps(shell):
    shell("task", "add", "x", "--manual", "--step", "fetch=a\nb", "--step-limit", "5m", "--go-on")

    assert "Step 1    fetch: a ⏎ b (at most 300 s, goes on after a failure)" in shell("task", "show", "x").out


def test_a_task_is_found_by_the_words_of_its_steps(shell):
    shell("task", "add", "x", "--manual", "--step", "fetch=./needle.sh")

    assert "x" in shell("task", "list", "--search", "needle").out


def test_a_run_shows_what_became_of_its_steps(shell, db):
    task = add_task(db, command="", steps=TOLD)
    run = add_run(db, task, RunState.FAILED, attempts=1)
    with db.write() as session:
        attempt = {"run_id": run.id, "number": 1, "fence": 1, "holder": "h", "folder": "", "reason": ""}
        (attempt_id,) = ledger.add_attempts(session, [attempt]).values()
        row = {"attempt_id": attempt_id, "stdout_from": 0, "stdout_to": 5, "stderr_from": 0, "stderr_to": None}
        fetched = {
            "number": 1,
            "name": "fetch",
            "state": "timed_out",
            "started_at": NOW,
            "ended_at": NOW,
            "exit_code": 124,
        }
        never = {
            "number": 2,
            "name": "load",
            "state": "not_run",
            "started_at": None,
            "ended_at": None,
            "exit_code": None,
        }
        step_store.add_steps(session, [{**row, **fetched}, {**row, **never}])

    shown = shell("runs", "show", str(run.id))
    told = shell("runs", "show", str(run.id), "--json").json()["attempt_list"][0]["steps"]

    assert [" ".join(line.split()) for line in shown.out.splitlines() if "fetch" in line or "load" in line] == [
        "1 fetch timed out 2026-11-22 12:00:00 0.0s 124",
        "2 load not run - - -",
    ]
    assert [(step["name"], step["state"], step["stdout_to"]) for step in told] == [
        ("fetch", "timed_out", 5),
        ("load", "not_run", 5),
    ]
