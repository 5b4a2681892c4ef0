"""The family of the gateway: every row and every error of its contract."""

from __future__ import annotations

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_run, add_task
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import runs, tasks
from watchbell.store.session import Database

JOB = {"name": "daily_backup", "cron": "0 2 * * *", "command": "python3 backup.py"}


def test_a_job_is_made_with_the_gateways_defaults(program: Program) -> None:
    job = program.want(201, "POST", "/api/jobs", {**JOB, "tags": "backup, daily", "working_dir": "/tmp"})

    assert job.items() >= {**JOB, "tags": "backup,daily", "working_dir": "/tmp", "enabled": True}.items()
    assert (job["timeout_seconds"], job["is_running"]) == (300, False)
    assert program.get("/api/jobs/daily_backup") == job


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"name": ""}, 422, ["body", "name"]),
        ({"name": "x" * 101}, 422, ["body", "name"]),
        ({"name": None}, 422, ["body", "name"]),
        ({"name": "42"}, 422, ["body", "name"]),
        ({"command": ""}, 422, ["body", "command"]),
        ({"command": 5}, 422, ["body", "command"]),
        ({"command": "a\0b"}, 422, ["body", "command"]),
        ({"timeout_seconds": 0}, 422, ["body", "timeout_seconds"]),
        ({"timeout_seconds": 86401}, 422, ["body", "timeout_seconds"]),
        ({"timeout_seconds": True}, 422, ["body", "timeout_seconds"]),
        ({"timeout_seconds": "60"}, 422, ["body", "timeout_seconds"]),
        ({"enabled": "yes"}, 422, ["body", "enabled"]),
        ({"working_dir": "C:\\Scripts"}, 422, ["body", "working_dir"]),
        ({"working_dir": "/does/not/exist"}, 422, ["body", "working_dir"]),
        ({"run_as": "root"}, 422, ["body", "run_as"]),
        ({"cron": "61 * * * *"}, 400, None),
        ({"cron": "* * *"}, 400, None),
        ({"cron": "0 0 30 2 *"}, 400, None),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_the_place(
    program: Program, change: dict[str, object], status: int, where: list[str] | None
) -> None:
    detail = program.want(status, "POST", "/api/jobs", {**JOB, **change})["detail"]

    assert isinstance(detail, str) if where is None else detail[0]["loc"] == where
    assert program.get("/api/jobs") == []


