"""How soon a new life of the scheduler holds what the killed one had in flight, and knows what ended meanwhile.

    python -m benchmarks.recovery [--rounds 3] [200]

So many commands are in flight, a quarter of which end while no scheduler runs. It is killed with SIGKILL, they end, and another
one is started: counted is from that start until every row is held by the new life or holds its true exit code. Baseline:
the start of a scheduler that has nothing to take over, until it says that it is there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import commit, machine, median, say, table
from benchmarks.lab import START, Lab, lab, wait_for
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind

_LONG = "sleep 60"
#: Ends with an exit code of its own once the file is gone, which is while no scheduler runs.
_SHORT = "while [ -e {mark} ]; do sleep 0.5; done; exit 7"


@contextlib.contextmanager
def life(place: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """Run one life of a scheduler and kill it."""
    environment = place.config.process_environment()
    process = subprocess.Popen(
        [sys.executable, "-c", START], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def measure(count: int) -> tuple[float, float, int]:
    """Return the seconds of an empty start, those of a start with so many runs to take over, and how many were wrong."""
    with lab(max_running=count + 10) as place:
        begun = time.monotonic()
        with life(place):
            wait_for(lambda: lives(place) == 1, 30, 0.005)
            empty = time.monotonic() - begun
            time.sleep(1)
        mark = place.config.home / "mark"
        mark.touch()
        due = (clock.now() + timedelta(seconds=4)).replace(microsecond=0)
        schedule = Schedule(ScheduleKind.MOMENT, moments=(due,))
        place.add_tasks(count - count // 4, _LONG, schedule, prefix="long")
        place.add_tasks(count // 4, _SHORT.format(mark=mark), schedule, prefix="short")
        try:
            with life(place):
                wait_for(lambda: place.value("SELECT count(*) FROM run WHERE state = 'running'") == count, 60)
            mark.unlink()
            # The loops look twice a second.
            time.sleep(2)
            begun = time.monotonic()
            with life(place):
                wait_for(lambda: lives(place) == 3 and held(place) == count, 60, 0.005)
                taken = time.monotonic() - begun
                wrong = place.value(_WRONG)
            return empty, taken, int(wrong)
        finally:
            mark.unlink(missing_ok=True)
            end_commands(place)
            # One more life ends in good order, so that nothing stays in memory.
            with place.scheduler():
                place.wait_until_recorded(count, 60)


def lives(place: Lab) -> float:
    """Return how many lives of the scheduler there have been."""
    return place.value("SELECT count(*) FROM scheduler")


def held(place: Lab) -> float:
    """Return how many runs the newest life holds or has stored the true result of."""
    newest = place.rows("SELECT incarnation FROM scheduler ORDER BY started_at DESC LIMIT 1")[0][0]
    return place.value(
        "SELECT count(*) FROM run JOIN task ON task.id = run.task_id WHERE CASE WHEN task.name LIKE 'long%'"
        f" THEN run.state = 'running' AND run.holder = '{newest}' ELSE run.exit_code IS NOT NULL END"
    )


_WRONG = (
    "SELECT count(*) FROM run JOIN task ON task.id = run.task_id WHERE CASE WHEN task.name LIKE 'long%'"
    " THEN run.state != 'running' ELSE run.state != 'failed' OR run.exit_code != 7 END"
)


def end_commands(place: Lab) -> None:
    """End what still runs: each command leads a session whose number the database knows."""
    for pid, ticks in place.rows("SELECT pid, start_ticks FROM attempt WHERE ended_at IS NULL AND pid IS NOT NULL"):
        with contextlib.suppress(OSError):
            if int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]) == ticks:
                os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"\n{commit()}; {machine()}")
    rounds = []
    for number in range(options.rounds):
        rounds.append(measure(options.count))
        say(f"round {number + 1}: {rounds[-1][1]:.2f} s, an empty start {rounds[-1][0]:.2f} s, {rounds[-1][2]} wrong")
    empty, taken = ([each[column] for each in rounds] for column in (0, 1))
    rows = [
        ("start with nothing to take over", len(rounds), 0, median(empty), max(empty), 0),
        (
            "start after kill -9",
            len(rounds),
            options.count,
            median(taken),
            max(taken),
            sum(each[2] for each in rounds),
        ),
    ]
    table("Taking over after a kill", ("what", "rounds", "runs in flight", "median s", "longest s", "wrong"), rows)


if __name__ == "__main__":
    main()
