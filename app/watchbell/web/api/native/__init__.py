"""The native family, at /api/v2: everything that Watchbell does, in its own words and with one shape of errors."""

from __future__ import annotations

from watchbell.web.api.native import (
    alerts,
    bulk,
    calendars,
    events,
    output,
    pauses,
    queues,
    runs,
    schedule,
    scheduler,
    secrets,
    system,
    task_actions,
    tasks,
    verdicts,
)
from watchbell.web.api.native.family import FAMILY, blueprint

__all__ = [
    "FAMILY",
    "alerts",
    "blueprint",
    "bulk",
    "calendars",
    "events",
    "output",
    "pauses",
    "queues",
    "runs",
    "schedule",
    "scheduler",
    "secrets",
    "system",
    "task_actions",
    "tasks",
    "verdicts",
]