def test_every_missing_field_is_told_at_once(program: Program) -> None:
    detail = program.want(422, "POST", "/api/jobs", {})["detail"]

    assert {tuple(problem["loc"]) for problem in detail} == {("body", "name"), ("body", "cron"), ("body", "command")}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("{", "application/json"),
        ("[]", "application/json"),
        ("[" * 100_000, "application/json"),
        ('{"name": NaN}', "application/json"),
        (b"\xff", "application/json"),
        ('{"name": "a"}', "text/plain"),
        ("name=a", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(program: Program, data: str | bytes, kind: str) -> None:
    answer = program.call("POST", "/api/jobs", data=data, content_type=kind)

    assert answer.status_code == 422, answer.text


def test_a_name_that_is_taken_is_told_before_the_schedule_is_looked_at(program: Program) -> None:
    program.want(201, "POST", "/api/jobs", JOB)

    told = program.want(409, "POST", "/api/jobs", {**JOB, "cron": "never"})

    assert told["detail"] == "Job 'daily_backup' already exists."


def test_a_change_leaves_what_it_does_not_name_and_null_takes_away(program: Program) -> None:
    program.want(201, "POST", "/api/jobs", {**JOB, "tags": "a", "working_dir": "/tmp"})

    changed = program.want(200, "PUT", "/api/jobs/daily_backup", {"cron": "@daily", "tags": None, "working_dir": None})
    same = program.want(200, "PUT", "/api/jobs/daily_backup", {})

    assert (changed["cron"], changed["tags"], changed["working_dir"]) == ("@daily", None, None)
    assert same == changed
    program.want(422, "PUT", "/api/jobs/daily_backup", {"name": "other"})


def test_a_change_of_another_version_than_was_seen_is_refused(program: Program) -> None:
    seen = program.call("POST", "/api/jobs", JOB).headers["ETag"]
    program.want(200, "PUT", "/api/jobs/daily_backup", {"command": "true"}, headers={"If-Match": seen})

    program.want(412, "PUT", "/api/jobs/daily_backup", {"command": "false"}, headers={"If-Match": seen})
    program.want(200, "PUT", "/api/jobs/daily_backup", {"command": "false"}, headers={"If-Match": "*"})
    program.want(422, "PUT", "/api/jobs/daily_backup", {"command": "x"}, headers={"If-Match": "yesterday"})


def test_a_job_that_somebody_has_changed_meanwhile_is_not_deleted(program: Program) -> None:
    seen = program.call("POST", "/api/jobs", JOB).headers["ETag"]
    program.want(200, "PUT", "/api/jobs/daily_backup", {"command": "true"}, headers={"If-Match": seen})

    program.want(412, "DELETE", "/api/jobs/daily_backup", headers={"If-Match": seen})
    program.want(422, "DELETE", "/api/jobs/daily_backup", headers={"If-Match": "yesterday"})

    newest = program.call("GET", "/api/jobs/daily_backup").headers["ETag"]
    program.want(204, "DELETE", "/api/jobs/daily_backup", headers={"If-Match": newest})


def test_a_job_is_enabled_disabled_and_triggered(program: Program, db: Database) -> None:
    program.want(201, "POST", "/api/jobs", {**JOB, "enabled": False})
    program.want(400, "POST", "/api/jobs/daily_backup/trigger")
    for _ in range(2):
        assert program.want(200, "POST", "/api/jobs/daily_backup/enable")["enabled"] is True

    told = program.want(200, "POST", "/api/jobs/daily_backup/trigger")

    assert told["message"] == "Job 'daily_backup' triggered for immediate execution"
    assert runs.get(db, told["run_id"]).state == "queued"
    assert program.want(200, "POST", "/api/jobs/daily_backup/disable")["enabled"] is False


def test_a_deleted_job_is_gone(program: Program) -> None:
    program.want(201, "POST", "/api/jobs", JOB)

    assert program.want(204, "DELETE", "/api/jobs/daily_backup") == ""

    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/trigger"),
    ):
        told = program.want(404, method, f"/api/jobs/daily_backup{path}", {} if method == "PUT" else None)
        assert told["detail"] == "Job 'daily_backup' not found."


def test_the_service_tells_of_itself(program: Program, db: Database) -> None:
    add_task(db, "a")
    add_task(db, "b", enabled=False)

    status = program.get("/api/status")

    assert (status["total_jobs"], status["enabled_jobs"], status["running_jobs"]) == (2, 1, 0)
    assert set(program.get("/api/config")) == {
        *("db_path", "log_dir", "log_level", "check_interval", "gateway_host", "gateway_port")
    }
    assert program.get("/api/health")["status"] == "healthy"


def test_today_is_counted(program: Program, db: Database) -> None:
    task = add_task(db, "a")
    for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.RUNNING, RunState.SKIPPED):
        add_run(db, task, state, due_at=clock.now())

    assert program.get("/api/runs/stats/today") == {
        "total_runs_today": 4,
        "successful_runs_today": 1,
        "failed_runs_today": 1,
        "timeout_runs_today": 1,
        "running_count": 1,
    }


def test_jobs_are_listed_by_name_with_all_their_fields(program: Program, db: Database) -> None:
    add_task(db, "zeta", kind="cron", cron="0 2 * * *", tags="backup,daily")
    add_task(db, "alpha", enabled=False)

    jobs = program.get("/api/jobs")

    assert [job["name"] for job in jobs] == ["alpha", "zeta"]
    assert (jobs[1]["cron"], jobs[1]["tags"], jobs[1]["enabled"]) == ("0 2 * * *", "backup,daily", True)
    assert jobs[0]["cron"] is None


