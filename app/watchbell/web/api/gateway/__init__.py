"""The family of the gateway (000): jobs by their names, and their runs, at /api/jobs, /api/runs and beside them."""

from __future__ import annotations

from watchbell.web.api.gateway import jobs, runs, system
from watchbell.web.api.gateway.family import FAMILY, blueprint

__all__ = ["FAMILY", "blueprint", "jobs", "runs", "system"]
