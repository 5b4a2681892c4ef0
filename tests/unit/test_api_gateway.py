"""The family of the gateway: every row and every error of its contract."""

from __future__ import annotations

import pytest

from tests.api_fixtures import Program
from tests.database import add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.store.session import Database


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
    from tests.database import NOW
    from watchbell.services import tasks

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
