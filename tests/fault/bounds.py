"""What the experiments about limits and outputs share: runs by hand, and looks at processes, memory and files."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from watchbell import clock
from watchbell.execution import runtime_root
from watchbell.services import triggers

MIB = 1024 * 1024
LOOK_SECONDS = 0.005
FINAL = ("succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed")


def start(lab: Any, name: str, command: str, **fields: object) -> int:
    """Make a task, ask for a run of it and return the run's number."""
    return trigger(lab, lab.add(name, command, **fields).id)


def trigger(lab: Any, task_id: int) -> int:
    return int(triggers.run_now(lab.db, task_id, now=clock.now(), actor="tester").id)


def wait(lab: Any, run: int, timeout: float = 60) -> Any:
    """Return the row of a run when it has ended."""
    return lab.wait_for_state(run, *FINAL, timeout=timeout)


def seconds(row: Any) -> float:
    """Return how long a run has taken."""
    return (datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()


def is_alive(pid: int) -> bool:
    """Return whether a process lives; one that has ended and only waits to be waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


class Watch:
    """Looks every few milliseconds at what the active outputs occupy and how large the scheduler is."""

    def __init__(self, lab: Any, pid: int) -> None:
        root = runtime_root(lab.home, lab.config.runtime_dir)
        self._folders = [str(lab.home / "active"), *([str(root)] if root else [])]
        self._pid = pid
        self._base = rss_mib(pid)
        self.occupied_mib = 0.0
        self.grown_mib = 0.0
        #: The longest that this machine let somebody wait who only wanted to look.
        self.late_seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        looked = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            now = time.monotonic()
            self.late_seconds = max(self.late_seconds, now - looked - LOOK_SECONDS)
            looked = now
            found = 0
            for folder in self._folders:
                for place, _folders, names in os.walk(folder):
                    for name in names:
                        # Its run may have ended while we looked.
                        with contextlib.suppress(FileNotFoundError):
                            found += Path(place, name).stat().st_blocks * 512
            self.occupied_mib = max(self.occupied_mib, found / MIB)
            self.grown_mib = max(self.grown_mib, rss_mib(self._pid) - self._base)
