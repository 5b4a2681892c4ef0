"""What it costs that commands are kept: runs per second of the same commands, bare and through keeper and Watcher.

Usage: PYTHONPATH=app python -m benchmarks.keeper [RUNS] [ROUNDS]

Every way runs RUNS times with 16 in flight, all ways in turn in each round; the medians are printed. "Bare" only spawns
and reaps. The others ask the keeper, which makes the mark, starts, waits and writes the record; then they read results and
output, and remove the files. Nothing is stored in a database. "Own ms" is the CPU time of this process alone.
"""

from __future__ import annotations

import os
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from watchbell.execution import Bundles, Command, Limits, Watcher, runtime_root, shell_command

IN_FLIGHT = 16
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}


def bare(argv: tuple[str, ...], runs: int) -> None:
    """Spawn and reap, nothing else."""
    epoll = select.epoll()
    going: dict[int, int] = {}
    started = ended = 0
    while ended < runs:
        while len(going) < IN_FLIGHT and started < runs:
            pid = os.posix_spawnp(argv[0], argv, ENVIRONMENT)
            descriptor = os.pidfd_open(pid)
            epoll.register(descriptor, select.EPOLLIN)
            going[descriptor] = pid
            started += 1
        for descriptor, _ in epoll.poll():
            os.wait4(going.pop(descriptor), 0)
            epoll.unregister(descriptor)
            os.close(descriptor)
            ended += 1


def through(watcher: Watcher, bundles: Bundles, argv: tuple[str, ...], runs: int) -> None:
    """Run under the keeper, with everything that a run is promised."""
    limits = Limits(time_seconds=60)
    command = Command(argv, {}, "/tmp", ENVIRONMENT)
    going = {}
    started = ended = 0
    while ended < runs:
        while len(going) < IN_FLIGHT and started < runs:
            going[started] = bundles.claim(str(started), 1)
            watcher.launch(started, going[started], command, limits)
            started += 1
        select.select([watcher], [], [])
        for finished in watcher.drain():
            assert finished.outcome.exit_code == 0, finished
            bundles.remove(going.pop(finished.key))
            ended += 1


def measure(way: Callable[[int], None], runs: int) -> tuple[float, float]:
    """Return runs per second and milliseconds of our own CPU per run."""
    before, begun = time.process_time(), time.perf_counter()
    way(runs)
    return runs / (time.perf_counter() - begun), (time.process_time() - before) / runs * 1000


def main() -> None:
    runs, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "5")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        on_tmpfs = Bundles(runtime_root(home), home / "active", 1 << 30)
        on_disk = Bundles(None, home / "active", 0)
        on_tmpfs.prepare()
        watcher, disk_watcher = Watcher(on_tmpfs, home / "output"), Watcher(on_disk, home / "output")
        watcher.start()
        disk_watcher.start()
        shell, direct = shell_command("true"), ("true",)
        ways: dict[str, Callable[[int], None]] = {
            "bare: sh -c true": lambda count: bare(shell, count),
            "bare: true, no shell": lambda count: bare(direct, count),
            "kept: sh -c true": lambda count: through(watcher, on_tmpfs, shell, count),
            "kept: true, no shell": lambda count: through(watcher, on_tmpfs, direct, count),
            "kept: sh -c true, files on disk": lambda count: through(disk_watcher, on_disk, shell, count),
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                results[name].append(measure(way, runs))
        watcher.stop()
        disk_watcher.stop()
        if (root := runtime_root(home)) is not None:
            root.rmdir()
    yardstick = statistics.median(rate for rate, _ in results["bare: sh -c true"])
    print(f"{'way':40} {'runs/s':>8} {'ratio':>6} {'own ms':>7}")
    for name, figures in results.items():
        rate, own = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:40} {rate:8.0f} {rate / yardstick:6.2f} {own:7.2f}")


if __name__ == "__main__":
    main()
