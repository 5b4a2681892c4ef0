"""The native family: each route once with success, and each of its errors, all of them held against the document."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.api_fixtures import Program
from tests.database import NOW, add_alert, add_run, add_task, fill_as_before
from watchbell.config import Config
from watchbell.domain.analysis.judgement import Finding, Verdict
from watchbell.domain.permissions import ROUTES
from watchbell.domain.run_state import RunState
from watchbell.services import blackouts, calendars, environment_sets, pauses, queues, secrets, task_templates
from watchbell.store import verdicts
from watchbell.store.session import Database

ANY = {"If-Match": "*"}
NEW = {"name": "made", "command": "true", "cron": "30 2 * * *"}

#: Endpoint -> method, address, body, status and headers of a request that goes well.
GOES_WELL: dict[str, tuple[Any, ...]] = {
    "index": ("GET", "", None, 200),
    "version": ("GET", "/version", None, 200),
    "health": ("GET", "/health", None, 200),
    "overview": ("GET", "/overview", None, 200),
    "list_troubles": ("GET", "/attention", None, 200),
    "list_next_runs": ("GET", "/next-runs?hours=48&limit=5", None, 200),
    "list_tasks": ("GET", "/tasks?search=back&enabled=true&sort=-next&limit=1", None, 200),
    "create_task": ("POST", "/tasks", NEW, 201),
    "get_task": ("GET", "/tasks/1", None, 200),
    "update_task": ("PATCH", "/tasks/1", {"retries": 3, "output_limit_mib": None}, 200, ANY),
    "delete_task": ("DELETE", "/tasks/1", None, 204, ANY),
    "copy_task": ("POST", "/tasks/1/copy", None, 201),
    "enable_task": ("POST", "/tasks/1/enable", None, 200),
    "disable_task": ("POST", "/tasks/1/disable", None, 200),
    "run_task": ("POST", "/tasks/1/runs", None, 201),
    "pause_task": ("POST", "/tasks/1/pause", {"reason": "disk", "until": "2999-01-01T00:00:00Z"}, 200),
    "resume_task": ("POST", "/tasks/1/resume", None, 200),
    "list_revisions": ("GET", "/tasks/1/revisions", None, 200),
    "get_revision": ("GET", "/tasks/1/revisions/1", None, 200),
    "compare_revisions": ("GET", "/tasks/1/revisions/1/differences", None, 200),
    "restore_revision": ("POST", "/tasks/1/revisions/1/restore", None, 200, ANY),
    "list_moments": ("GET", "/tasks/1/next?n=3", None, 200),
    "list_outcomes": ("GET", "/tasks/1/outcomes?n=3", None, 200),
    "preview_schedule": ("POST", "/schedules/preview", {"cron": "30 2 * * *", "zone": "Europe/Berlin"}, 200),
    "change_tasks": ("POST", "/tasks/bulk", {"action": "tag", "ids": [1], "tags": ["x"]}, 200),
    "undo_edit": (
        "POST",
        "/tasks/edit/undo",
        {"items": [{"task_id": 1, "version_before": 1, "version": 1, "was_enabled": True}]},
        200,
    ),
    "edit_tasks": ("POST", "/tasks/edit", {"tasks": [{"id": 1, "version": 1}], "set": {"retries": 3}}, 200),
    "list_task_templates": ("GET", "/task-templates", None, 200),
    "save_task_template": ("POST", "/tasks/1/template", None, 200),
    "create_task_of_template": ("POST", "/task-templates/1/tasks", {"name": "other"}, 201),
    "delete_task_template": ("DELETE", "/task-templates/1", None, 204),
    "list_runs": ("GET", "/runs?state=failed&state=running&trigger=schedule&since=7d&count=1&queue=default", None, 200),
    "get_run": ("GET", "/runs/1", None, 200),
    "wait_for_run": ("GET", "/runs/1/wait?timeout=0", None, 200),
    "cancel_run": ("POST", "/runs/2/cancel", None, 200),
    "rerun": ("POST", "/runs/1/rerun", None, 201),
    "get_run_group": ("GET", "/run-groups/4", None, 200),
    "decide": ("POST", "/runs/3/decide", {"choice": "run_again"}, 200),
    "get_verdict": ("GET", "/runs/4/verdict", None, 200),
    "expect_run": ("POST", "/runs/4/expect", None, 200),
    "retract_run": ("POST", "/runs/4/retract", None, 200),
    "get_output": ("GET", "/runs/1/output?offset=-10&stream=stderr", None, 200),
    "get_raw_output": ("GET", "/runs/1/output/raw", None, 200),
    "get_bundle": ("GET", "/runs/1/bundle", None, 200),
    "list_events": ("GET", "/events?after=0&types=task_created", None, 200),
    "list_secrets": ("GET", "/secrets", None, 200),
    "get_secret": ("GET", "/secrets/db", None, 200),
    "put_secret": ("PUT", "/secrets/db", {"value": "correct horse"}, 200, ANY),
    "delete_secret": ("DELETE", "/secrets/db?force=true", None, 204, ANY),
    "list_environment_sets": ("GET", "/environment-sets", None, 200),
    "get_environment_set": ("GET", "/environment-sets/proxy", None, 200),
    "create_environment_set": ("POST", "/environment-sets", {"name": "base", "variables": {"LANG": "C"}}, 201),
    "update_environment_set": ("PATCH", "/environment-sets/proxy", {"description": "out"}, 200, ANY),
    "delete_environment_set": ("DELETE", "/environment-sets/proxy", None, 204, ANY),
    "list_calendars": ("GET", "/calendars", None, 200),
    "get_calendar": ("GET", "/calendars/1", None, 200),
    "create_calendar": ("POST", "/calendars", {"name": "shut", "days": ["12-24"]}, 201),
    "update_calendar": ("PATCH", "/calendars/1", {"weekdays": ["sun"]}, 200, ANY),
    "delete_calendar": ("DELETE", "/calendars/1", None, 204, ANY),
    "preview_task": ("POST", "/tasks/preview", {"task_id": 1, "cron": "0 3 * * *"}, 200),
    "preview_calendar": ("POST", "/calendars/preview", {"name": "days", "weekdays": ["sat"]}, 200),
    "preview_blackout": ("POST", "/blackouts/preview", {"name": "x", "from_time": "10:00", "to_time": "11:00"}, 200),
    "list_tags": ("GET", "/tags", None, 200),
    "list_deleted_tasks": ("GET", "/deleted-tasks", None, 200),
    "restore_task": ("POST", "/deleted-tasks/1/restore", {}, 200),
    "list_blackouts": ("GET", "/blackouts", None, 200),
    "get_blackout": ("GET", "/blackouts/1", None, 200),
    "create_blackout": ("POST", "/blackouts", {"name": "day", "from_time": "10:00", "to_time": "11:00"}, 201),
    "update_blackout": ("PATCH", "/blackouts/1", {"weekdays": ["sun"]}, 200, ANY),
    "delete_blackout": ("DELETE", "/blackouts/1", None, 204, ANY),
    "get_why": ("GET", "/tasks/1/why?at=2030-01-01T10:00", None, 200),
    "list_queues": ("GET", "/queues", None, 200),
    "get_queue": ("GET", "/queues/nightly", None, 200),
    "put_queue": ("PUT", "/queues/nightly", {"max_running": 3}, 200, ANY),
    "delete_queue": ("DELETE", "/queues/nightly", None, 204, ANY),
    "pause_queue": ("POST", "/queues/nightly/pause", None, 200),
    "resume_queue": ("POST", "/queues/nightly/resume", None, 200),
    "list_pauses": ("GET", "/pauses", None, 200),
    "pause_everything": ("POST", "/pause", {"reason": "moving"}, 200),
    "resume_everything": ("POST", "/resume", None, 200),
    "get_scheduler": ("GET", "/scheduler", None, 200),
    "get_log": ("GET", "/scheduler/log?lines=5&level=warning", None, 200),
    "clear_log": ("POST", "/scheduler/log/clear", None, 200),
    "list_heartbeats": ("GET", "/heartbeats", None, 200),
    "list_incidents": ("GET", "/incidents?limit=5", None, 200),
    "list_alerts": ("GET", "/alerts?severity=warning&severity=info&task_id=1&acknowledged=false&limit=1", None, 200),
    "acknowledge_alerts": ("POST", "/alerts/acknowledge", {"ids": [1]}, 200),
    "reopen_alerts": ("POST", "/alerts/reopen", {"ids": [1]}, 200),
    "list_alert_rules": ("GET", "/alert-rules", None, 200),
    "get_alert_rule": ("GET", "/alert-rules/1", None, 200),
    "test_alert_rule": ("POST", "/alert-trials", {"expression": "cpu_max > 80 or success == 0", "task_id": 1}, 200),
    "create_alert_rule": ("POST", "/alert-rules", {"name": "hot", "expression": "cpu_max > 80"}, 201),
    "update_alert_rule": ("PATCH", "/alert-rules/1", {"severity": "critical", "task_id": None}, 200, ANY),
    "delete_alert_rule": ("DELETE", "/alert-rules/1", None, 204, ANY),
}
#: These need a real scheduler; tests/served/test_api_native.py has them.
WITH_A_SCHEDULER = {"start_scheduler", "stop_scheduler", "restart_scheduler"}


_KEPT: dict[str, bytes] = {}


@pytest.fixture
def things(db: Database, web_config: Config) -> None:
    """Give what the routes are about, and a log."""
    fill_as_before(db, lambda: fill(db), _KEPT)
    Path(web_config.log_path).write_text("[2026-11-29 08:00:00] [WARNING] late\nmore\n")


def fill(db: Database) -> None:
    """A task with a run that has failed, with an alert, one that waits, one about which somebody is to decide and a slow one; a queue."""
    task = add_task(db, "backup", kind="cron", cron="0 2 * * *", tags="day")
    task_templates.save(db, task.id, now=NOW, actor="ann")
    failed = add_run(db, task, RunState.FAILED, started_at=NOW, exit_code=1)
    add_run(db, task, RunState.QUEUED)
    add_run(db, task, RunState.LOST, decision="open")
    slow = add_run(db, task, RunState.SUCCEEDED)
    add_run(db, task, RunState.SKIPPED, trigger="chain", group_id=slow.id)
    finding = Finding(Verdict.SLOW, "execution_time_seconds", 90.0, 22.0, 18.0, 26.0, 120)
    with db.write() as session:
        row = {"run_id": slow.id, "task_id": task.id, "verdict": "slow", "findings": [dataclasses.asdict(finding)]}
        verdicts.add(session, [row])
    secrets.put(db, "db", "first value", now=NOW, actor="ann")
    queues.set_bounds(db, "nightly", max_running=2, now=NOW, actor="ann")
    window = {"name": "night", "from_time": "22:00", "to_time": "02:00"}
    blackouts.create(db, window, now=NOW, actor="ann", default_zone="UTC")
    calendars.create(db, {"name": "off", "days": "12-25"}, now=NOW, actor="ann")
    environment_sets.create(db, {"name": "proxy", "variables": {"PROXY": "p"}}, now=NOW, actor="ann")
    add_alert(db, failed)
    pauses.pause(db, pauses.queue_scope("nightly"), now=NOW, actor="ann", reason="disk")


@pytest.mark.parametrize("endpoint", GOES_WELL)
@pytest.mark.usefixtures("things")
def test_each_route_does_what_it_is_for(program: Program, endpoint: str) -> None:
    method, path, body, status, *headers = GOES_WELL[endpoint]

    program.want(status, method, f"/api/v2{path}", body, headers=headers[0] if headers else {})


def test_no_route_is_left_out_of_the_table() -> None:
    assert {name.removeprefix("native.") for name in ROUTES if name.startswith("native.")} == {
        *GOES_WELL,
        *WITH_A_SCHEDULER,
    }


NONE, GARBAGE, HUGE = 999_999, "x", "9" * 30
#: Method, address, body, status, and the field that is told to be wrong.
GOES_WRONG: list[tuple[Any, ...]] = [
    ("GET", "/nothing", None, 404),
    *(("GET", f"/tasks/{NONE}{rest}", None, 404) for rest in ("", "/revisions", "/next", "/outcomes")),
    *(("POST", f"/tasks/{NONE}/{verb}", None, 404) for verb in ("copy", "enable", "disable", "runs", "pause", "resume")),
    *(("GET", f"/runs/{NONE}{rest}", None, 404) for rest in ("", "/wait", "/output", "/output/raw", "/verdict")),
    *(("POST", f"/runs/{NONE}/{verb}", None, 404) for verb in ("cancel", "rerun", "expect", "retract")),
    ("POST", f"/runs/{NONE}/decide", {"choice": "leave"}, 404),
    ("GET", "/secrets/none", None, 404),
    ("GET", "/environment-sets/none", None, 404),
    ("PATCH", "/environment-sets/none", {"description": "x"}, 404),
    ("DELETE", "/environment-sets/none", None, 404),
    ("POST", "/environment-sets", {"name": "a b", "variables": {"A": "1"}}, 422, "name"),
    ("PATCH", "/environment-sets/proxy", {"variables": {"1": "x"}}, 422, "variables"),
    ("PUT", "/secrets/db", {"value": "abc"}, 422, "value"),
    ("PUT", "/secrets/no name", {"value": "correct horse"}, 422, "name"),
    ("DELETE", "/secrets/none", None, 404),
    ("POST", "/blackouts/preview", {"blackout_id": 7, "remove": True}, 404),
    ("POST", "/tasks/preview", {"cron": "0 3 * * *"}, 422, "name"),
    ("POST", "/deleted-tasks/77/restore", {}, 404),
    ("POST", f"/tasks/{NONE}/template", None, 404),
    ("POST", "/task-templates/77/tasks", {"name": "x"}, 404),
    ("DELETE", "/task-templates/77", None, 404),
    ("GET", "/blackouts/7", None, 404),
    ("POST", "/blackouts", {"name": "night", "from_time": "10:00", "to_time": "11:00"}, 409),
    ("POST", "/blackouts", {"name": "x"}, 422, "starts"),
    ("PATCH", "/blackouts/7", {"weekdays": []}, 404),
    ("DELETE", "/blackouts/7", None, 404),
    ("GET", "/tasks/999/why", None, 404),
    ("GET", "/tasks/1/why?at=soon", None, 422, "at"),
    ("GET", "/calendars/7", None, 404),
    ("POST", "/calendars", {"name": "off", "days": ["12-24"]}, 409),
    ("POST", "/calendars", {"name": "x", "days": ["soon"]}, 422, "days"),
    ("PATCH", "/calendars/7", {"days": []}, 404),
    ("DELETE", "/calendars/7", None, 404),
    ("GET", "/queues/none", None, 404),
    ("PATCH", f"/tasks/{NONE}", {}, 404),
    ("DELETE", f"/tasks/{NONE}", None, 404),
    ("DELETE", "/queues/none", None, 404),
    *(("GET", f"/{kind}/{number}", None, 422, name) for kind, name in (("tasks", "task_id"), ("runs", "run_id"))
      for number in (GARBAGE, HUGE, "-1", "..", "%2e%2e%2fetc%2fpasswd", "%00") if number not in {"..", "%2e%2e%2fetc%2fpasswd"}),
    *(("GET", f"/{kind}?limit={number}", None, 422, "limit") for kind in ("tasks", "runs", "events", "incidents")
      for number in ("0", "1001", "1000000000", "1e3", "x", "-5")),
    ("GET", "/tasks?sort=command;drop", None, 422, "sort"),
    ("GET", "/tasks?after=x", None, 422, "after"),
    ("GET", "/tasks?enabled=perhaps", None, 422, "enabled"),
    ("GET", "/tasks?search=" + "a" * 300, None, 422, "search"),
    ("GET", "/runs?state=asleep", None, 422, "state.0"),
    ("GET", "/runs?since=yesterday", None, 422, "since"),
    ("GET", "/runs?trigger=luck", None, 422, "trigger"),
    ("GET", "/runs?before=2&after=1", None, 422, "before"),
    ("GET", "/runs/1/wait?timeout=3600", None, 422, "timeout"),
    ("GET", "/runs/1/output?stream=log", None, 422, "stream"),
    ("GET", "/runs/1/output?offset=99999999999999999999", None, 422, "offset"),
    ("GET", "/runs/1/output?attempt=9", None, 404),
    ("GET", "/events?after=-1", None, 422, "after"),
    ("GET", "/events?after=0&types=run_faild", None, 422, "types"),
    ("GET", "/events?after=0&wait=600", None, 422, "wait"),
    ("GET", "/next-runs?hours=10000", None, 422, "hours"),
    ("GET", "/scheduler/log?level=loud", None, 422, "level"),
    ("POST", "/tasks", {"command": "true"}, 422, "name"),
    ("POST", "/tasks", {"name": "x"}, 422, "command"),
    ("POST", "/tasks", {**NEW, "cron": "61 * * * *"}, 422, "cron"),
    ("POST", "/tasks", {**NEW, "cron": "*/0 * * * *"}, 422, "cron"),
    ("POST", "/tasks", {**NEW, "cron": "${7*7} * * * *"}, 422, "cron"),
    ("POST", "/tasks", {**NEW, "cron": "1," * 600_000 + "1 * * * *"}, 413),
    ("POST", "/tasks", {**NEW, "cron": "1," * 100_000 + "1 * * * *"}, 422, "cron"),
    ("POST", "/tasks", {**NEW, "zone": "Mars/Olympus"}, 422, "zone"),
    ("POST", "/tasks", {**NEW, "retries": "many"}, 422, "retries"),
    ("POST", "/tasks", {**NEW, "retries": True}, 422, "retries"),
    ("POST", "/tasks", {**NEW, "retries": None}, 422, "retries"),
    ("POST", "/tasks", {**NEW, "overlap": "perhaps"}, 422, "overlap"),
    ("POST", "/tasks", {**NEW, "environment": {"A": "x\ny"}}, 422, "environment"),
    ("POST", "/tasks", {**NEW, "environment": {"LANG": 1}}, 422, "environment.LANG.value"),
    ("POST", "/tasks", {**NEW, "directory": "/not/there"}, 422, "directory"),
    ("POST", "/tasks", {**NEW, "steps": [{"name": "a"}]}, 422, "steps.0.command"),
    ("POST", "/tasks", {**NEW, "name": "backup"}, 409),
    *(("POST", "/tasks", {**NEW, name: 1}, 422, name) for name in ("run_as", "uid", "id", "created_by", "is_admin")),
    ("POST", "/tasks", [], 422, "body"),
    ("PATCH", "/tasks/1", {"id": 7}, 422, "id"),
    ("PATCH", "/tasks/1", {"owner": None}, 422, "owner"),
    ("POST", "/tasks/1/runs", {"command": "rm -rf /"}, 422, "command"),
    ("POST", "/tasks/1/pause", {"until": "2001-01-01T00:00:00Z"}, 422, "until"),
    ("POST", "/tasks/1/pause", {"until": "2999-01-01T00:00:00"}, 422, "until"),
    ("POST", "/tasks/1/pause", {"reason": "x" * 300}, 422, "reason"),
    ("POST", "/schedules/preview", {"cron": "x"}, 422, "cron"),
    ("POST", "/tasks/bulk", {"action": "explode", "ids": [1]}, 422, "action"),
    ("POST", "/tasks/bulk", {"action": "enable"}, 422, "ids"),
    ("POST", "/tasks/bulk", {"action": "enable", "ids": [1], "filter": {}}, 422, "ids"),
    ("POST", "/tasks/bulk", {"action": "enable", "ids": [1, 77]}, 422, "ids"),
    ("POST", "/tasks/bulk", {"action": "tag", "ids": [1]}, 422, "tags"),
    ("POST", "/tasks/bulk", {"action": "run", "ids": [1], "filter": {"color": "red"}}, 422, "filter.color"),
    ("POST", "/runs/1/cancel", None, 409),
    ("POST", "/runs/1/expect", None, 409),
    ("POST", "/runs/1/decide", {"choice": "leave"}, 409),
    ("POST", "/runs/1/decide", {"choice": "perhaps"}, 422, "choice"),
    ("PUT", "/queues/nightly", {"max_running": 0}, 422, "max_running"),
    ("PUT", "/queues/Not%20a%20queue", {}, 422, "name"),
    ("POST", "/queues/Not%20a%20queue/pause", None, 422, "queue"),
    ("GET", f"/alert-rules/{NONE}", None, 404),
    ("GET", "/alert-rules/x", None, 422, "rule_id"),
    ("PATCH", f"/alert-rules/{NONE}", {}, 404),
    ("DELETE", f"/alert-rules/{NONE}", None, 404),
    ("GET", "/alerts?severity=loud", None, 422, "severity.0"),
    ("GET", "/alerts?since=yesterday", None, 422, "since"),
    ("POST", "/alerts/acknowledge", {"ids": []}, 422, "ids"),
    ("POST", "/alerts/reopen", {"ids": [1] * 1001}, 422, "ids"),
    ("POST", "/alert-rules", {"name": "hot"}, 422, "expression"),
    ("POST", "/alert-rules", {"name": "hot", "expression": "cpu_mx > 80"}, 422, "expression"),
    ("POST", "/alert-rules", {"name": "hot", "expression": "x" * 501}, 422, "expression"),
    ("POST", "/alert-rules", {"name": "hot", "expression": "cpu_max > 80", "task_id": NONE}, 422, "task_id"),
    ("POST", "/alert-rules", {"name": "hot", "expression": "cpu_max > 80", "channel": "mail"}, 422, "channel"),
    ("POST", "/alert-rules", {"name": "failing", "expression": "cpu_max > 80"}, 409),
    ("POST", "/alert-trials", {"expression": "__import__('os')"}, 422, "expression"),
    ("PUT", "/tasks", None, 405),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), [(*row, None)[:5] for row in GOES_WRONG])
@pytest.mark.usefixtures("things")
def test_what_is_wrong_is_told_as_problem_details(
    program: Program, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    answer = program.call(method, f"/api/v2{path}", body, headers=ANY)

    told = answer.get_json()
    assert answer.status_code == status, told
    assert answer.mimetype == "application/problem+json"
    assert (told["status"], told["instance"]) == (
        status,
        f"/api/v2{path}".partition("?")[0].replace("%20", " ").replace("%00", "\0"),
    )
    assert told["detail"] and told["request_id"] == answer.headers["X-Request-ID"]
    if field is not None:
        assert field in {wrong["field"] for wrong in told["errors"]}


@pytest.mark.parametrize(
    "body", [{"hunter2hunter2": ""}, {"value": "correct horse", "hunter2hunter2": 1}, {"value": ["hunter2hunter2"]}]
)
@pytest.mark.usefixtures("things")
def test_a_secret_that_was_put_in_the_wrong_place_of_a_body_is_not_repeated(program: Program, body: Any) -> None:
    answer = program.call("PUT", "/api/v2/secrets/db", body, headers=ANY)

    assert answer.status_code == 422
    assert answer.get_json()["errors"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        ("{", "application/json", 422),
        ('{"name": NaN}', "application/json", 422),
        ("[" * 10_000 + "]" * 10_000, "application/json", 422),
        ("\xff", "application/json", 422),
        ('{"name": "x", "command": "true"}', "text/plain", 422),
        ("x" * 1_100_000, "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(program: Program, data: str, kind: str, status: int) -> None:
    answer = program.call("POST", "/api/v2/tasks", data=data.encode("latin-1"), content_type=kind)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/tasks/1", {"retries": 1}),
        ("DELETE", "/tasks/1", None),
        ("PUT", "/queues/nightly", {}),
        ("DELETE", "/queues/nightly", None),
        ("PATCH", "/alert-rules/1", {"severity": "info"}),
        ("DELETE", "/alert-rules/1", None),
    ],
)
@pytest.mark.usefixtures("things")
def test_nothing_is_changed_by_whoever_does_not_say_what_was_seen(
    program: Program, method: str, path: str, body: Any
) -> None:
    kind, number = path.split("/")[1:]
    before = program.get(f"/api/v2/{kind}/{number}")

    assert program.want(428, method, f"/api/v2{path}", body)["type"] == "/problems/version-required"
    told = program.want(412, method, f"/api/v2{path}", body, headers={"If-Match": '"77-abc"'})
    assert program.want(422, method, f"/api/v2{path}", body, headers={"If-Match": "garbage"})

    assert told["current"] == before == program.get(f"/api/v2/{kind}/{number}")
    mark = program.call("GET", f"/api/v2/{kind}/{number}").headers["ETag"]
    assert program.call(method, f"/api/v2{path}", body, headers={"If-Match": mark}).status_code in {200, 204}


def test_the_index_names_every_route_with_its_summary(program: Program, app: Flask) -> None:
    found = program.get("/api/v2")["items"]

    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("native.")]
    assert len(found) == len(rules) == len({(place["method"], place["path"]) for place in found})
    assert {"/api/v2/tasks/{task_id}", "/api/v2/runs/{run_id}/wait"} <= {place["path"] for place in found}
    assert all(place["summary"].endswith(".") for place in found)
