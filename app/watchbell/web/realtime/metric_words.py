"""The words of the socket of metrics, which says the same to everybody and hears nobody."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from watchbell.services.metrics import Overview

_MIB = 1024 * 1024


def database_stats(found: Overview) -> dict[str, object]:
    """Return the numbers of the whole database."""
    return {
        "total_executions": found.counted.executions,
        "total_metrics": found.metrics,
        "total_alerts": found.alerts,
        "unique_scripts": found.counted.tasks,
        "total_execution_time_seconds": round(found.counted.seconds, 2),
        "database_file": found.database_file,
        "database_size_mb": round(found.database_bytes / _MIB, 2),
    }


def push_text(found: Overview, now: datetime) -> str:
    """Return what is pushed: the numbers of the database, how executions ended, and how long the newest took."""
    counted, took = found.counted, found.durations
    told = {
        **database_stats(found),
        # Everybody who may look gets the same text, so it names no place on the server.
        "database_file": Path(found.database_file).name,
        "execution_statistics": {
            "total_executions": counted.executions,
            "successful": counted.successful,
            "failed": counted.executions - counted.successful,
            "success_rate": round(counted.successful / counted.executions * 100, 2) if counted.executions else 0.0,
        },
        "performance_metrics": {
            "metric": "execution_time_seconds",
            "min": None if took is None else round(took.low, 3),
            "max": None if took is None else round(took.high, 3),
            "avg": None if took is None else round(took.mean, 3),
            "count": 0 if took is None else took.number,
        },
        "cached_at": now.isoformat(),
    }
    return json.dumps(told)
