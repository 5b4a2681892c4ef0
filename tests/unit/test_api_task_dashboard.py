"""The family of the task scheduler dashboard: every row and every error of its contract."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_run, add_task
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import tasks, triggers
from watchbell.store.session import Database

REPORT = {"ScriptName": "report.py", "ScriptFolder": "/tmp", "Every": "day", "AtTime": "09:30"}


def make(program: Program, **columns: object) -> int:
    made = program.want(200, "POST", "/api/task", {**REPORT, **columns})
    assert made["success"] is True
    return int(made["id"])


def test_a_task_is_made_and_read_back_in_the_columns_of_the_dashboard(program: Program) -> None:
    number = make(program, RunBy="Bob", RunHost="tower", Comment="why", Ressource="gpu", Enable=False)

    row = program.get(f"/api/task/{number}")

    assert row.items() >= {**REPORT, "RunBy": "Bob", "RunHost": "tower", "Comment": "why", "Ressource": "gpu"}.items()
    assert (row["Enable"], row["ToRunAsap"], row["InsertedHost"]) == (False, False, "tower")


def test_a_script_is_run_in_its_folder_by_the_interpreter_that_is_set(program: Program, db: Database) -> None:
    number = make(program)

    task = tasks.get(db, number)
    assert task.command.endswith(" report.py")
    assert "python" in task.command
    assert (task.name, task.directory, task.schedule_words) == ("report.py", "/tmp", task.schedule_words)


def test_two_tasks_of_one_script_have_two_names(program: Program, db: Database) -> None:
    names = [tasks.get(db, make(program)).name for _ in range(3)]

    assert names == ["report.py", "report.py-2", "report.py-3"]


def test_a_row_that_is_sent_back_as_it_was_read_changes_nothing(program: Program, db: Database) -> None:
    task = add_task(db, "other", command="echo a && echo b", kind="cron", cron="0 2 * * *")
    row = program.get(f"/api/task/{task.id}")

    program.want(200, "PUT", f"/api/task/{task.id}", {"ScriptName": row["ScriptName"], "Comment": "new"})

    after = tasks.get(db, task.id)
    assert (after.command, after.comment, after.schedule) == (task.command, "new", task.schedule)


def test_a_change_leaves_what_it_does_not_name(program: Program) -> None:
    number = make(program, Comment="why")

    program.want(200, "PUT", f"/api/task/{number}", {"AtTime": "10:00", "ID": 77, "InsertedBy": "eve"})

    row = program.get(f"/api/task/{number}")
    assert (row["AtTime"], row["Every"], row["Comment"], row["ID"]) == ("10:00", "day", "why", number)


def test_a_task_that_somebody_has_changed_meanwhile_is_not_deleted(program: Program) -> None:
    number = make(program)
    program.want(200, "PUT", f"/api/task/{number}", {"Comment": "mine"})

    program.want(412, "DELETE", f"/api/task/{number}", headers={"If-Match": '"1"'})
    program.want(400, "DELETE", f"/api/task/{number}", headers={"If-Match": "yesterday"})

    program.want(200, "DELETE", f"/api/task/{number}", headers={"If-Match": '"2"'})


def test_run_asap_asks_for_one_run_and_takes_it_back(program: Program, db: Database) -> None:
    number = make(program, ToRunAsap=True)
    assert program.get(f"/api/task/{number}")["ToRunAsap"] is True
    assert triggers.list_soon(db) == {number}

    program.want(200, "PUT", f"/api/task/{number}", {"ToRunAsap": False})

    assert program.get(f"/api/task/{number}")["ToRunAsap"] is False


def test_a_disabled_task_that_is_to_run_asap_is_refused_as_a_whole(program: Program, db: Database) -> None:
    program.want(400, "POST", "/api/task", {**REPORT, "Enable": False, "ToRunAsap": True})

    assert program.get("/api/tasks/all") == []


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"AtTime": "9:30"}, "AtTime"),
        ({"AtTime": "24:00"}, "AtTime"),
        ({"AtTime": None}, "AtTime"),
        ({"Every": "minutes", "AtTime": "0"}, "AtTime"),
        ({"Every": "Day"}, "Every"),
        ({"Every": "fortnight"}, "Every"),
        ({"ScriptName": ""}, "ScriptName"),
        ({"ScriptFolder": "nowhere"}, "ScriptFolder"),
        ({"ScriptFolder": "/does/not/exist"}, "ScriptFolder"),
        ({"Enable": "perhaps"}, "Enable"),
        ({"DROP TABLE": 1}, "DROP TABLE"),
        ({"Comment": 5}, "Comment"),
    ],
)
def test_a_wrong_column_is_named_and_nothing_is_made(program: Program, columns: dict[str, object], said: str) -> None:
    told = program.want(400, "POST", "/api/task", {**REPORT, **columns})

    assert told["error"].startswith(said), told
    assert program.get("/api/tasks/all") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/task/99", None, 404),
        ("GET", "/api/task/x", None, 400),
        ("PUT", "/api/task/99", {"Enable": True}, 404),
        ("DELETE", "/api/task/99", None, 404),
        ("POST", "/api/task", None, 400),
        ("GET", "/api/logs?limit=0", None, 400),
        ("GET", "/api/logs?limit=x", None, 400),
        ("GET", "/api/scheduler/logs?limit=-1", None, 400),
        ("POST", "/api/scheduler/stop", None, 400),
        ("GET", "/api/tasks/nothing", None, 404),
        ("POST", "/api/tasks", {}, 405),
    ],
)
def test_errors_have_the_shape_of_the_family(
    program: Program, method: str, path: str, body: object, status: int
) -> None:
    told = program.want(status, method, path, body)

    assert isinstance(told["error"], str)
    assert told["request_id"]


def test_a_change_without_a_column_of_ours_is_refused(program: Program) -> None:
    number = make(program)

    assert "no fields to update" in program.want(400, "PUT", f"/api/task/{number}", {"ID": 3})["error"]
    assert "no fields to update" in program.want(400, "PUT", f"/api/task/{number}", {})["error"]


def test_tasks_are_listed_by_user_and_host_enabled_ones_first(program: Program, db: Database) -> None:
    for name, owner, host, enabled in (
        ("b", "ann", "", True),
        ("a", "ANN", "watchtower", False),
        ("c", "ann", "elsewhere", True),
        ("d", "bob", "", True),
    ):
        add_task(db, name, owner=owner, host=host, enabled=enabled)

    # Whoever asks is the server's user, ann.
    assert [row["ScriptName"] for row in program.get("/api/tasks")] == ["true", "true"]
    assert [row["Enable"] for row in program.get("/api/tasks")] == [True, False]
    assert len(program.get("/api/tasks?host=elsewhere")) == 2
    assert len(program.get("/api/tasks?user=BOB")) == 1
    assert len(program.get("/api/tasks/all")) == 4


def test_what_is_due_comes_in_its_order(program: Program, db: Database) -> None:
    now = clock.now()
    for minutes in (50, 10):
        add_task(db, f"in-{minutes}", now=now, kind="moment", at=(now + timedelta(minutes=minutes)).isoformat())

    rows = program.get("/api/scheduled")

    assert [row["ID"] for row in rows] == [1, 2]
    assert rows[0]["NextRun"] < rows[1]["NextRun"]


def test_runs_are_log_rows_of_whoever_owns_the_task(program: Program, db: Database) -> None:
    mine, other = add_task(db, "mine"), add_task(db, "other", owner="bob")
    add_run(db, mine, RunState.SUCCEEDED)
    going = add_run(db, mine, RunState.RUNNING, started_at=NOW)
    add_run(db, other, RunState.FAILED)
    tasks.delete(db, mine.id, now=NOW, actor="ann")

    rows = program.get("/api/logs")

    assert [(row["ID"], row["Status"]) for row in rows] == [(going.id, "Run"), (going.id - 1, "succeeded")]
    assert rows[0]["SessionID"] == "From_Python_Scheduler"
    assert len(program.get("/api/logs?user=bob")) == 1
    assert len(program.get("/api/logs?limit=1")) == 1


def test_the_log_of_a_scheduler_that_never_ran_is_empty(program: Program) -> None:
    assert program.get("/api/scheduler/logs") == []
    assert program.get("/api/scheduler/status") == {"running": False, "start_time": None}
    assert program.get("/api/heartbeat") == []


def test_a_line_that_goes_on_belongs_to_the_one_before(program: Program, web_config) -> None:
    Path(web_config.log_path).write_text("[2026-11-29 09:00:00] [ERROR] first\nsecond\n")

    rows = program.get("/api/scheduler/logs")

    assert [(row["timestamp"], row["level"], row["message"]) for row in rows] == [
        ("2026-11-29 09:00:00", "ERROR", "first"),
        ("2026-11-29 09:00:00", "ERROR", "second"),
    ]


@pytest.mark.parametrize(("sent", "means"), [(1, True), (0, False), ("1", True), (True, True), (False, False)])
def test_a_column_of_a_database_is_true_or_false(program: Program, sent: object, means: bool) -> None:
    assert program.get(f"/api/task/{make(program, Enable=sent)}")["Enable"] is means


@pytest.mark.parametrize("sent", [2, -1, 1.5, "yes", None, []])
def test_another_number_is_neither(program: Program, sent: object) -> None:
    assert program.want(400, "POST", "/api/task", {**REPORT, "Enable": sent})["error"].startswith("Enable")
