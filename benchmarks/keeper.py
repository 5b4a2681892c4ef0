"""What it costs that commands are kept: runs per second of the same commands, bare and through keeper and Watcher.

Usage: PYTHONPATH=app python -m benchmarks.keeper [RUNS] [ROUNDS]

Every way runs RUNS times with 16 in flight, all ways in turn in each round; the medians are printed. "Bare" only spawns
and reaps. The others ask the keeper, which makes the mark, starts, waits and writes the record; then they read results and
output, and remove the files. Nothing is stored in a database. "Own ms" is the CPU time of this process alone, "all ms" that of
the keeper and the commands, too.
"""

from __future__ import annotations

import os
import select
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import commit, cpu_seconds, machine, median, table
from benchmarks.yardstick import DIRECT, IN_FLIGHT, SHELL, bare
from watchbell.execution import Bundles, Command, Limits, Watcher, runtime_root

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}


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


def measure(way: Callable[[int], object], runs: int) -> tuple[float, float, float]:
    """Return runs per second and milliseconds of CPU per run, our own and everybody's."""
    own, everybody, begun = time.process_time(), cpu_seconds(os.getpid()), time.perf_counter()
    way(runs)
    passed = time.perf_counter() - begun
    used = (time.process_time() - own, cpu_seconds(os.getpid()) - everybody)
    return runs / passed, used[0] / runs * 1000, used[1] / runs * 1000


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
        ways: dict[str, Callable[[int], object]] = {
            "bare: sh -c true": lambda count: bare(count, SHELL),
            "bare: /bin/true": lambda count: bare(count, DIRECT),
            "kept: sh -c true": lambda count: through(watcher, on_tmpfs, SHELL, count),
            "kept: /bin/true": lambda count: through(watcher, on_tmpfs, DIRECT, count),
            "kept: sh -c true, files on disk": lambda count: through(disk_watcher, on_disk, SHELL, count),
        }
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                results[name].append(measure(way, runs))
        watcher.stop()
        disk_watcher.stop()
        if (root := runtime_root(home)) is not None:
            root.rmdir()
    print(f"\n{commit()}; {machine()}; medians of {rounds} rounds")
    yardstick = [rate for rate, _own, _all in results["bare: sh -c true"]]
    rows = []
    for name, figures in results.items():
        rate, own, everybody = (median(column) for column in zip(*figures, strict=True))
        ratio = median(figure[0] / bare_rate for figure, bare_rate in zip(figures, yardstick, strict=True))
        rows.append((name, f"{rate:.0f}", f"{ratio:.2f}", f"{own:.2f}", f"{everybody:.2f}"))
    table(
        f"{runs} commands, {IN_FLIGHT} in the air, no database",
        ("way", "runs/s", "rate ratio", "own ms", "all ms"),
        rows,
    )


if __name__ == "__main__":
    main()
