"""Our states, rows and settings in the gateway's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import RunState
from watchbell.store.runs import Run
from watchbell.store.tasks import Task
from watchbell.web.api.output_texts import NOTHING, OutputText

#: States that have another name here; the others keep their own.
STATUSES = {
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "failed",
    RunState.TIMED_OUT: "timeout",
    RunState.STARTING: "running",
    RunState.RUNNING: "running",
    RunState.CANCELLING: "running",
}
#: What "failed only" means.
FAILED = (RunState.FAILED.value, RunState.TIMED_OUT.value, RunState.LOST.value)


def time(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """Return a time in the server's zone with its offset."""
    return None if moment is None else moment.astimezone(zone).isoformat()


def job(task: Task, *, is_running: bool, zone: ZoneInfo) -> dict[str, object]:
    """Return a task as a job."""
    plan = schedules.from_json(task.schedule)
    return {
        "id": task.id,
        "name": task.name,
        "cron": "\n".join(plan.expressions) or None,
        "command": task.command,
        "working_dir": task.directory,
        "enabled": task.enabled,
        "timeout_seconds": Policies.from_json(task.policies).time_limit_seconds,
        "tags": ",".join(task.tags) or None,
        "created_at": time(task.created_at, zone),
        "updated_at": time(task.updated_at, zone),
        "next_run": time(task.next_due_at, zone),
        "is_running": is_running,
    }


def run(row: Run, output: Mapping[str, OutputText], *, now: datetime, zone: ZoneInfo) -> dict[str, object]:
    """Return a run with what it has written."""
    out, err = output.get("stdout", NOTHING), output.get("stderr", NOTHING)
    lasted = ((row.ended_at or now) - row.started_at).total_seconds() if row.started_at else None
    return {
        "id": row.id,
        "job_id": row.task_id,
        "job_name": row.task_name,
        "started_at": time(row.started_at, zone),
        "ended_at": time(row.ended_at, zone),
        "exit_code": row.exit_code,
        "stdout": out.text,
        "stderr": err.text,
        "truncated": out.is_truncated or err.is_truncated,
        "timed_out": row.state == RunState.TIMED_OUT.value,
        "duration_seconds": None if lasted is None else max(0.0, round(lasted, 3)),
        "status": STATUSES.get(RunState(row.state), row.state),
        "reason": row.reason,
    }
