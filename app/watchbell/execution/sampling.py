"""Samples of what the trees of running commands use; one pass over /proc serves all runs that are due."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from watchbell.domain.samples import Summary
from watchbell.execution import proc
from watchbell.execution.outcome import SamplePoint
from watchbell.execution.proc import TICKS, Stat

#: The first sample is taken after this time, so a shorter run costs nothing.
LEAST_SECONDS = 0.1
MOST_SECONDS = 1.0
#: Samples are taken at multiples of this, so that runs that were started together are looked at together.
TOGETHER_SECONDS = 0.025
#: A series never has more points; the older half is thinned when it would.
MOST_POINTS = 240
_STABLE_CHECKS = 10
_STABLE_PERCENT = 5.0
#: How often open files are counted, and of how many processes at the most: each of them is a folder to be listed.
_HANDLES_SECONDS = 1.0
_HANDLES_OF = 32


Run = TypeVar("Run", bound=Hashable)


def together(moment: float) -> float:
    """Return the moment at which a sample is taken that is due at another."""
    return math.ceil(moment / TOGETHER_SECONDS) * TOGETHER_SECONDS


@dataclasses.dataclass(slots=True)
class Totals:
    """What all samples of a run come to, also of those whose points were thinned out."""

    count: int = 0
    #: The time that the samples stand for, and CPU and memory by it: some stand for longer than others.
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rss_seconds: float = 0.0
    cpu: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    rss: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    #: The most that a single process held.
    largest: int = 0
    processes_max: int = 0
    threads: tuple[int, int] = (0, 0)
    handles: tuple[float, float] = (math.nan, math.nan)

    def add(self, cpu: float, rss: int, processes: int, threads: int, seconds: float) -> None:
        """Add a sample that stands for so many seconds."""
        self.count += 1
        self.seconds += seconds
        self.cpu_seconds += cpu * seconds
        self.rss_seconds += rss * seconds
        self.cpu = _stretched(self.cpu, cpu) if self.count > 1 else (cpu, cpu, cpu, cpu)
        self.rss = _stretched(self.rss, rss) if self.count > 1 else (rss, rss, rss, rss)
        self.processes_max = max(self.processes_max, processes)
        self.threads = (self.threads[0] or threads, threads)

    def summary(self) -> Summary | None:
        """Return what the samples come to, None if there are none."""
        if not self.count:
            return None
        means = (self.cpu_seconds / self.seconds, self.rss_seconds / self.seconds)
        return Summary(
            self.count, means[0], *self.cpu, means[1], *self.rss, self.processes_max, *self.threads, *self.handles
        )


def _stretched(known: tuple[float, float, float, float], value: float) -> tuple[float, float, float, float]:
    """Return highest, lowest, first and last with one more value."""
    highest, lowest, first, _last = known
    return max(highest, value), min(lowest, value), first, value


@dataclasses.dataclass(slots=True)
class Series:
    """The samples of one run and when the next is due.

    Every 0.1 s; after ten looks in a row at which the last three CPU values lay within five points, half as long
    again, up to a second.
    """

    started: float
    interval: float = LEAST_SECONDS
    points: list[SamplePoint] = dataclasses.field(default_factory=list)
    totals: Totals = dataclasses.field(default_factory=Totals)
    #: CPU ticks of each process at the last look, by (pid, start).
    _ticks: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    _looked: float = 0.0
    _recent: tuple[float, ...] = ()
    _stable: int = 0
    _spacing: float = 0.0
    #: When open files are counted next.
    _count_at: float = 0.0

    def add(self, processes: Iterable[Stat], now: float) -> None:
        """Take one sample of the run's processes."""
        ticks = {}
        used = count = rss = threads = 0
        for process in processes:
            identity = (process.pid, process.start_ticks)
            ticks[identity] = process.cpu_ticks
            used += process.cpu_ticks - self._ticks.get(identity, 0)
            rss += process.rss_bytes
            self.totals.largest = max(self.totals.largest, process.rss_bytes)
            threads += process.threads
            count += 1
        passed = now - (self._looked or self.started)
        self._ticks, self._looked = ticks, now
        if not count or passed <= 0:
            return
        cpu = round(used / TICKS / passed * 100, 1)
        self.totals.add(cpu, rss, count, threads, passed)
        self._adapt(cpu)
        elapsed = now - self.started
        if not self.points or elapsed - self.points[-1][0] >= self._spacing:
            self.points.append((round(elapsed, 3), cpu, rss, count))
        if len(self.points) > MOST_POINTS:
            # The first and the newest point stay; in between every other one goes, and points come half as often.
            self.points = self.points[:-1:2] + self.points[-1:]
            self._spacing = max(self._spacing * 2, elapsed / MOST_POINTS)

    def count_handles(self, processes: Iterable[Stat], now: float) -> None:
        """Count the open files of the run's processes, if it is time for that."""
        if now < self._count_at:
            return
        self._count_at = now + _HANDLES_SECONDS
        count = proc.count_handles(process.pid for process in itertools.islice(processes, _HANDLES_OF))
        if not math.isnan(count):
            first = self.totals.handles[0]
            self.totals.handles = (count if math.isnan(first) else first, count)

    def _adapt(self, cpu: float) -> None:
        self._recent = (*self._recent[-2:], cpu)
        steady = len(self._recent) == 3 and max(self._recent) - min(self._recent) <= _STABLE_PERCENT
        self._stable = self._stable + 1 if steady else 0
        if not steady:
            self.interval = LEAST_SECONDS
        elif self._stable >= _STABLE_CHECKS:
            self.interval = min(self.interval * 1.5, MOST_SECONDS)
            self._stable = 0


def group_by_session(
    processes: Mapping[int, Stat], leaders: Mapping[int, Run], strays: Mapping[int, Run]
) -> dict[Run, list[Stat]]:
    """Return the processes of each run, by session or by descent.

    ``leaders`` maps the commands' own processes to runs. ``strays`` maps
    orphans that have left their run's session.
    """
    groups: dict[Run, list[Stat]] = {}
    verdicts: dict[int, Run | None] = {}
    for pid, process in processes.items():
        run = _owner(pid, processes, leaders, strays, verdicts)
        if run is not None and process.state != "Z":
            groups.setdefault(run, []).append(process)
    return groups


def _owner(
    pid: int,
    processes: Mapping[int, Stat],
    leaders: Mapping[int, Run],
    strays: Mapping[int, Run],
    verdicts: dict[int, Run | None],
) -> Run | None:
    """Return the run of a process, walking up until that is decided."""
    path: list[int] = []
    found: Run | None = None
    # The table was read one process at a time, so a reused number could close a circle.
    while pid in processes and pid not in path:
        if pid in verdicts:
            found = verdicts[pid]
            break
        path.append(pid)
        found = leaders.get(processes[pid].session) or strays.get(pid)
        if found is not None:
            break
        pid = processes[pid].parent
    for place in path:
        verdicts[place] = found
    return found
