"""The numbers that every run is measured by: their names, what each means, and how they follow from what is recorded.

The names are those of the dashboard whose place this takes. Where its number was that of the wrong thing (of the runner
instead of the command, or of all commands so far instead of this one), ours is that of this run alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

#: What a fixed interval of the original's would have taken, which the share of the samples taken is told against.
FIXED_SECONDS = 0.1
_MIB = 1024 * 1024
_SECOND = timedelta(seconds=1)


class Summary(NamedTuple):
    """What the samples of one attempt come to, of all its processes together."""

    taken: int
    cpu_avg: float
    cpu_max: float
    cpu_min: float
    cpu_first: float
    cpu_last: float
    rss_avg: float
    rss_max: float
    rss_min: float
    rss_first: float
    rss_last: float
    processes_max: int
    threads_first: int
    threads_last: int
    #: Open files; not a number where they were not ours to count.
    handles_first: float
    handles_last: float


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of a run and of its last attempt, from which its numbers follow."""

    state: str
    due_at: datetime
    created_at: datetime
    #: When the first attempt was started.
    first_started_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    user_seconds: float | None = None
    system_seconds: float | None = None
    max_rss_kib: int | None = None
    minor_faults: int | None = None
    major_faults: int | None = None
    block_in: int | None = None
    block_out: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    stdout_bytes: int = 0
    stdout_lines: int | None = 0
    stderr_bytes: int = 0
    stderr_lines: int | None = 0
    #: None for an attempt that ended before its first sample.
    summary: Summary | None = None
    #: What the command itself has told.
    own: Mapping[str, float] = dataclasses.field(default_factory=dict)


#: Name -> (unit, what it is), in the order in which they are listed: first those of the original, then further ones.
METRICS: dict[str, tuple[str, str]] = {
    "execution_time_seconds": ("s", "from the start to the end of the last attempt"),
    "success": ("", "1 for a run that succeeded, else 0"),
    "timed_out": ("", "1 for a run that reached its time limit, else 0"),
    "stdout_length": ("bytes", "written to standard output, whether kept or not"),
    "stderr_length": ("bytes", "written to standard error, whether kept or not"),
    "cpu_avg": ("%", "of one core, over the whole time: exact where the kernel told the times, else of the samples"),
    "cpu_max": ("%", "of one core, at the highest sample"),
    "cpu_min": ("%", "of one core, at the lowest sample"),
    "memory_avg_mb": ("MiB", "resident, of all processes together, over the time of the samples"),
    "memory_max_mb": ("MiB", "the highest sample, or the peak of a single process where that is higher"),
    "memory_min_mb": ("MiB", "the lowest sample"),
    "sample_count": ("", "how many samples were taken"),
    "sampling_efficiency": ("%", "of the samples that one each 0.1 s would have been, how many were spared"),
    "user_time_seconds": ("s", "of CPU in programs"),
    "system_time_seconds": ("s", "of CPU in the kernel"),
    "max_memory_kb": ("KiB", "the peak of the largest process"),
    "max_memory_mb": ("MiB", "the same in MiB"),
    "page_faults_minor": ("", "without a disk being read"),
    "page_faults_major": ("", "with a disk being read"),
    "block_input_ops": ("", "reads of a disk"),
    "block_output_ops": ("", "writes to a disk"),
    "voluntary_context_switches": ("", "the command waited for something"),
    "involuntary_context_switches": ("", "the command had to give way"),
    "memory_before": ("MiB", "at the first sample"),
    "memory_after": ("MiB", "at the last sample"),
    "memory_delta": ("MiB", "how much more at the last sample than at the first"),
    "cpu_percent_before": ("%", "at the first sample"),
    "cpu_percent_after": ("%", "at the last sample"),
    "num_threads_before": ("", "at the first sample"),
    "num_threads_after": ("", "at the last sample"),
    "num_fds_before": ("", "open files at the first sample"),
    "num_fds_after": ("", "open files when they were last counted"),
    "num_fds_delta": ("", "how many more then than at first"),
    "start_lag_seconds": ("s", "from the moment at which it was due to its first start"),
    "queue_seconds": ("s", "from when its row was made to its first start"),
    "output_bytes": ("bytes", "written to both streams, whether kept or not"),
    "output_lines": ("", "of both streams, in what is kept of them"),
    "processes_max": ("", "most processes at a sample"),
}
#: Those that the original knew; an execution of the API has each of them, without a value where none can be known.
ORIGINAL = tuple(METRICS)[: tuple(METRICS).index("start_lag_seconds")]


