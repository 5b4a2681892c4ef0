"""The native family, at /api/v2: everything that Watchbell does, in its own words and with one shape of errors."""

from __future__ import annotations

from watchbell.web.api.native import (
    alerts,
    blackouts,
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
    "why",
]
