"""What a scheduler costs that has nothing to do: CPU and memory with tasks that are not due, and its start-up.

python -m benchmarks.idle [0 1000 10000]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.lab import lab, table, wait_for
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind

SECONDS = 20
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def bare_interpreter() -> tuple[float, float]:
    """Return what a Python process costs that only sleeps: the baseline."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        wait_for(lambda: rss_mib(process.pid) > 5, 10)
        before = cpu_seconds(process.pid)
        time.sleep(3)
        return (cpu_seconds(process.pid) - before) / 3 * 100, rss_mib(process.pid)
    finally:
        process.kill()
        process.wait()


def measure(count: int) -> tuple[float, float, float]:
    """Return start-up seconds, idle CPU percent and memory of a scheduler with so many tasks."""
    with lab() as place:
        schedule = Schedule(ScheduleKind.CRON, expressions=("0 3 29 2 *",), zone="Europe/Berlin")
        if count:
            place.add_tasks(count, "true", schedule)
        # The last of the tasks to be read is due at once, so that its start says that all of them are loaded.
        moment = clock.now() - timedelta(seconds=1)
        begin = time.monotonic()
        with place.scheduler() as process:
            place.add_tasks(1, "true", Schedule(ScheduleKind.MOMENT, moments=(moment,)), prefix="probe")
            wait_for(lambda: place.value("SELECT count(*) FROM run WHERE state = 'succeeded'") == 1, 60)
            started = time.monotonic() - begin
            time.sleep(1)
            before = cpu_seconds(process.pid)
            time.sleep(SECONDS)
            return started, (cpu_seconds(process.pid) - before) / SECONDS * 100, rss_mib(process.pid)


def main() -> None:
    """Print one table."""
    bare_cpu, bare_rss = bare_interpreter()
    rows: list[tuple[object, ...]] = [("python that sleeps", "-", bare_cpu, bare_rss, 1.0)]
    for count in [int(text) for text in sys.argv[1:]] or [0, 1000, 10_000]:
        started, cpu, rss = measure(count)
        rows.append((f"scheduler, {count} tasks not due", started, cpu, rss, rss / bare_rss))
    table("Idle", ("what", "start to first run s", "CPU %", "RSS MiB", "RSS ratio"), rows)


if __name__ == "__main__":
    main()
