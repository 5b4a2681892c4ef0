"""What the peers' modules share. Each is a program of its own in the peers' environment and prints one burst as JSON.

    python -m benchmarks.peers.NAME [options] COUNT

The moment is chosen by the peer's module when everything is loaded and idle, so that no start-up is part of the figures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Burst, cpu_seconds

#: The variable that tells how many times as long as usual a peer may load.
PATIENCE = "BENCH_PATIENCE"
#: What each peer runs, in a process of its own.
COMMAND = ("sh", "-c", "true")
#: What a bare actor or task runs, and by which variables it is told the broker's address and where to leave its marks.
PROGRAM = ("/bin/true",)
BROKER, DONE = "BENCH_BROKER", "BENCH_DONE"


def run_command() -> tuple[float, float, int]:
    """Run the command as a program around such a library does, and return its start, its end and its exit code."""
    started = time.time()
    code = subprocess.run(COMMAND, check=False).returncode
    return started, time.time(), code


def leave_mark(file: str) -> None:
    """Add one byte to a file, which others do at the same time."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, b".")
    finally:
        os.close(descriptor)


class Ledger:
    """A durable record of runs for a peer that keeps none itself: one row and one commit for each, once it has ended."""

    def __init__(self, folder: Path, count: int) -> None:
        # One connection behind a lock: connections that wait for each other inside SQLite would be slower.
        self._connection = sqlite3.connect(folder / "runs.db", check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE run (number INTEGER PRIMARY KEY, started REAL, ended REAL, code INTEGER)"
        )
        self._lock = threading.Lock()
        self._left = count
        self._full = threading.Event()
        self._last_at = 0.0

    def add(self, number: int, started: float, ended: float, code: int) -> None:
        """Write down one run."""
        with self._lock:
            self._connection.execute("INSERT INTO run VALUES (?, ?, ?, ?)", (number, started, ended, code))
            self._last_at = time.time()
            self._left -= 1
            if not self._left:
                self._full.set()

    def wait(self, seconds: float) -> float:
        """Return when the last run was written down; what has not come after so many seconds does not come."""
        self._full.wait(seconds)
        return self._last_at

    def runs(self) -> list[tuple[float, int]]:
        """Return start and exit code of every run."""
        return self._connection.execute("SELECT started, code FROM run").fetchall()


def choose_moment(seconds: float) -> float:
    """Return the next whole second that is at least so far away, or several times as far on a busy machine."""
    return float(math.ceil(time.time() + seconds * float(os.environ.get(PATIENCE, "1"))))


def cpu_just_before(due: float, *roots: int) -> float:
    """Return the CPU time that these processes have used until just before the moment; raises when it has passed."""
    if time.time() >= due - 0.4:
        raise TimeoutError("loading took longer than the time until the moment")
    time.sleep(max(0.0, due - 0.4 - time.time()))
    return cpu_seconds(*roots)


def wait_for(condition: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Wait until a condition holds; return whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


@contextlib.contextmanager
def started(*argv: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of the block; what it says goes nowhere."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def to_burst(
    due: float, count: int, runs: list[tuple[float, int]], recorded_at: float, cpu: float, version: str
) -> Burst:
    """Return the burst that these starts and exit codes are."""
    succeeded = sum(code == 0 for _, code in runs)
    return Burst(count, succeeded, [start - due for start, _ in runs], recorded_at - due, cpu, version)


def tell(burst: Burst) -> None:
    """Hand a burst to the program that compares."""
    print(json.dumps(dataclasses.asdict(burst)))
