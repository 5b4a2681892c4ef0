"""Our rows in the dashboard's columns, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.domain.schedule import Occurrence
from watchbell.domain.scripts import to_command, to_script
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Run
from watchbell.store.tasks import Task

#: What the dashboard's own scheduler writes into every row of its log.
SESSION = "From_Python_Scheduler"
_RESSOURCE = "RESSOURCE"
#: Columns that mean one field of ours each.
_PLAIN = {"Enable": "enabled", "RunBy": "owner", "Comment": "comment", "RunHost": "host"}


def time(moment: datetime, zone: ZoneInfo) -> str:
    """Return a time in the server's zone, as the dashboard writes it."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def task_row(task: Task, *, is_soon: bool, hostname: str, zone: ZoneInfo) -> dict[str, object]:
    """Return a task as a row of Task_Scheduler."""
    plan = schedules.from_json(task.schedule)
    return {
        "ID": task.id,
        "Enable": task.enabled,
        "RunBy": task.owner,
        "ScriptName": to_script(task.command),
        "ScriptFolder": task.directory,
        "Every": plan.every_word or None,
        "AtTime": plan.at_time or None,
        "Ressource": task.environment.get(_RESSOURCE),
        "ToRunAsap": is_soon,
        "Comment": task.comment,
        "RunHost": task.host,
        "InsertedAt": time(task.created_at, zone),
        "InsertedBy": task.created_by,
        "InsertedHost": task.host or hostname,
    }


def scheduled_row(
    number: int, task: Task, occurrence: Occurrence, *, now: datetime, host: str, session: str | None, zone: ZoneInfo
) -> dict[str, object]:
    """Return a moment at which a task is due as a row of Task_Scheduled."""
    return {
        "ID": number,
        "ScriptName": to_script(task.command),
        "ScriptFolder": task.directory,
        "RunBy": task.owner,
        "RunHost": task.host,
        "NextRun": time(occurrence.due_at, zone),
        "HeartbeatID": session,
        "InsertedAt": time(now, zone),
        "InsertedBy": task.owner,
        "InsertedHost": host,
    }


def log_row(
    run: Run, task: Task | None, scheduler: Scheduler | None, *, hostname: str, zone: ZoneInfo
) -> dict[str, object]:
    """Return a run as a row of Log_Task_Scheduler."""
    goes_on = RunState(run.state) in IN_FLIGHT
    return {
        "ID": run.id,
        "ScriptFile": to_script(task.command) if task is not None else run.task_name,
        "Status": "Run" if goes_on else run.state,
        "SessionID": SESSION,
        "IsProd": None if scheduler is None else scheduler.environment == "production",
        "TraceID": None,
        "HeartbeatID": None if scheduler is None else scheduler.session_id,
        "InsertedAt": time(run.started_at or run.due_at, zone),
        "InsertedBy": task.owner if task is not None else "",
        "InsertedHost": scheduler.host if scheduler is not None else hostname,
    }


def fields_of(given: Mapping[str, Any], base: Task | None, *, python: str) -> dict[str, Any]:
    """Return the fields of a task that the columns of a row mean, on top of what is there."""
    found: dict[str, Any] = {ours: given[column] for column, ours in _PLAIN.items() if column in given}
    # A row that is sent back as it was read must not turn what is no script into one.
    if "ScriptName" in given and not (base is not None and given["ScriptName"] == to_script(base.command)):
        # A script in a folder is called as it is, whatever was given the text that stood there before.
        found |= {"command": to_command(given["ScriptName"], python=python), "interpreter": ""}
    if "ScriptFolder" in given:
        found["directory"] = given["ScriptFolder"]
    if given.keys() & {"Every", "AtTime"}:
        found |= _schedule(given, base)
    elif base is None:
        found["kind"] = "manual"
    if "Ressource" in given:
        environment = {**(base.environment if base is not None else {}), _RESSOURCE: given["Ressource"]}
        found["environment"] = {name: value for name, value in environment.items() if value}
    return found


def _schedule(given: Mapping[str, Any], base: Task | None) -> dict[str, Any]:
    plan = schedules.from_json(base.schedule) if base is not None else None
    every = given.get("Every", plan.every_word if plan is not None else "")
    if not every:
        return {"kind": "manual"}
    at_time = given.get("AtTime", plan.at_time if plan is not None else "")
    return {"kind": "words", "every_word": every, "at_time": str(at_time or "")}
