"""The family of the task scheduler dashboard (001): rows of its tables at /api/tasks, /api/logs and beside them."""

from __future__ import annotations

from watchbell.web.api.task_dashboard import history, scheduler, tasks
from watchbell.web.api.task_dashboard.family import FAMILY, blueprint

__all__ = ["FAMILY", "blueprint", "history", "scheduler", "tasks"]
