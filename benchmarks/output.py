"""What a command that never stops writing costs: 10 GB on stdout, through a scheduler and to a bare reader.

python -m benchmarks.output [10G] [rounds]

The bare reader takes the same bytes from a pipe in pieces of 1 MiB and keeps the first and the last one, which is the least
that anybody has to do who keeps a bounded part of an output. Through the scheduler the command writes to its file and the
middle is given back while it goes on. Memory is the growth of the scheduler's own resident set, the peak is what the output
occupies at most, looked at every 5 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.idle import rss_mib
from benchmarks.lab import Lab, lab, parse, table, wait_for
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.execution import runtime_root

MIB = 1024 * 1024
_UNITS = {"M": MIB, "G": 1024 * MIB}
_LOOK_SECONDS = 0.005


def bare_reader(size: int) -> float:
    """Return the seconds until a reader has taken all that the same command writes into a pipe."""
    begin = time.monotonic()
    with subprocess.Popen(["/usr/bin/head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        head = last = b""
        taken = 0
        while piece := os.read(process.stdout.fileno(), MIB):
            head = head or piece
            last = piece
            taken += len(piece)
    assert taken == size, (taken, len(head), len(last))
    return time.monotonic() - begin


def list_files(folder: Path) -> list[str]:
    """Return every file below a folder that may change while it is read."""
    return [f"{place}/{name}" for place, _folders, names in os.walk(folder) for name in names]


def occupied_by(file: str) -> int:
    """Return how many bytes a file occupies, none when it has been removed meanwhile."""
    try:
        return Path(file).stat().st_blocks * 512
    except FileNotFoundError:
        return 0


class Occupied:
    """Looks again and again at how much the files below some folders occupy, and how large the scheduler is."""

    def __init__(self, folders: list[Path], pid: int) -> None:
        self.bytes = 0
        self.rss = 0.0
        self._folders = folders
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            found = [name for folder in self._folders for name in list_files(folder)]
            self.bytes = max(self.bytes, sum(map(occupied_by, found)))
            self.rss = max(self.rss, rss_mib(self._pid))

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def through_scheduler(place: Lab, size: int, number: int) -> tuple[float, float, float, int]:
    """Return seconds, growth of memory in MiB, most MiB occupied, and bytes that the run says were dropped."""
    folders = [place.config.home / "active"]
    root = runtime_root(place.config.home, place.config.runtime_dir)
    if root is not None:
        folders.append(root)
    name = f"flood-{number}"
    done = f"SELECT count(*) FROM run JOIN task ON task.id = run.task_id WHERE task.name = '{name}-0' AND {{}}"
    with place.scheduler() as process:
        # The first run of a scheduler loads what every one needs; that is not what the flood costs.
        run_at_once(place, "seq 1 100000", f"first-{number}")
        wait_for(lambda: place.value("SELECT count(*) FROM output") > number * 2, 30)
        before = rss_mib(process.pid)
        occupied = Occupied(folders, process.pid)
        try:
            run_at_once(place, f"/usr/bin/head -c {size} /dev/zero", name)
            wait_for(lambda: place.value(done.format("run.ended_at IS NOT NULL")) == 1, 60 + size / (50 * MIB))
        finally:
            occupied.stop()
    assert place.value(done.format("run.state = 'succeeded'")) == 1, place.rows("SELECT state, reason FROM run")
    started, ended, dropped = place.rows(
        "SELECT attempt.started_at, attempt.ended_at, output.dropped FROM output"
        " JOIN attempt ON attempt.id = output.attempt_id ORDER BY output.attempt_id DESC LIMIT 1"
    )[0]
    return (parse(ended) - parse(started)).total_seconds(), occupied.rss - before, occupied.bytes / MIB, dropped


def run_at_once(place: Lab, command: str, name: str) -> None:
    """Add a task that is due now."""
    moment = clock.now() - timedelta(seconds=1)
    place.add_tasks(1, command, Schedule(ScheduleKind.MOMENT, moments=(moment,)), prefix=name)


def main() -> None:
    """Print one table."""
    words = sys.argv[1:]
    text = words[0] if words else "10G"
    size = int(text[:-1]) * _UNITS[text[-1]] if text[-1] in _UNITS else int(text)
    rounds = int(words[1]) if len(words) > 1 else 3
    rows: list[tuple[object, ...]] = []
    for place_name, settings in (("tmpfs", {}), ("disk", {"runtime_limit_mib": 0})):
        bare, ours = [], []
        with lab(**settings) as place:
            for number in range(rounds):
                bare.append(bare_reader(size))
                ours.append(through_scheduler(place, size, number))
        reader = statistics.median(bare)
        seconds = statistics.median(figures[0] for figures in ours)
        rows.append((f"bare reader, {text}", reader, 1.0, "", "", ""))
        peaks = (max(figures[column] for figures in ours) for column in (1, 2))
        rows.append((f"watchbell, {text} on {place_name}", seconds, seconds / reader, *peaks, ours[-1][3]))
    table(
        "A command that writes without end",
        ("what", "seconds", "ratio", "memory +MiB", "occupied MiB", "dropped"),
        rows,
    )


if __name__ == "__main__":
    main()
