"""What can be paused, by the one text that names it: everything, a queue or a task; and how a pause reads."""

from __future__ import annotations

from datetime import UTC, datetime

EVERYTHING = "everything"
QUEUE, TASK = "queue:", "task:"


def queue_scope(name: str) -> str:
    """Return the scope of one queue."""
    return f"{QUEUE}{name}"


def task_scope(task_id: int | str) -> str:
    """Return the scope of one task."""
    return f"{TASK}{task_id}"


def describe_pause(by: str, since: datetime, until: datetime | None, reason: str) -> str:
    """Return a pause in words, such as ``paused by ann since 2030-01-31 09:30 UTC: the disk is changed``."""
    end = f" until {minute(until)}" if until is not None else ""
    words = f"paused by {by} since {minute(since)}{end}"
    return f"{words}: {reason}" if reason else words


def minute(moment: datetime) -> str:
    """Return a moment to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
