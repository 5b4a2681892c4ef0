"""What goes on of a job after its agent was killed: the step is a process, which is known again by when it began."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any

from watchbell import clock

_GRACE_SECONDS = 5.0
_KILL_SECONDS = 1.0
_LOOK_SECONDS = 0.05

log = logging.getLogger("watchbell.agent")


def mark(pid: int, place: str) -> dict[str, Any]:
    """Return what a process, which leads a group of its own, is known by to an agent that comes later in the same place."""
    return {"pid": pid, "began": _began(pid), "boot_id": _boot_id(), "place": place}


def end(process: object, place: str) -> bool:
    """End the group of a process that was marked, first asking it, and return whether there was one and it is gone.

    What was marked in another place is not left over: there an agent goes on, of whose folder this one is a copy.
    """
    if not isinstance(process, dict) or process.get("place") != place or not _is_there(process):
        return False
    log.warning("Process %s goes on without the agent that has started it, and is ended", process["pid"])
    for number, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        # It may have ended by itself, or be another user's, which only its own user may end.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process["pid"], number)
        until = clock.monotonic() + seconds
        while _is_there(process) and clock.monotonic() < until:
            clock.pause(_LOOK_SECONDS)
    return not _is_there(process)


def _is_there(process: dict[str, Any]) -> bool:
    """Return whether a process is still the one that was marked: numbers are given again, and moments are not."""
    began = _began(process.get("pid"))
    return began is not None and (began, _boot_id()) == (process.get("began"), process.get("boot_id"))


def _began(pid: object) -> int | None:
    """Return when a process began, in ticks since boot; None if it is not there or has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
