"""What a server answers in the rows of the command line, and what is typed there as a server takes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from watchbell.cli.calendar_sources import bounds_of
from watchbell.cli.source import RunVerdict, TaskRow
from watchbell.client import Client
from watchbell.client.rows import read
from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies, build_policies
from watchbell.domain.steps import StepResult, StepState

if TYPE_CHECKING:
    from watchbell.control.process import SchedulerStatus
    from watchbell.services.queues import QueueView

_TASK = "task:"
_QUEUE = "queue:"
_SCHEDULE = ("kind", "zone", "dst", "every", "unit", "every_word", "at_time", "anchor_at", "calendar", "calendar_rule",
             "line_values")  # fmt: skip
_POLICIES = frozenset(field.name for field in dataclasses.fields(Policies))


def row_of(body: Mapping[str, Any]) -> Any:
    """Return an answer as a row with attributes."""
    return SimpleNamespace(**read_body(body))


def read_body(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer with its times as times."""
    return {name: read(name, value) for name, value in body.items()}


def task_row(body: Mapping[str, Any]) -> TaskRow:
    """Return a task with its schedule and policies as a revision keeps them."""
    plan: dict[str, Any] = {name: body[name] for name in _SCHEDULE if body.get(name) is not None}
    if body.get("cron"):
        plan["expressions"] = body["cron"].split("\n")
    if body.get("at"):
        plan["moments"] = body["at"]
    plan |= bounds_of(body)
    # A server of an earlier version says nothing of these.
    row = row_of(
        {
            "team": "",
            "parameters": [],
            "parameter_sets": {},
            "environment_sets": [],
            "runbook": "",
            "links": [],
            "after": [],
            "join": "all",
            **body,
        }
    )
    row.schedule = schedules.to_json(schedules.from_json(plan))
    row.schedule_words = body["sentence"]
    row.policies = {name: value for name, value in body.items() if name in _POLICIES}
    row.deleted_at = None
    return cast(TaskRow, row)


def step_result(body: Mapping[str, Any]) -> StepResult:
    """Return what has become of a step."""
    names = {field.name for field in dataclasses.fields(StepResult)}
    values = {name: read(name, value) for name, value in body.items() if name in names}
    return StepResult(**{**values, "state": StepState(body["state"])})


def queue_view(body: Mapping[str, Any]) -> QueueView:
    """Return a queue as the pages have it."""
    row = row_of(body)
    row.pause = row_of(body["paused"]) if body["paused"] is not None else None
    return cast("QueueView", row)


def status_told(body: Mapping[str, Any]) -> SchedulerStatus:
    """Return what the scheduler does."""
    from watchbell.control.process import SchedulerStatus
    from watchbell.domain.presence import SchedulerState

    values = {name: read(name, value) for name, value in body.items() if name != "tick_age_seconds"}
    return SchedulerStatus(
        **{**values, "state": SchedulerState(body["state"]), "tick_age": body.get("tick_age_seconds")}
    )


def sendable(fields: Mapping[str, object]) -> dict[str, object]:
    """Return fields as the server takes them: numbers of policies, which a shell has as texts, as numbers."""
    # Which metrics a gate may name depends on the rest of the task, which only the server knows.
    chosen = {name: value for name, value in fields.items() if name in _POLICIES and name != "gates"}
    read_here = build_policies(chosen, None).to_json()
    return {name: plain_value(read_here[name] if name in chosen else value) for name, value in fields.items()}


def plain_value(value: object) -> object:
    """Return a value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    return value


def place_of(scope: str) -> str:
    """Return the address below which a scope is paused and resumed."""
    if scope.startswith(_TASK):
        return f"/tasks/{scope.removeprefix(_TASK)}"
    if scope.startswith(_QUEUE):
        return f"/queues/{Client.quoted(scope.removeprefix(_QUEUE))}"
    return ""


def verdict_told(body: Mapping[str, Any]) -> RunVerdict:
    """Return what a run was like."""
    at = body["expected_at"]
    return RunVerdict(
        run_id=body["run_id"],
        verdict=body["verdict"],
        reason=body["reason"],
        expected_by=body["expected_by"],
        expected_at=datetime.fromisoformat(at) if at else None,
    )
