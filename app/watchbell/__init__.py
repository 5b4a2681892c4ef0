"""Watchbell, a self-hosted job scheduler.

The names offered here are loaded when they are first asked for: a program that only needs a rule from ``domain`` must
not pay for, or even have, the web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from watchbell.version import __version__

if TYPE_CHECKING:
    from watchbell.dashboard import RunDashboard

__all__ = ["RunDashboard", "__version__", "scheduler_tools"]


def __getattr__(name: str) -> object:
    if name == "RunDashboard":
        return importlib.import_module("watchbell.dashboard").RunDashboard
    if name == "scheduler_tools":
        return importlib.import_module("watchbell.scheduler_tools")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
