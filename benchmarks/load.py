"""What a hundred thousand tasks cost a scheduler: until all are loaded, and then with none of them due.

    python -m benchmarks.load [100000]

The tasks have schedules of many kinds in four zones, each with its own command and variables. CPU time is told beside the
time on the clock, because a shared machine's clock tells of the others, too. Baseline: the same with one task.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from sqlalchemy import insert

from benchmarks.idle import cpu_seconds, rss_mib
from benchmarks.lab import Lab, lab, table, wait_for
from watchbell import clock
from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.store.models import Task
from watchbell.store.tasks import next_change

#: Long enough for a pass of housekeeping, which begins 20 s after the start, to count for what it is: one in half an hour.
IDLE_SECONDS = 120
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")


def add_tasks(place: Lab, count: int) -> None:
    """Insert tasks that are due on a February 29 or, for every fourth, all in the same minute of it."""
    now, policies = clock.now(), Policies().to_json()
    with place.db.write() as session:
        change = next_change(session)
        rows = []
        for number in range(count):
            minute, hour = number % 60, number // 60 % 24
            text = f"{minute} {hour} 29 2 *" if number % 4 else "0 3 29 2 *"
            schedule = Schedule(ScheduleKind.CRON, expressions=(text,), zone=_ZONES[number // 4 % 4])
            rows.append(
                {
                    "name": f"task-{number}",
                    "version": 1,
                    "enabled": True,
                    "command": f"/usr/local/bin/job --number {number}",
                    "environment": {"NUMBER": str(number)},
                    "schedule": schedules.to_json(schedule),
                    "schedule_words": text,
                    "zone": schedule.zone,
                    "policies": policies,
                    "tags": [],
                    "comment": "",
                    "owner": "bench",
                    "host": "",
                    "cursor_at": now,
                    "change": change,
                    "created_at": now,
                    "created_by": "",
                    "updated_at": now,
                    "updated_by": "",
                }
            )
        session.execute(insert(Task.__table__), rows)  # type: ignore[arg-type]


def measure(count: int) -> tuple[float, float, float, float]:
    """Return the seconds until all tasks are loaded, on the clock and of CPU, then CPU percent at rest, and memory."""
    with lab() as place:
        add_tasks(place, count)
        begin = time.monotonic()
        with place.scheduler() as process:
            # A task that is due at once starts only when those before it have been read.
            moment = clock.now() - timedelta(seconds=1)
            place.add_tasks(1, "true", Schedule(ScheduleKind.MOMENT, moments=(moment,)), prefix="probe")
            wait_for(lambda: place.value("SELECT count(*) FROM run WHERE state = 'succeeded'") == 1, 300)
            loaded, cpu = time.monotonic() - begin, cpu_seconds(process.pid)
            time.sleep(1)
            before = cpu_seconds(process.pid)
            time.sleep(IDLE_SECONDS)
            return loaded, cpu, (cpu_seconds(process.pid) - before) / IDLE_SECONDS * 100, rss_mib(process.pid)


def main() -> None:
    """Print one table."""
    counts = [1, *([int(text) for text in sys.argv[1:]] or [100_000])]
    rows: list[tuple[object, ...]] = [(f"{count:,}", *measure(count)) for count in counts]
    head = ("tasks", "start to first run s", "CPU until then s", "idle CPU %", "RSS MiB")
    table("Many tasks", head, rows)


if __name__ == "__main__":
    main()
