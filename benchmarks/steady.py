"""A steady load: 1,000 tasks that are due each minute, spread over the minute or all at its beginning; how late do they start?

    python -m benchmarks.steady [--minutes 3] [--command TEXT] [1000]

Baselines, measured beside each: for the spread load a program that sleeps until each moment of one minute and spawns the same
command; for the other a bare loop. Both record nothing.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import datetime, timedelta

from benchmarks.burst import cpu_before
from benchmarks.figures import commit, cpu_seconds, machine, percentile, say, table
from benchmarks.lab import Lab, lab, parse
from benchmarks.yardstick import DIRECT, SHELL, bare
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind

MINUTE = 60


def spread(count: int, command: str, minutes: int) -> tuple[list[float], float, int]:
    """Return start lags, CPU ms per run and the number of runs without success; one task for each moment."""
    begin = clock.now().replace(microsecond=0) + timedelta(seconds=12 + count / 200)
    with lab() as place:
        for second in range(MINUTE):
            # A schedule knows whole seconds, so each has its share.
            share = count * (second + 1) // MINUTE - count * second // MINUTE
            moments = tuple(begin + timedelta(minutes=minute, seconds=second) for minute in range(minutes))
            place.add_tasks(share, command, Schedule(ScheduleKind.MOMENT, moments=moments), prefix=f"at-{second}")
        return run(place, count * minutes, begin)


def at_once(count: int, command: str, minutes: int) -> tuple[list[float], float, int]:
    """Return the same for tasks that are all due at the beginning of each minute, by a cron text."""
    with lab() as place:
        begin = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        if (begin - clock.now()).total_seconds() < 12 + count / 200:
            begin += timedelta(minutes=1)
        place.add_tasks(count, command, Schedule(ScheduleKind.CRON, expressions=("* * * * *",)), since=begin)
        return run(place, count * minutes, begin)


def run(place: Lab, count: int, begin: datetime) -> tuple[list[float], float, int]:
    """Let a scheduler run until so many runs are recorded, and return what became of them."""
    with place.scheduler() as process:
        before = cpu_before(process.pid, begin.timestamp())
        place.wait_until_recorded(count, 200 + count / 5)
        cpu = cpu_seconds(process.pid) - before
    rows = place.rows(f"SELECT state, due_at, started_at FROM run ORDER BY due_at LIMIT {count}")
    lags = [(parse(started) - parse(due)).total_seconds() for _state, due, started in rows if started]
    return lags, cpu / count * 1000, sum(state != "succeeded" for state, _due, _started in rows)


def sleeper(count: int, argv: tuple[str, ...]) -> list[float]:
    """Return how late a program starts commands that does nothing but sleep until each moment of one minute and spawn."""
    begin, lags, step = time.time() + 0.5, [], MINUTE / count
    for number in range(count):
        due = begin + number * step
        time.sleep(max(0.0, due - time.time()))
        lags.append(time.time() - due)
        os.waitpid(os.posix_spawn(argv[0], argv, {"PATH": os.defpath}), 0)
    return lags


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--command", default="true")
    options = parser.parse_args()
    count, minutes = options.count, options.minutes
    print(f"\n{commit()}; {machine()}")
    rows: list[tuple[object, ...]] = []

    def add(name: str, lags: list[float], cpu: float | str, other: int | str) -> None:
        figures = [percentile(lags, part) for part in (0.5, 0.99)]
        rows.append((name, len(lags), *figures, max(lags), cpu, other))
        say(f"{name}: p99 {figures[1]:.3f} s")

    add("spread: sleep and spawn sh -c true", sleeper(count, SHELL), "-", "-")
    add(f"spread: watchbell, {options.command}", *spread(count, options.command, minutes))
    burst = bare(count, SHELL)
    add("at once: bare loop, sh -c true", burst.lags, burst.cpu_ms, count - burst.recorded)
    burst = bare(count, DIRECT)
    add("at once: bare loop, /bin/true", burst.lags, burst.cpu_ms, count - burst.recorded)
    add(f"at once: watchbell, {options.command}", *at_once(count, options.command, minutes))
    head = ("what", "runs", "lag p50 s", "p99 s", "last s", "CPU ms/run", "no success")
    table(f"{count} due per minute, {minutes} minutes", head, rows)


if __name__ == "__main__":
    main()
