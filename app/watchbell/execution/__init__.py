"""Run one command on this machine so that neither it nor its result is lost when whoever started it dies.

``Bundles.claim`` chooses where the files of an attempt lie, ``Watcher.launch`` has the command started by a keeper that
outlives us; the ``Watcher`` follows any number of them in one thread, enforces the limits and hands out a ``Finished`` for each. After a restart ``Watcher.adopt``
takes over every bundle that ``Bundles.list`` still finds. Shared by scheduler and agent; knows no database.
"""

from __future__ import annotations

from watchbell.execution.bundle import Bundle, Bundles, runtime_root
from watchbell.execution.capture import Slice, read_captured, read_output
from watchbell.execution.command import Command, Limits, Reader, User, plain_argv, shell_command
from watchbell.execution.identity import Process
from watchbell.execution.kernel import become_subreaper
from watchbell.execution.outcome import Captured, Finished, Outcome, SamplePoint, Usage
from watchbell.execution.process import SpawnFailed, current_boot_id
from watchbell.execution.record import Meta
from watchbell.execution.tracking import Live
from watchbell.execution.watcher import Watcher

__all__ = [
    "Bundle",
    "Bundles",
    "Captured",
    "Command",
    "Finished",
    "Limits",
    "Live",
    "Meta",
    "Outcome",
    "Process",
    "Reader",
    "SamplePoint",
    "Slice",
    "SpawnFailed",
    "Usage",
    "User",
    "Watcher",
    "become_subreaper",
    "current_boot_id",
    "plain_argv",
    "read_captured",
    "read_output",
    "runtime_root",
    "shell_command",
]
