"""The family of the cron manager: every row and every error of its contract that needs no scheduler."""

from __future__ import annotations

import pytest

from tests.api_fixtures import Program
from tests.database import add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.store.session import Database


def test_the_index_tells_what_there_is(program: Program) -> None:
    found = program.get("/api/cron")

    assert found["endpoints"]["start"] == "POST /api/cron/start"


def test_a_pipeline_that_was_never_started_has_nothing_to_tell(program: Program) -> None:
    assert program.get("/api/cron/status") == {"is_running": False, "pid": None, "message": "Daemon is not running"}
    assert program.get("/api/cron/logs") == {"logs": "No logs available yet", "line_count": 0}
    assert program.get("/api/cron/logs/tail") == ""


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [("POST", "/api/cron/stop", "Daemon is not running"), ("DELETE", "/api/cron/logs", "No log file to clear")],
)
def test_what_is_so_already_is_no_error(program: Program, method: str, path: str, said: str) -> None:
    told = program.want(200, method, path)

    assert (told["success"], told["message"]) == (False, said)
    assert told["timestamp"]


@pytest.mark.parametrize("seconds", [9, 0, -60])
def test_an_interval_below_ten_seconds_makes_no_sense(program: Program, seconds: int) -> None:
    told = program.want(400, "POST", "/api/cron/start", {"interval_seconds": seconds})

    assert told["error"] is True
    assert "at least 10" in told["detail"]


def test_without_a_pipeline_a_start_says_how_to_make_one(program: Program) -> None:
    told = program.want(400, "POST", "/api/cron/start", {"interval_seconds": 60})

    assert told["error"] is True
    assert "WATCHBELL_CRON_SCRIPTS" in told["detail"]


@pytest.mark.parametrize(
    "body", [None, {"interval_seconds": 60.5}, {"interval_seconds": "soon"}, {"interval_seconds": None}, {"minutes": 1}]
)
def test_a_body_that_cannot_be_read_is_told_field_by_field(program: Program, body: object) -> None:
    told = program.want(422, "POST", "/api/cron/start", body)

    assert isinstance(told["detail"], list)
    assert "error" not in told


@pytest.mark.parametrize(("path", "status"), [("/api/cron/nothing", 404), ("/api/cron/start", 405)])
def test_an_address_that_is_not_there_is_told_barely(program: Program, path: str, status: int) -> None:
    assert set(program.get(path, status)) == {"detail", "request_id"}


def test_the_log_is_counted_in_real_lines(program: Program, db: Database) -> None:
    task = add_task(db, "pipeline")
    add_run(db, task, RunState.SUCCEEDED)
    program.get("/api/cron/logs?lines=x", 422)

    whole = program.get("/api/cron/logs")
    for lines in (0, -5):
        assert program.get(f"/api/cron/logs?lines={lines}") == whole
    assert whole["line_count"] in {0, whole["logs"].count("\n")}


def test_health_is_open_to_everybody(program: Program) -> None:
    assert program.get("/health")["status"] == "healthy"
