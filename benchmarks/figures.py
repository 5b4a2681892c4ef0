"""The figures of a burst and how they are printed. Only the standard library, so that peers' environments can use it."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Burst:
    """What became of so many commands that were due at the same moment; times are seconds after that moment."""

    due: int
    #: How many ran with exit code 0 and have a record that says so (or left their effect, where nothing is recorded).
    recorded: int
    #: How late each one started.
    lags: list[float]
    #: When the last record was in the system's own store.
    seconds: float
    #: CPU time of all processes of the system and of the commands, from just before the moment to the last record.
    cpu_seconds: float
    #: The name and version of what was measured.
    version: str = ""

    @property
    def rate(self) -> float:
        """Return recorded runs per second."""
        return self.recorded / self.seconds

    @property
    def last(self) -> float:
        """Return how late the last one started."""
        return max(self.lags)

    @property
    def cpu_ms(self) -> float:
        """Return milliseconds of CPU per run."""
        return self.cpu_seconds / max(1, self.recorded) * 1000


#: The columns of a table of bursts; the first one says what was measured.
BURST_HEAD = (
    "what",
    "due",
    "recorded",
    "runs/s",
    "lag p50 s",
    "p99 s",
    "last s",
    "CPU ms/run",
    "rate ratio",
    "last ratio",
    "CPU ratio",
)


def burst_row(name: str, bursts: Sequence[Burst], bare: Sequence[Burst]) -> tuple[object, ...]:
    """Return the medians over all rounds; each ratio is against the bare loop of the same round.

    A rate ratio of 1 is as fast as the bare loop, a last ratio of 1 as early, a CPU ratio of 1 as cheap.
    """
    pairs = list(zip(bursts, bare, strict=True))
    return (
        name,
        bursts[0].due,
        min(burst.recorded for burst in bursts),
        f"{median(burst.rate for burst in bursts):.0f}",
        median(percentile(burst.lags, 0.5) for burst in bursts),
        median(percentile(burst.lags, 0.99) for burst in bursts),
        median(burst.last for burst in bursts),
        median(burst.cpu_ms for burst in bursts),
        f"{median(ours.rate / theirs.rate for ours, theirs in pairs):.2f}",
        f"{median(ours.last / theirs.last for ours, theirs in pairs):.2f}",
        f"{median(ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs):.2f}",
    )


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which the given part of the sorted values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table that can go into a page of the documentation as it stands."""
    cells = [tuple(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in [tuple(head), *cells]) for i in range(len(head))]
    dashes = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    print(f"\n**{title}**\n")
    for row in [tuple(head), dashes, *cells]:
        padded = (
            text.rjust(width) if i else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print(f"| {' | '.join(padded)} |", flush=True)


def machine() -> str:
    """Return a sentence about the machine and how busy it was, without which no figure means anything."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load before {os.getloadavg()[0]:.1f}"
    )


def commit() -> str:
    """Return which version of the checkout was measured."""
    found = subprocess.run(
        ("git", "describe", "--always", "--dirty"),
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "no checkout"


def cpu_seconds(*roots: int) -> float:
    """Return the CPU time used so far by these processes, their living descendants and all that these have waited for."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and (fields := _stat(place)):
            pid = int(place.name)
            children.setdefault(int(fields[1]), []).append(pid)
            used[pid] = sum(map(int, fields[11:15])) / _TICK
    total, waiting = 0.0, list(roots)
    while waiting:
        pid = waiting.pop()
        total += used.get(pid, 0.0)
        waiting += children.get(pid, [])
    return total


def _stat(place: Path) -> list[str]:
    """Return the fields of a process from its state on, none when it has gone."""
    try:
        return (place / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def say(words: str) -> None:
    """Tell how far a long measurement has come, beside the tables."""
    print(words, file=sys.stderr, flush=True)
