"""What can be given to many tasks at once."""

from __future__ import annotations

#: What is each task's own, and what has a way of its own where many are changed; anything else can be given to many.
OWN = frozenset(
    {"name", "command", "steps", "environment", "parameters", "parameter_sets", "tags", "after", "join", "line_values"}
)
#: What the page offers of it.
ON_PAGE = ("enabled", "zone", "calendar", "calendar_rule", "not_before", "not_after", "environment_sets", "owner", "team",
           "host", "queue", "retries", "time_limit_seconds", "runbook", "links")  # fmt: skip
