"""The family of device jobs: every row and every error of its contract, as whoever orders jobs meets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.fleet import DOCUMENT
from watchbell.store.session import Database

UUID = "8479359e-dbeb-4858-813c-e8a9008dde04"
NOBODY = "00000000-0000-4000-8000-000000000000"
TEMPLATE = {"name": "mine", "job_document": DOCUMENT}
ORDER = {"job_name": "check", "job_document": DOCUMENT, "target_type": "device", "target_devices": [UUID]}
SCHEDULE = {"job_name": "hourly", "job_document": DOCUMENT, "target_type": "all"}
HOURLY = {**SCHEDULE, "schedule_type": "interval", "interval_minutes": 60}
STEP_OF = {
    "version": "1.0",
    "steps": [{"type": "runCommand", "input": {"command": "systemctl,restart,{{SERVICE_NAME}}"}}],
}


@pytest.fixture
def fleet(program: Program) -> Program:
    """Give a program on a server with one active device."""
    program.want(201, "POST", "/api/v1/devices", {"deviceName": "pi", "uuid": UUID})
    program.want(200, "PATCH", f"/api/v1/devices/{UUID}/active", {"is_active": True})
    return program


def order(fleet: Program, **fields: Any) -> str:
    return str(fleet.want(201, "POST", "/api/v1/jobs/execute", {**ORDER, **fields})["job"]["job_id"])


def poll(fleet: Program) -> Any:
    return fleet.get(f"/api/v1/devices/{UUID}/jobs/next")


def report(fleet: Program, job_id: str, status: str, wanted: int = 200, **fields: Any) -> Any:
    return fleet.want(wanted, "PATCH", f"/api/v1/devices/{UUID}/jobs/{job_id}/status", {"status": status, **fields})


def test_the_templates_of_the_beginning_are_there_by_category_and_name(program: Program) -> None:
    listed = program.get("/api/v1/jobs/templates")

    assert [(one["id"], one["name"], one["category"]) for one in listed["templates"]] == [
        (3, "health-check", "maintenance"),
        (1, "restart-service", "system"),
        (2, "update-config", "system"),
    ]
    assert listed["total"] == 3
    assert program.get("/api/v1/jobs/templates?category=maintenance")["total"] == 1
    assert program.get("/api/v1/jobs/templates?active=false")["total"] == 0
    restart = program.get("/api/v1/jobs/templates/1")["job_document"]
    (step,) = restart["steps"]
    assert (step["input"]["command"], step["runAsUser"]) == ("systemctl,restart,{{SERVICE_NAME}}", "root")
    assert restart["includeStdOut"] is True


def test_a_template_is_made_changed_in_part_and_deleted(program: Program) -> None:
    made = program.want(201, "POST", "/api/v1/jobs/templates", TEMPLATE)
    assert (made["category"], made["is_active"], made["created_by"]) == ("custom", True, "local")
    address = f"/api/v1/jobs/templates/{made['id']}"

    changed = program.want(200, "PUT", address, {"description": "why", "is_active": False})

    assert (changed["description"], changed["is_active"], changed["name"]) == ("why", False, "mine")
    assert program.want(200, "DELETE", address) == {"message": "Job template deleted successfully", "id": made["id"]}
    assert program.want(404, "GET", address)["error"] == "Job template not found"


def test_the_handlers_of_the_beginning_are_there_and_others_are_made(program: Program) -> None:
    assert [one["name"] for one in program.get("/api/v1/jobs/handlers")["handlers"]] == [
        "backup-directory",
        "download-file",
    ]

    made = program.want(
        201, "POST", "/api/v1/jobs/handlers", {"name": "clean", "script_content": "#!/bin/sh\nexit 0\n"}
    )

    assert (made["script_type"], made["permissions"], made["default_args"]) == ("bash", "700", [])
    assert program.get("/api/v1/jobs/handlers")["total"] == 3


def test_the_whole_way_of_a_job_from_its_template_to_the_history_of_the_device(fleet: Program) -> None:
    body = {"job_name": "My Test Job", "template_id": 3, "target_type": "device", "target_devices": [UUID]}
    made = fleet.want(201, "POST", "/api/v1/jobs/execute", {**body, "timeout_seconds": 300})
    job = made["job"]
    assert (job["status"], job["timeout_seconds"], job["timeout_minutes"], job["total_devices"]) == (
        "QUEUED",
        300,
        5,
        1,
    )
    assert (job["execution_type"], job["target_devices"], job["template_id"]) == ("oneTime", [UUID], 3)

    told = poll(fleet)
    assert (told["job_id"], told["job_name"], told["timeout_seconds"]) == (job["job_id"], "My Test Job", 300)
    assert told["created_at"] == job["queued_at"]
    assert told["job_document"]["steps"][2]["input"]["command"] == "systemctl,status,cron"
    report(fleet, job["job_id"], "IN_PROGRESS", message="Job execution started")
    details = {"message": "Job completed successfully", "timestamp": "2026-11-29T12:00:00Z"}
    row = report(fleet, job["job_id"], "SUCCEEDED", exit_code=0, stdout="ok", stderr="", status_details=details)
    assert (row["status"], row["exit_code"], row["stdout"], row["status_details"]) == ("SUCCEEDED", 0, "ok", details)

    whole = fleet.get(f"/api/v1/jobs/executions/{job['job_id']}")
    assert (whole["job"]["status"], whole["job"]["succeeded_devices"]) == ("SUCCEEDED", 1)
    assert [(one["device_name"], one["status"]) for one in whole["device_statuses"]] == [("pi", "SUCCEEDED")]
    past = fleet.get(f"/api/v1/devices/{UUID}/jobs")
    assert (past["total"], past["page"], past["pageSize"], past["totalPages"]) == (1, 1, 20, 1)
    assert past["jobs"][0]["job_name"] == "My Test Job"
    assert poll(fleet) == {"message": "No pending jobs"}
    assert fleet.get("/api/v1/devices")["devices"][0]["is_online"] is True


def test_a_job_that_a_device_holds_is_offered_again(fleet: Program) -> None:
    first, _second = order(fleet), order(fleet)

    assert [poll(fleet)["job_id"], poll(fleet)["job_id"]] == [first, first]


def test_variables_are_filled_in_and_one_that_is_missing_is_told(fleet: Program) -> None:
    told = fleet.want(400, "POST", "/api/v1/jobs/execute", {**ORDER, "job_document": STEP_OF})
    assert told["error"].startswith("variables.SERVICE_NAME is needed")

    order(fleet, job_document=STEP_OF, variables={"SERVICE_NAME": "a,b; reboot"})

    assert poll(fleet)["job_document"]["steps"][0]["input"]["command"] == r"systemctl,restart,a\,b; reboot"


def test_a_preview_gives_nothing(fleet: Program) -> None:
    body = {**ORDER, "job_document": STEP_OF, "variables": {"SERVICE_NAME": 7}}
    shown = fleet.want(200, "POST", "/api/v1/jobs/preview", body)

    assert shown["job_document"]["steps"][0]["input"]["command"] == "systemctl,restart,7"
    assert [(one["uuid"], one["unmet"]) for one in shown["devices"]] == [(UUID, None)]
    assert fleet.get("/api/v1/jobs/executions")["executions"] == []


def test_orders_are_listed_newest_first_and_of_one_status(fleet: Program) -> None:
    ids = [order(fleet, job_name=f"job {number}") for number in range(3)]
    poll(fleet)

    listed = fleet.get("/api/v1/jobs/executions?limit=2")
    assert ([one["job_id"] for one in listed["executions"]], listed["total"]) == ([ids[2], ids[1]], 2)
    assert (listed["limit"], listed["offset"]) == (2, 0)
    assert fleet.get("/api/v1/jobs/executions?status=IN_PROGRESS")["executions"][0]["job_id"] == ids[0]


def test_a_cancelled_job_is_told_to_the_device_that_has_it(fleet: Program) -> None:
    job_id = order(fleet)
    poll(fleet)

    told = fleet.want(200, "POST", f"/api/v1/jobs/executions/{job_id}/cancel")

    assert (told["job"]["status"], told["job"]["canceled_devices"]) == ("CANCELED", 1)
    late = report(fleet, job_id, "SUCCEEDED", 409, exit_code=0)
    assert (late["error"], late["current"]["status"]) == ("The job is CANCELED already", "CANCELED")
    assert poll(fleet) == {"message": "No pending jobs", "cancelled_jobs": [job_id]}
    again = fleet.want(404, "POST", f"/api/v1/jobs/executions/{job_id}/cancel", {"force": False})
    assert again["error"] == "Job not found or already completed"


def test_what_failed_is_tried_again(fleet: Program) -> None:
    job_id = order(fleet)
    poll(fleet)
    report(fleet, job_id, "FAILED", exit_code=1, failed_step="disk", executed_steps=1)

    assert fleet.want(200, "POST", f"/api/v1/jobs/executions/{job_id}/retry")["devices"] == 1

    assert poll(fleet)["execution_number"] == 2
    assert fleet.want(409, "POST", f"/api/v1/jobs/executions/{job_id}/retry", {"devices": [UUID]})["error"]


def test_a_job_is_deleted_unless_it_is_in_progress(fleet: Program) -> None:
    job_id = order(fleet)
    poll(fleet)
    assert "in progress" in fleet.want(400, "DELETE", f"/api/v1/jobs/{job_id}")["error"]
    report(fleet, job_id, "REJECTED", reason="not for me")

    gone = fleet.want(200, "DELETE", f"/api/v1/jobs/{job_id}")

    assert gone == {"success": True, "message": "Job deleted successfully", "jobId": job_id}


def test_a_report_keeps_what_it_does_not_name_and_is_taken_once(fleet: Program) -> None:
    job_id = order(fleet)
    poll(fleet)
    report(fleet, job_id, "IN_PROGRESS", stdout="half\0\ud800", executed_steps=1, stderr=None)

    rows = [report(fleet, job_id, "FAILED", exit_code=2, report_id="r-1", expected_version=3) for _ in range(3)]

    assert rows[0] == rows[1] == rows[2]
    assert (rows[0]["stdout"], rows[0]["executed_steps"], rows[0]["version_number"]) == ("half\ufffd\ufffd", 1, 4)


def test_a_list_carries_the_beginning_of_an_output_and_one_order_all_of_it(fleet: Program) -> None:
    job_id = order(fleet)
    poll(fleet)
    report(fleet, job_id, "SUCCEEDED", stdout="x" * 5000)

    assert len(fleet.get(f"/api/v1/devices/{UUID}/jobs?status=SUCCEEDED")["jobs"][0]["stdout"]) == 500
    assert len(fleet.get(f"/api/v1/jobs/executions/{job_id}")["device_statuses"][0]["stdout"]) == 5000


def test_a_schedule_is_made_changed_paused_resumed_and_deleted(fleet: Program) -> None:
    made = fleet.want(201, "POST", "/api/v1/jobs/schedules", HOURLY)["schedule"]
    address = f"/api/v1/jobs/schedules/{made['schedule_id']}"
    assert (made["timeout_minutes"], made["is_active"], made["execution_count"]) == (60, True, 0)

    assert fleet.want(200, "POST", f"{address}/pause")["schedule"]["next_execution_at"] is None
    assert fleet.want(200, "POST", f"{address}/resume")["schedule"]["next_execution_at"] is not None
    change = {"schedule_type": "cron", "cron_expression": "0 2 * * *", "timeout_minutes": 5}
    assert fleet.want(200, "PATCH", address, change)["schedule"]["timeout_seconds"] == 300

    assert fleet.get(address)["schedule"]["cron_expression"] == "0 2 * * *"
    assert fleet.get("/api/v1/jobs/schedules?active=true")["total"] == 1
    assert fleet.get(f"{address}/executions?limit=5") == {
        "scheduleId": made["schedule_id"],
        "executions": [],
        "total": 0,
    }
    assert fleet.get("/api/v1/jobs/scheduler/status") == {
        "isRunning": False,
        "activeCronJobs": 1,
        "activeIntervalJobs": 0,
        "totalScheduledJobs": 1,
        "executions": {made["schedule_id"]: 0},
    }
    assert fleet.want(200, "DELETE", address)["scheduleId"] == made["schedule_id"]
    assert fleet.want(404, "GET", address)["error"] == "Schedule not found"


def test_a_request_under_a_key_is_done_once(fleet: Program) -> None:
    how = {"headers": {"Idempotency-Key": "k-1"}}
    for path, body in (
        ("/api/v1/jobs/templates", TEMPLATE),
        ("/api/v1/jobs/handlers", {"name": "clean", "script_content": "true"}),
        ("/api/v1/jobs/execute", ORDER),
        ("/api/v1/jobs/schedules", HOURLY),
    ):
        first, second = (fleet.want(201, "POST", path, body, **how) for _ in range(2))
        assert first == second, path


LONG_NAME = "x" * 256


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/jobs/templates/99", None, 404, "Job template not found"),
        ("GET", "/jobs/templates/x", None, 400, "template_id must be a whole number"),
        ("GET", "/jobs/templates?active=perhaps", None, 400, "active must be true or false"),
        ("POST", "/jobs/templates", None, 400, "body is missing"),
        ("POST", "/jobs/templates", {"name": "x"}, 400, "job_document is required"),
        ("POST", "/jobs/templates", {"job_document": DOCUMENT}, 400, "name is required"),
        ("POST", "/jobs/templates", {**TEMPLATE, "job_document": {"steps": []}}, 400, "job_document.steps must be"),
        ("POST", "/jobs/templates", {**TEMPLATE, "name": "health-check"}, 409, "A template with this name"),
        ("POST", "/jobs/templates", {**TEMPLATE, "category": "A b"}, 400, "category must be"),
        ("POST", "/jobs/templates", {**TEMPLATE, "surprise": 1}, 400, "surprise is not a field here"),
        ("PUT", "/jobs/templates/1", {}, 400, "No fields to update"),
        ("PUT", "/jobs/templates/1", {"name": "health-check"}, 409, "A template with this name"),
        ("PUT", "/jobs/templates/99", {"name": "x"}, 404, "Job template not found"),
        ("DELETE", "/jobs/templates/99", None, 404, "Job template not found"),
        ("POST", "/jobs/handlers", {"name": "x"}, 400, "script_content is required"),
        ("POST", "/jobs/handlers", {"script_content": "x"}, 400, "name is required"),
        ("POST", "/jobs/handlers", {"name": "../x", "script_content": "x"}, 400, "name must be"),
        (
            "POST",
            "/jobs/handlers",
            {"name": "x", "script_content": "x", "script_type": "perl"},
            400,
            "script_type must",
        ),
        ("POST", "/jobs/handlers", {"name": "download-file", "script_content": "x"}, 409, "A handler with this name"),
        ("POST", "/jobs/execute", {**ORDER, "job_name": None}, 400, "job_name must not be null"),
        ("POST", "/jobs/execute", {**ORDER, "job_name": LONG_NAME}, 400, "job_name must be"),
        ("POST", "/jobs/execute", {**ORDER, "job_document": None}, 400, "job_document or template_id is required"),
        ("POST", "/jobs/execute", {**ORDER, "job_document": None, "template_id": 99}, 404, "Job template not found"),
        ("POST", "/jobs/execute", {**ORDER, "target_type": "planet"}, 400, "target_type must be one of"),
        ("POST", "/jobs/execute", {"job_name": "x", "job_document": DOCUMENT}, 400, "target_type is required"),
        ("POST", "/jobs/execute", {**ORDER, "target_devices": []}, 400, "No devices match the target"),
        ("POST", "/jobs/execute", {**ORDER, "target_devices": [NOBODY]}, 400, "target_devices"),
        (
            "POST",
            "/jobs/execute",
            {**ORDER, "target_type": "group", "target_filter": {"1=1": "x"}},
            400,
            "target_filter.1=1",
        ),
        ("POST", "/jobs/execute", {**ORDER, "timeout_seconds": 0}, 400, "timeout_seconds must be"),
        (
            "POST",
            "/jobs/execute",
            {**ORDER, "timeout_seconds": 5, "timeout_minutes": 5},
            400,
            "timeout_seconds contradicts",
        ),
        ("POST", "/jobs/execute", {**ORDER, "variables": {"A": [1]}}, 400, "variables.A"),
        ("GET", "/jobs/executions?status=DONE", None, 400, "status must be one of"),
        ("GET", "/jobs/executions?limit=0", None, 400, "limit must be"),
        ("GET", f"/jobs/executions/{NOBODY}", None, 404, "Job execution not found"),
        ("POST", f"/jobs/executions/{NOBODY}/cancel", None, 404, "Job not found or already completed"),
        ("POST", f"/jobs/executions/{NOBODY}/retry", None, 404, "Job execution not found"),
        ("DELETE", f"/jobs/{NOBODY}", None, 404, "Job execution not found"),
        ("GET", f"/devices/{NOBODY}/jobs/next", None, 404, "Device not found"),
        ("GET", f"/devices/{NOBODY}/jobs", None, 404, "Device not found"),
        ("PATCH", f"/devices/{UUID}/jobs/{NOBODY}/status", {"status": "FAILED"}, 404, "Job status not found"),
        ("PATCH", f"/devices/{UUID}/jobs/{NOBODY}/status", {}, 400, "status is required"),
        ("PATCH", f"/devices/{UUID}/jobs/{NOBODY}/status", {"status": "DONE"}, 400, "status must be one of"),
        ("PATCH", f"/devices/{UUID}/jobs/{NOBODY}/status", {"status": "TIMED_OUT"}, 400, "status must be one of"),
        (
            "PATCH",
            f"/devices/{UUID}/jobs/{NOBODY}/status",
            {"status": "FAILED", "exit_code": "0"},
            400,
            "exit_code must",
        ),
        ("PATCH", f"/devices/{UUID}/jobs/{NOBODY}/status", {"status": "FAILED", "x": 1}, 400, "x is not a field here"),
        ("GET", f"/devices/{UUID}/handlers/download-file", None, 404, "Handler not found"),
        ("GET", f"/devices/{NOBODY}/jobs?status=x", None, 400, "status must be one of"),
        ("POST", "/jobs/schedules", SCHEDULE, 400, "schedule_type is required"),
        ("POST", "/jobs/schedules", {**HOURLY, "interval_minutes": 0}, 400, "interval_minutes must be"),
        ("POST", "/jobs/schedules", {**SCHEDULE, "schedule_type": "cron"}, 400, "cron_expression is needed"),
        ("PATCH", f"/jobs/schedules/{NOBODY}", {"is_active": True}, 404, "Schedule not found"),
        ("DELETE", f"/jobs/schedules/{NOBODY}", None, 404, "Schedule not found"),
        ("POST", f"/jobs/schedules/{NOBODY}/pause", None, 404, "Schedule not found"),
        ("POST", f"/jobs/schedules/{NOBODY}/resume", None, 404, "Schedule not found"),
        ("GET", f"/jobs/schedules/{NOBODY}/executions", None, 404, "Schedule not found"),
        ("GET", "/nothing", None, 404, "There is nothing at this address"),
        ("PUT", "/jobs/handlers", {}, 405, "This address exists"),
    ],
)
def test_every_error_has_its_code_and_says_what_is_wrong(
    fleet: Program, method: str, path: str, body: Any, status: int, said: str
) -> None:
    told = fleet.want(status, method, f"/api/v1{path}", body)

    assert told["error"].startswith(said), told
    assert set(told) <= {"error", "message", "request_id", "current"}


def test_a_report_that_cannot_follow_is_told_what_the_job_is(fleet: Program, db: Database) -> None:
    job_id = order(fleet)

    told = report(fleet, job_id, "SUCCEEDED", 409)

    assert told["current"] == {"status": "QUEUED", "version_number": 1}


@pytest.mark.parametrize("details", [{"a": "\ud800"}, {"a\0": 1}, {"a": [{"b": "\0"}]}])
def test_details_with_half_characters_or_nul_are_refused(fleet: Program, details: dict[str, Any]) -> None:
    job_id = order(fleet)
    poll(fleet)

    told = report(fleet, job_id, "IN_PROGRESS", 400, status_details=details)

    assert "status_details" in str(told) and "half characters" in str(told)


def test_a_number_that_json_has_no_way_to_give_back_is_refused(fleet: Program) -> None:
    """It was taken as infinite, and every answer that told of the job was no JSON from then on."""
    job_id = order(fleet)
    poll(fleet)
    for number in ("1e400", "-1e999", "Infinity"):
        text = f'{{"status": "IN_PROGRESS", "status_details": {{"a": [{number}]}}}}'
        how = {"data": text, "content_type": "application/json"}
        answer = fleet.client.patch(f"/api/v1/devices/{UUID}/jobs/{job_id}/status", **how)
        assert (answer.status_code, "valid JSON" in answer.get_data(as_text=True)) == (400, True)

    report(fleet, job_id, "IN_PROGRESS", status_details={"a": 1e300})


def test_a_group_that_a_schedule_or_an_open_order_names_is_not_deleted(fleet: Program) -> None:
    fleet.want(200, "PUT", "/api/v1/devices/groups/kitchens", {"devices": [UUID]})
    job_id = order(
        fleet, target_type="group", target_devices=[], target_filter={"group": "kitchens"}, execution_type="continuous"
    )

    told = fleet.want(409, "DELETE", "/api/v1/devices/groups/kitchens")

    assert "named by check" in str(told)
    fleet.want(200, "POST", f"/api/v1/jobs/executions/{job_id}/cancel", {"force": True})
    fleet.want(200, "DELETE", "/api/v1/devices/groups/kitchens")
    fleet.want(400, "PUT", "/api/v1/devices/groups/%20%20%20", {"devices": [UUID]})
