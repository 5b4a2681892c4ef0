"""Samples of what the trees of running commands use; one pass over /proc serves all runs that are due."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from watchbell.execution.outcome import SamplePoint
from watchbell.execution.proc import TICKS, Stat

#: The first sample is taken after this time, so a shorter run costs nothing.
LEAST_SECONDS = 0.1
MOST_SECONDS = 1.0
#: A series never has more points; the older half is thinned when it would.
MOST_POINTS = 240
_STABLE_CHECKS = 10
_STABLE_PERCENT = 5.0


Run = TypeVar("Run", bound=Hashable)


@dataclasses.dataclass(slots=True)
class Series:
    """The samples of one run and when the next is due.

    Every 0.1 s; after ten looks in a row at which the last three CPU values lay within five points, half as long
    again, up to a second.
    """

    started: float
    interval: float = LEAST_SECONDS
    points: list[SamplePoint] = dataclasses.field(default_factory=list)
    #: CPU ticks of each process at the last look, by (pid, start).
    _ticks: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    _looked: float = 0.0
    _recent: tuple[float, ...] = ()
    _stable: int = 0
    _spacing: float = 0.0

    def add(self, processes: Iterable[Stat], now: float) -> None:
        """Take one sample of the run's processes."""
        ticks = {}
        used = count = rss = 0
        for process in processes:
            identity = (process.pid, process.start_ticks)
            ticks[identity] = process.cpu_ticks
            used += process.cpu_ticks - self._ticks.get(identity, 0)
            rss += process.rss_bytes
            count += 1
        passed = now - (self._looked or self.started)
        self._ticks, self._looked = ticks, now
        if not count or passed <= 0:
            return
        cpu = round(used / TICKS / passed * 100, 1)
        self._adapt(cpu)
        elapsed = now - self.started
        if not self.points or elapsed - self.points[-1][0] >= self._spacing:
            self.points.append((round(elapsed, 3), cpu, rss, count))
        if len(self.points) > MOST_POINTS:
            # The first and the newest point stay; in between every other one goes, and points come half as often.
            self.points = self.points[:-1:2] + self.points[-1:]
            self._spacing = max(self._spacing * 2, elapsed / MOST_POINTS)

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
