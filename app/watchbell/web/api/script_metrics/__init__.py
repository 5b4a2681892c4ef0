"""The family of the script dashboard (003): scripts, executions, metrics and what they tell, at /api/scripts and beside it."""

from __future__ import annotations

from watchbell.web.api.script_metrics import analysis, executions, metrics, stats
from watchbell.web.api.script_metrics.family import FAMILY, blueprint

__all__ = ["FAMILY", "analysis", "blueprint", "executions", "metrics", "stats"]
