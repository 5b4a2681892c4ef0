"""Rollouts as whoever orders jobs meets them: waves, pauses and rollbacks over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.fleet import DOCUMENT
from tests.unit.test_api_device_jobs import NOBODY, ORDER, UUID, fleet, order, poll

__all__ = ["fleet"]


def test_an_order_goes_in_waves_is_paused_resumed_and_rolled_back(fleet: Program) -> None:
    given = {
        "rollout": {"canary": 1, "wave": 5, "abort": [{"failure_type": "failed", "action": "cancel"}]},
        "rollback_document": DOCUMENT,
        "schedule": {"window": {"start": "00:00", "end": "23:59"}},
    }
    preview = fleet.want(200, "POST", "/api/v1/jobs/preview", {**ORDER, **given})
    assert (preview["waves"], preview["total"]) == ([1], 1)
    job_id = order(fleet, rollout=given["rollout"], rollback_document=DOCUMENT)
    address = f"/api/v1/jobs/executions/{job_id}"

    paused = fleet.want(200, "POST", f"{address}/pause")["job"]

    assert (paused["is_paused"], paused["paused_reason"], paused["wave"], paused["waves"]) == (
        True,
        "paused by local",
        1,
        1,
    )
    assert paused["rollout"]["abort"][0] == {
        "failure_type": "FAILED", "threshold_percentage": 10.0, "minimum": 1, "action": "CANCEL",
    }  # fmt: skip
    assert poll(fleet)["message"] == "No pending jobs"
    fleet.want(409, "POST", f"{address}/pause")
    fleet.want(409, "POST", f"{address}/rollback")
    assert fleet.want(200, "POST", f"{address}/resume")["job"]["is_paused"] is False
    assert poll(fleet)["job_id"] == job_id
    assert fleet.get(f"{address}/waves") == {
        "waves": [{"wave": 1, "is_released": True, "total_devices": 1, "devices": {"IN_PROGRESS": 1}}],
        "is_paused": False,
        "paused_reason": None,
    }
    undo = fleet.want(201, "POST", f"{address}/rollback")["job"]
    assert (undo["rollback_of"], undo["target_devices"]) == (job_id, [UUID])
    for deed in ("pause", "resume", "rollback"):
        fleet.want(404, "POST", f"/api/v1/jobs/executions/{NOBODY}/{deed}")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"rollout": {"wave": 0}}, "rollout.wave"),
        ({"rollout": {"abort": [{"failure_type": "x"}]}}, "rollout.abort.0.failure_type"),
        ({"schedule": {"window": {"start": "2", "end": "03:00"}}}, "schedule.window.start"),
        ({"schedule": {"local_time": "2026-12-01T02:00Z"}}, "schedule.local_time"),
        ({"rollback_template_id": 2}, "variables."),
    ],
)
def test_rules_of_a_rollout_that_make_no_sense_are_refused(fleet: Program, fields: dict[str, Any], field: str) -> None:
    assert field in str(fleet.want(400, "POST", "/api/v1/jobs/execute", {**ORDER, **fields}))
    assert fleet.get("/api/v1/jobs/executions")["executions"] == []


def test_a_preview_warns_of_fields_that_nothing_acts_on(fleet: Program) -> None:
    undo = {**DOCUMENT, "maxExecutions": 1}
    given = {"job_document": {**DOCUMENT, "maxExecutions": 3, "executionType": "recurring"}, "rollback_document": undo}

    shown = fleet.want(200, "POST", "/api/v1/jobs/preview", {**ORDER, **given})

    fields = [warning["field"] for warning in shown["warnings"]]
    assert fields == ["job_document.maxExecutions", "job_document.executionType", "rollback_document.maxExecutions"]
    recurring = {
        "execution_type": "recurring",
        "max_executions": 2,
        "schedule": {"type": "interval", "intervalMinutes": 5},
    }
    given = fleet.want(201, "POST", "/api/v1/jobs/execute", {**ORDER, **recurring})
    fields = [warning["field"] for warning in given["warnings"]]
    assert fields == ["max_executions", "execution_type", "schedule.intervalMinutes", "schedule.type"]
    assert shown["rollback_document"] == undo
    plain = fleet.want(200, "POST", "/api/v1/jobs/preview", ORDER)
    assert (plain["warnings"], plain["rollback_document"]) == ([], None)
