"""A second door to the dashboard, for scripts that say ``scheduler_tools.RunDashboard(port=8080)``."""

from __future__ import annotations

from watchbell.dashboard import RunDashboard

__all__ = ["RunDashboard"]