def test_disabled_jobs_can_be_left_out(program: Program, db: Database) -> None:
    add_task(db, "alpha", enabled=False)

    assert program.get("/api/jobs?include_disabled=false") == []


@pytest.mark.parametrize(("tag", "found"), [("backup", 1), ("ack", 0), ("Backup", 0), ("day", 1), ('q"', 1), ('"', 0)])
def test_a_tag_is_matched_as_a_whole(program: Program, db: Database, tag: str, found: int) -> None:
    add_task(db, "zeta", tags=["backup", "day", 'q"'])

    assert len(program.get("/api/jobs", query_string={"tag": tag})) == found


def test_a_run_is_told_with_what_is_asked_for_in_the_contract(program: Program, db: Database) -> None:
    task = add_task(db, "zeta")
    run = add_run(db, task, RunState.TIMED_OUT)

    (listed,) = program.get("/api/runs")

    assert (listed["id"], listed["status"], listed["timed_out"]) == (run.id, "timeout", True)


def test_failed_only_means_failed_timed_out_or_lost(program: Program, db: Database) -> None:
    task = add_task(db, "zeta")
    for state in (RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.LOST):
        add_run(db, task, state)

    found = program.get("/api/runs?failed_only=true")

    assert {run["status"] for run in found} == {"failed", "timeout", "lost"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/jobs/none", 404),
        ("/api/runs/999", 404),
        ("/api/runs/x", 422),
        ("/api/runs/-1", 422),
        ("/api/runs/99999999999999999999", 422),
        ("/api/runs?limit=0", 422),
        ("/api/runs?limit=1001", 422),
        ("/api/runs?limit=1e3", 422),
        ("/api/runs?failed_only=perhaps", 422),
        ("/api/runs/job/none", 404),
        ("/api/nothing", 404),
    ],
)
def test_what_cannot_be_read_is_told_in_the_shape_of_the_family(program: Program, path: str, status: int) -> None:
    told = program.get(path, status)

    assert set(told) == {"detail", "request_id"}


def test_runs_of_a_deleted_job_are_still_listed_by_its_name(program: Program, db: Database) -> None:

    task = add_task(db, "gone")
    run = add_run(db, task, RunState.SUCCEEDED)
    tasks.delete(db, task.id, now=NOW, actor="ann")

    assert [row["id"] for row in program.get("/api/runs?job_name=gone")] == [run.id]
    program.get("/api/runs/job/gone", 404)


def test_a_list_that_has_not_changed_is_not_sent_again(program: Program, db: Database) -> None:
    add_task(db, "zeta")
    mark = program.call("GET", "/api/jobs").headers["ETag"]

    assert program.call("GET", "/api/jobs", headers={"If-None-Match": mark}).status_code == 304
    add_task(db, "alpha")
    assert program.call("GET", "/api/jobs", headers={"If-None-Match": mark}).status_code == 200


def test_a_command_does_not_silently_take_the_place_of_steps(program: Program, db: Database) -> None:
    steps = [{"name": "one", "command": "true"}, {"name": "two", "command": "true"}]
    add_task(db, "pipeline", command="", steps=steps)

    told = program.want(409, "PUT", "/api/jobs/pipeline", {"command": "echo"})

    assert "2 steps" in told["detail"]
    assert program.want(200, "PUT", "/api/jobs/pipeline", {"tags": "kept"})["tags"] == "kept"
    assert len(tasks.find_by_name(db, "pipeline").steps) == 2


def test_a_run_that_is_not_there_is_told_as_the_gateway_does(program: Program) -> None:
    assert program.get("/api/runs/999", 404)["detail"] == "Run 999 not found."
