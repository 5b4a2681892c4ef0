"""The family of device jobs (004): templates, orders, devices and their reports, at /api/v1."""

from __future__ import annotations

from watchbell.web.api.device_jobs import agents, devices, enrolment, executions, groups, library, schedules
from watchbell.web.api.device_jobs.family import FAMILY, blueprint

__all__ = ["FAMILY", "agents", "blueprint", "devices", "enrolment", "executions", "groups", "library", "schedules"]
