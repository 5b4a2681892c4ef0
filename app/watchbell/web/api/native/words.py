"""Rows of the store in the words of the native family, which are our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Occurrence, Schedule, fields_of_limits
from watchbell.domain.schedule.line_values import given_by
from watchbell.services import pauses
from watchbell.store.pauses import Pause
from watchbell.store.runs import Run
from watchbell.store.tasks import Task
from watchbell.web import current, shown_variables
from watchbell.web.presenters_tasks import clock_of

_PLAIN_FIELDS = (
    *("id", "version", "name", "enabled", "command", "steps", "directory", "environment_sets", "parameters"),
    *("parameter_sets", "tags", "comment", "runbook", "links", "after", "join", "owner", "team", "host"),
)
_RECORD_FIELDS = ("next_due_at", "created_at", "created_by", "updated_at", "updated_by")
#: The columns of a run, which are its fields but for how long it took.
RUN_COLUMNS = (
    *("id", "task_id", "task_name", "task_version", "state", "reason", "trigger", "due_at", "local_time", "zone"),
    *("created_at", "started_at", "ended_at", "exit_code", "attempts", "queue", "priority", "stands_for"),
    *("requested_by", "start_by", "retry_at", "rerun_of", "decision", "parameters", "group_id", "round"),
)


def run(found: Run) -> dict[str, object]:
    """Return a run."""
    return run_row([getattr(found, name) for name in RUN_COLUMNS])


def run_row(row: Sequence[Any]) -> dict[str, object]:
    """Return a run from its RUN_COLUMNS."""
    told = dict(zip(RUN_COLUMNS, row, strict=True))
    told["parameters"] = told["parameters"] or {}
    begin, end = told["started_at"], told["ended_at"]
    told["duration_seconds"] = (end - begin).total_seconds() if begin is not None and end is not None else None
    return told


def pause(found: Pause | None) -> dict[str, object] | None:
    """Return a pause."""
    if found is None:
        return None
    return {
        "scope": found.scope,
        "since": found.since,
        "until": found.until,
        "by": found.by,
        "reason": found.reason,
    }


def task(found: Task, *, busy: Collection[int], paused: Mapping[str, Pause]) -> dict[str, object]:
    """Return a task with the fields by which it is made and changed."""
    plan = schedules.from_json(found.schedule)
    return {
        **{name: getattr(found, name) for name in _PLAIN_FIELDS},
        "environment": shown_variables.variables(found.environment),
        **schedule(plan),
        **Policies.from_json(found.policies).to_json(),
        "sentence": found.schedule_words,
        "clock_change_at": clock.change.at if (clock := clock_of(found, current.now())) else None,
        "is_running": found.id in busy,
        "paused": pause(paused.get(pauses.task_scope(found.id))),
        **{name: getattr(found, name) for name in _RECORD_FIELDS},
    }


def schedule(plan: Schedule) -> dict[str, object]:
    """Return a schedule by the fields that make it; those of other kinds are null."""
    return {
        "kind": plan.kind,
        "cron": "\n".join(plan.expressions) or None,
        "every": plan.every or None,
        "unit": plan.unit or None,
        "at": list(plan.moments) or None,
        "every_word": plan.every_word or None,
        "at_time": plan.at_time or None,
        "anchor_at": plan.anchor_at,
        "zone": plan.zone,
        "dst": plan.dst,
        **{name: text or None for name, text in fields_of_limits(plan).items()},
        "line_values": plan.line_values,
    }


def moment(occurrence: Occurrence, plan: Schedule) -> dict[str, object]:
    """Return a moment at which a task with a schedule is due."""
    # One that was moved is named by the time from which it was moved; what counts here is when it is due.
    is_moved = bool(occurrence.note) and not occurrence.is_left_out
    local = occurrence.due_at.astimezone(ZoneInfo(occurrence.zone)) if is_moved else occurrence.local
    told = moment_of(occurrence.due_at, local, occurrence.zone, occurrence.is_left_out, occurrence.note)
    return {**told, "parameters": given_by(plan, occurrence.line)}


def moment_of(
    due_at: datetime, local: datetime, zone: str, is_left_out: bool = False, note: str = ""
) -> dict[str, object]:
    """Return a moment, what the clock of the task's zone shows then, and what is to be said of it."""
    told = {"due_at": due_at, "local_time": local.replace(tzinfo=None), "zone": zone}
    return {**told, "is_left_out": is_left_out, "note": note, "parameters": {}}
