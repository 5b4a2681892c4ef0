"""From what a request names to the runs that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from watchbell.services import metrics, scripts
from watchbell.store.samples import Measured
from watchbell.web import current
from watchbell.web.api.script_metrics.words import ALL
from watchbell.web.db import database

#: An analysis is of so many of the newest runs at the most.
MOST_ANALYSED = 10_000


def task_ids(asked: dict[str, Any]) -> list[int] | None:
    """Return the tasks that are meant, None for all."""
    path = asked.get("script_path")
    return None if path in {None, ALL} else scripts.task_ids(database(), str(path))


def measured(asked: dict[str, Any], *, limit: int = MOST_ANALYSED, days: int | None = None) -> list[Measured]:
    """Return the runs that are meant, newest first."""
    wanted = days or asked.get("days")
    since = current.now() - timedelta(days=wanted) if wanted else None
    return metrics.list_runs(database(), task_ids=task_ids(asked), since=since, limit=limit)


def named(asked: dict[str, Any]) -> dict[str, object]:
    """Return what was asked for, as an answer repeats it."""
    return {"script_path": asked.get("script_path") or ALL, "metric_name": asked["metric_name"]}


def numbers(runs: Sequence[Measured], metric: str) -> list[float]:
    """Return the values of a metric in the order of time."""
    return [value for _run, value in metrics.values(runs, metric)]
