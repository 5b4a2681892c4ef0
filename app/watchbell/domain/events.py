"""What the outside hears of: the events of the outbox, under the names that they have on the wire.

A run's events are told in the words of the clients that know jobs; whatever they have no word for goes by its own name.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Name in the outbox -> name on the wire.
WIRE_NAMES: Mapping[str, str] = {
    "run_queued": "job_queued",
    "run_claimed": "job_claimed",
    "run_started": "job_started",
    "run_running": "job_running",
    "run_cancelling": "job_cancelling",
    "run_retry_wait": "job_retry_wait",
    "run_succeeded": "job_completed",
    "run_failed": "job_failed",
    "run_timed_out": "job_timeout",
    "run_cancelled": "job_cancelled",
    "run_lost": "job_lost",
    "run_skipped": "job_skipped",
    "run_missed": "job_missed",
    "run_decided": "job_decided",
    "task_created": "job_created",
    "task_updated": "job_updated",
    "task_deleted": "job_deleted",
    "paused": "paused",
    "resumed": "resumed",
    "queue_updated": "queue_updated",
    "queue_removed": "queue_removed",
    "alert_raised": "alert_raised",
    "alert_acknowledged": "alert_acknowledged",
    "alert_reopened": "alert_reopened",
    "device_job_changed": "job:status",
    "execution_changed": "execution:status",
    "scheduler_started": "scheduler_started",
    "scheduler_stopping": "scheduler_stopping",
    "scheduler_stopped": "scheduler_stopped",
}
#: After these nothing more is told of a run, but for what a person decides about a lost one.
ENDS = frozenset(f"job_{word}" for word in ("completed", "failed", "timeout", "cancelled", "lost", "skipped", "missed"))


def wire_name(kind: str) -> str:
    """Return what an event of the outbox is called on the wire; one that a newer version has written keeps its name."""
    return WIRE_NAMES.get(kind, kind)
