"""Many tasks due in the same second: how late they start, and at what rate, against a bare loop in the same run.

python -m benchmarks.burst [1000 10000]
"""

from __future__ import annotations

import sys
from datetime import timedelta

from benchmarks.lab import bare_loop, lab, parse, percentile, table, wait_for
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind


def measure(count: int, command: str) -> dict[str, float]:
    """Return the figures of one burst of real runs, each recorded durably at its start and at its end."""
    with lab() as place:
        due = (clock.now() + timedelta(seconds=6 + count / 1500)).replace(microsecond=0)
        place.add_tasks(count, command, Schedule(ScheduleKind.MOMENT, moments=(due,)))
        with place.scheduler():
            if clock.now() >= due:
                raise TimeoutError("loading the tasks took longer than the time until they were due")
            done = "SELECT count(*) FROM run WHERE state NOT IN ('queued','claimed','starting','running')"
            wait_for(lambda: place.value(done) >= count, 60 + count / 20)
        rows = place.rows("SELECT state, started_at, ended_at FROM run")
    start = [(parse(row[1]) - due.replace(tzinfo=None)).total_seconds() for row in rows if row[1]]
    end = max((parse(row[2]) - due.replace(tzinfo=None)).total_seconds() for row in rows)
    return {
        "succeeded": sum(row[0] == "succeeded" for row in rows),
        "rate": count / end,
        "p50": percentile(start, 0.5),
        "p99": percentile(start, 0.99),
        "last": max(start),
    }


def main() -> None:
    """Print one table; the bare loop is run before and after each burst, since a shared machine's speed drifts."""
    rows: list[tuple[object, ...]] = []
    for count in [int(text) for text in sys.argv[1:]] or [1000, 10_000]:
        for command in ("sh -c true", "true"):
            before, ours, after = bare_loop(count), measure(count, command), bare_loop(count)
            total, last = (before[-1] + after[-1]) / 2, (before[-2] + after[-2]) / 2
            lags = before[:-1] + after[:-1]
            p50, p99 = percentile(lags, 0.5), percentile(lags, 0.99)
            rows.append((f"bare posix_spawn of sh -c true, {count}", count, count / total, p50, p99, last, 1.0, 1.0))
            ratios = (ours["rate"] * total / count, ours["last"] / last)
            figures = (ours["rate"], ours["p50"], ours["p99"], ours["last"])
            rows.append((f"watchbell, {command!r}, {count}", int(ours["succeeded"]), *figures, *ratios))
    table(
        "Due in one second",
        ("what", "succeeded", "runs/s", "lag p50 s", "p99 s", "last s", "rate ratio", "last ratio"),
        rows,
    )


if __name__ == "__main__":
    main()
