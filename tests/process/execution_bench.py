"""What the tests of execution share: a data directory with a watcher, and looks at real processes."""

from __future__ import annotations

import dataclasses
import os
import select
import time
from pathlib import Path

from tests.waiting import wait_until
from watchbell.execution import (
    Bundle,
    Bundles,
    Command,
    Finished,
    Limits,
    Process,
    Watcher,
    runtime_root,
    shell_command,
)

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C"}
QUICK = Limits(time_seconds=30, grace_seconds=0.3)


@dataclasses.dataclass
class Bench:
    """One installation's run folders and its watcher."""

    home: Path
    bundles: Bundles
    watcher: Watcher
    finished: dict[object, Finished] = dataclasses.field(default_factory=dict)

    def claim(self, run_id: str = "r1") -> Bundle:
        return self.bundles.claim(run_id, 1)

    def start(
        self, command: str | tuple[str, ...], *, run_id: str = "r1", limits: Limits = QUICK, environment=None
    ) -> tuple[Bundle, Process]:
        """Launch a command, as text for the shell or as arguments, under its run id; return once it is known to run.

        One that ends at once has a process without a start time.
        """
        bundle = self.launch(command, run_id=run_id, limits=limits, environment=environment)
        process = wait_until(lambda: self._process(run_id))
        return bundle, process

    def launch(
        self,
        command: str | tuple[str, ...],
        *,
        run_id: str = "r1",
        limits: Limits = QUICK,
        environment=None,
        directory: str | None = None,
    ) -> Bundle:
        """Ask for a command to be started."""
        argv = shell_command(command) if isinstance(command, str) else command
        bundle = self.claim(run_id)
        ready = Command(argv, environment or ENVIRONMENT, directory or str(self.home))
        self.watcher.launch(run_id, bundle, ready, limits)
        return bundle

    def _process(self, run_id: str) -> Process | None:
        self.finished.update((item.key, item) for item in self.watcher.drain())
        if run_id in self.finished:
            return self.finished[run_id].process or Process(0, 0, "")
        found = self.watcher.started(run_id)
        return found[0] if found is not None else None

    def wait(self, run_id: str = "r1", timeout: float = 20) -> Finished:
        """Return the result of a run."""
        deadline = time.monotonic() + timeout
        while run_id not in self.finished:
            left = deadline - time.monotonic()
            assert left > 0, f"run {run_id} has not finished in {timeout} s"
            select.select([self.watcher], [], [], left)
            self.finished.update((item.key, item) for item in self.watcher.drain())
        return self.finished[run_id]

    def run(self, command: str | tuple[str, ...], **options) -> Finished:
        self.launch(command, **options)
        return self.wait(options.get("run_id", "r1"))


def make_bench(home: Path, *, keepers: int = 1) -> Bench:
    bundles = Bundles(runtime_root(home), home / "active", 1 << 30)
    bundles.prepare()
    watcher = Watcher(bundles, home / "output", keepers=keepers)
    watcher.start()
    return Bench(home, bundles, watcher)


def marked_processes(token: str) -> list[int]:
    """Return the living processes that carry a run's marker; independent of the product's own scan."""
    wanted = f"WATCHBELL_RUN_TOKEN={token}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # It ended while we looked.
    return found


def kept_bytes(finished: Finished, stream: str = "stdout") -> bytes:
    """Return what is kept of a stream, wherever it lies."""
    captured = getattr(finished, stream)
    return captured.path.read_bytes() if captured.path is not None else captured.data


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False  # It was reaped between the two looks.
