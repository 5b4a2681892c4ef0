"""The native family, at /api/v2: everything that Watchbell does, in its own words and with one shape of errors."""

from __future__ import annotations

from watchbell.web.api.native import (
    alerts,
    blackouts,
    bulk,
    calendars,
    deleted_tasks,
    events,
    output,
    pauses,
    queues,
    runs,
    schedule,
    scheduler,
    secrets,
    simulations,
    system,
    tags,
    task_actions,
    task_edits,
    tasks,
    verdicts,
    why,
)
from watchbell.web.api.native.family import FAMILY, blueprint

__all__ = [
    "FAMILY",
    "alerts",
    "blackouts",
    "blueprint",
    "bulk",
    "calendars",
    "deleted_tasks",
    "events",
    "output",
    "pauses",
    "queues",
    "runs",
    "schedule",
    "scheduler",
    "secrets",
    "simulations",
    "system",
    "tags",
    "task_actions",
    "task_edits",
    "tasks",
    "verdicts",
    "why",
]