def values_of(recorded: Recorded) -> dict[str, float]:
    """Return the numbers of a run; those that nobody can know are left out."""
    took = _seconds(recorded.started_at, recorded.ended_at)
    user, system = recorded.user_seconds, recorded.system_seconds
    found: dict[str, float | None] = {
        "execution_time_seconds": took,
        "success": float(recorded.state == "succeeded"),
        "timed_out": float(recorded.state == "timed_out"),
        "stdout_length": recorded.stdout_bytes,
        "stderr_length": recorded.stderr_bytes,
        "user_time_seconds": user,
        "system_time_seconds": system,
        "max_memory_kb": recorded.max_rss_kib,
        "max_memory_mb": None if recorded.max_rss_kib is None else recorded.max_rss_kib / 1024,
        "page_faults_minor": recorded.minor_faults,
        "page_faults_major": recorded.major_faults,
        "block_input_ops": recorded.block_in,
        "block_output_ops": recorded.block_out,
        "voluntary_context_switches": recorded.voluntary_switches,
        "involuntary_context_switches": recorded.involuntary_switches,
        "start_lag_seconds": _seconds(recorded.due_at, recorded.first_started_at),
        "queue_seconds": _seconds(recorded.created_at, recorded.first_started_at),
        "output_bytes": recorded.stdout_bytes + recorded.stderr_bytes,
        **_lines(recorded),
    }
    exact = (user + system) / took * 100 if took and user is not None and system is not None else None
    found |= _sampled(recorded.summary, took, exact, found["max_memory_mb"])
    known = {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}
    return {**{name: known[name] for name in METRICS if name in known}, **recorded.own}


def value_of(recorded: Recorded, metric: str) -> float | None:
    """Return one number of a run, None if it has none of that name."""
    if metric == "execution_time_seconds":
        # The one that is asked for most costs a tenth of them all.
        return _seconds(recorded.started_at, recorded.ended_at)
    return values_of(recorded).get(metric)


def _sampled(
    summary: Summary | None, took: float | None, exact: float | None, peak: float | None
) -> dict[str, float | None]:
    """Return what follows from the samples; what uses no time to be sampled is measured once, as a whole."""
    if summary is None:
        return {"cpu_avg": exact, "cpu_max": exact, "cpu_min": exact, "memory_max_mb": peak, "sample_count": 0.0,
                "sampling_efficiency": 0.0}  # fmt: skip
    rss = [value / _MIB for value in summary[6:11]]
    # What lived between two samples only is in the exact times, so a sample may be off from those to one side only.
    average = summary.cpu_avg if exact is None else exact
    fixed = math.floor(took / FIXED_SECONDS) if took else 0
    return {
        "cpu_avg": average,
        "cpu_max": max(summary.cpu_max, average),
        "cpu_min": min(summary.cpu_min, average),
        "memory_avg_mb": rss[0],
        "memory_max_mb": max(rss[1], peak or 0.0),
        "memory_min_mb": rss[2],
        "sample_count": summary.taken,
        "sampling_efficiency": max(0.0, (1 - summary.taken / fixed) * 100) if fixed else 0.0,
        "memory_before": rss[3],
        "memory_after": rss[4],
        "memory_delta": rss[4] - rss[3],
        "cpu_percent_before": summary.cpu_first,
        "cpu_percent_after": summary.cpu_last,
        "num_threads_before": summary.threads_first,
        "num_threads_after": summary.threads_last,
        "num_fds_before": summary.handles_first,
        "num_fds_after": summary.handles_last,
        "num_fds_delta": summary.handles_last - summary.handles_first,
        "processes_max": summary.processes_max,
    }


def _lines(recorded: Recorded) -> dict[str, float | None]:
    if recorded.stdout_lines is None or recorded.stderr_lines is None:
        # A run of a version that did not count them.
        return {"output_lines": None}
    return {"output_lines": recorded.stdout_lines + recorded.stderr_lines}


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    """Return the time between two moments; a clock that was set back in between makes it nothing, never less."""
    return None if since is None or until is None else max(0.0, (until - since) / _SECOND)
