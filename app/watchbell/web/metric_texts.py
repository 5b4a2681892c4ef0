"""Metrics and their values as people read them: a name, and a number with its unit."""

from __future__ import annotations

from collections.abc import Iterable

from watchbell.domain.samples import METRICS
from watchbell.web.i18n import grouped, lazy, signed_as_read
from watchbell.web.presenters import duration_words, size_words
from watchbell.web.spans import short_words

_TITLES = {
    "execution_time_seconds": lazy("Execution time"),
    "success": lazy("Success"),
    "timed_out": lazy("Time-outs"),
    "stdout_length": lazy("Standard output"),
    "stderr_length": lazy("Error output"),
    "cpu_avg": lazy("CPU, on average"),
    "cpu_max": lazy("CPU, at most"),
    "cpu_min": lazy("CPU, at least"),
    "memory_avg_mb": lazy("Memory, on average"),
    "memory_max_mb": lazy("Memory, at most"),
    "memory_min_mb": lazy("Memory, at least"),
    "sample_count": lazy("Samples"),
    "sampling_efficiency": lazy("Samples spared"),
    "user_time_seconds": lazy("CPU time in programs"),
    "system_time_seconds": lazy("CPU time in the kernel"),
    "max_memory_kb": lazy("Peak of the largest process in KiB"),
    "max_memory_mb": lazy("Peak of the largest process"),
    "page_faults_minor": lazy("Page faults, minor"),
    "page_faults_major": lazy("Page faults, major"),
    "block_input_ops": lazy("Blocks read"),
    "block_output_ops": lazy("Blocks written"),
    "voluntary_context_switches": lazy("Switches, voluntary"),
    "involuntary_context_switches": lazy("Switches, involuntary"),
    "memory_before": lazy("Memory at first"),
    "memory_after": lazy("Memory at last"),
    "memory_delta": lazy("Growth of memory"),
    "cpu_percent_before": lazy("CPU at first"),
    "cpu_percent_after": lazy("CPU at last"),
    "num_threads_before": lazy("Threads at first"),
    "num_threads_after": lazy("Threads at last"),
    "num_fds_before": lazy("Open files at first"),
    "num_fds_after": lazy("Open files at last"),
    "num_fds_delta": lazy("Growth of open files"),
    "start_lag_seconds": lazy("Start lag"),
    "queue_seconds": lazy("Time in the queue"),
    "output_bytes": lazy("Output"),
    "output_lines": lazy("Lines of output"),
    "processes_max": lazy("Processes, at most"),
    "cpu_seconds": lazy("CPU time"),
}
_UNITS = {**{name: unit for name, (unit, _meaning) in METRICS.items()}, "cpu_seconds": "s"}


def title(metric: str) -> str:
    """Return the name of a metric; one that a command has told itself keeps its own."""
    return str(_TITLES.get(metric, metric))


def choices(names: Iterable[str]) -> dict[str, str]:
    """Return all metrics by name with their titles, and those of the tasks themselves after them."""
    own = sorted({name for name in names if name not in METRICS})
    return {name: title(name) for name in (*METRICS, *own)}


def value(metric: str, number: float) -> str:
    """Return a value with its unit, as short as it can be read without a doubt."""
    unit = _UNITS.get(metric, "")
    sign, size = ("-" if number < 0 else ""), abs(number)
    if unit == "s":
        return sign + short_words(size)
    if unit == "bytes":
        return sign + size_words(round(size))
    return f"{plain(number)} {unit}".rstrip()


def tick(metric: str, number: float) -> str:
    """Return a round value as it stands beside the grid of a chart."""
    if _UNITS.get(metric) == "s" and number == int(number):
        return duration_words(number) if number > 0 else value(metric, number)
    return value(metric, number)


def plain(number: float) -> str:
    """Return a number with about three digits, or all of them before the point."""
    if abs(number) >= 100 or number == int(number):
        return grouped(number, 0)
    return signed_as_read(f"{number:.3g}" if abs(number) >= 0.001 else f"{number:.1e}")
