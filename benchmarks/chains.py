"""A chain of tasks: how long after the end of each does the next one start, and what of that is the chain's?

    python -m benchmarks.chains [1000]

Baseline, measured beside it with the same scheduler and command: as many tasks that were all asked for by hand, with room for one
at a time. Each of those starts when the one before it has ended, too, and no link is followed.
"""

from __future__ import annotations

import itertools
import sys
from typing import NamedTuple

from benchmarks.figures import cpu_seconds
from benchmarks.lab import Lab, lab, parse, percentile, table
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.services import triggers
from watchbell.store import chains, tasks

BY_HAND = Schedule(ScheduleKind.MANUAL)


class Found(NamedTuple):
    """What so many runs, one after the other, came to."""

    #: Seconds from the end of each run to the start of the next.
    lags: list[float]
    #: CPU seconds of the scheduler for each run, its start included.
    cpu: float


def measure(place: Lab, count: int) -> Found:
    """Let a scheduler run all of it."""
    with place.scheduler() as process:
        place.wait_until_recorded(count, 60 + count / 4)
        used = cpu_seconds(process.pid)
    rows = place.rows("SELECT state, started_at, ended_at FROM run ORDER BY started_at, id")
    if any(state != "succeeded" for state, _started, _ended in rows):
        raise RuntimeError("not all of the runs succeeded")
    lags = [(parse(after[1]) - parse(before[2])).total_seconds() for before, after in itertools.pairwise(rows)]
    return Found(lags, used / count)


def linked(count: int) -> Found:
    """Measure so many tasks, each of which runs after the one before it."""
    with lab() as place:
        place.add_tasks(count, "true", BY_HAND)
        ids = [number for (number,) in place.rows("SELECT id FROM task WHERE name LIKE 'task-%' ORDER BY id")]
        with place.db.write() as session:
            for parent, child in itertools.pairwise(ids):
                chains.put_links(session, child, {parent: "succeeded"}, 0)
            tasks.next_change(session)
        triggers.run_now(place.db, ids[0], now=clock.now(), actor="bench")
        return measure(place, count)


def queued(count: int) -> Found:
    """Measure as many tasks that wait for room, of which there is enough for one."""
    with lab(max_running=1) as place:
        place.add_tasks(count, "true", BY_HAND)
        for (number,) in place.rows("SELECT id FROM task WHERE name LIKE 'task-%' ORDER BY id"):
            triggers.run_now(place.db, number, now=clock.now(), actor="bench")
        return measure(place, count)


def main() -> None:
    """Print one table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    base, chain = queued(count), linked(count)
    middle = [percentile(found.lags, 0.5) * 1000 for found in (base, chain)]
    rows = [
        (
            name,
            len(found.lags) + 1,
            f"{percentile(found.lags, 0.5) * 1000:.1f}",
            f"{percentile(found.lags, 0.95) * 1000:.1f}",
            f"{found.cpu * 1000:.1f}",
        )
        for name, found in (("tasks that wait for room, one after the other", base), ("a chain of tasks", chain))
    ]
    heads = ("", "runs", "median ms", "95 % ms", "CPU ms/run")
    table("From the end of a run to the start of the next", heads, rows)
    print(f"\nThe chain adds {middle[1] - middle[0]:.1f} ms to a step, {middle[1] / middle[0]:.2f} times the baseline.")
    print(f"In CPU of the scheduler it adds {(chain.cpu - base.cpu) * 1000:.1f} ms, {chain.cpu / base.cpu:.2f} times.")


if __name__ == "__main__":
    main()
