"""The family of the cron manager (002): one pipeline as a daemon at /api/cron, and whether all is well at /health."""

from __future__ import annotations

from watchbell.web.api.cron_manager import cron, health
from watchbell.web.api.cron_manager.family import FAMILY, blueprint

__all__ = ["FAMILY", "blueprint", "cron", "health"]
