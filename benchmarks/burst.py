"""Many tasks due in the same second: how late they start, at what rate they are recorded, what CPU each one costs.

python -m benchmarks.burst [--rounds 3] [--command TEXT ...] [1000 10000]
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

from benchmarks.figures import BURST_HEAD, Burst, burst_row, commit, cpu_seconds, machine, say, table
from benchmarks.lab import Lab, lab, parse
from benchmarks.yardstick import DIRECT, SHELL, bare, between
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind

#: What the commands show: a text that only a shell of its own can run, one that the parent of every command answers
#: itself, and a program that needs no shell at all.
COMMANDS = ("sh -c 'true; :'", "sh -c true", "true", "/bin/true")
_IDLE_PART = 0.3


class NotReady(TimeoutError):
    """The scheduler still loaded its tasks when they became due."""


def measure(count: int, command: str) -> Burst:
    """Return the figures of one burst of real runs; a machine that is too busy to load in time is given more of it."""
    for seconds in (4.0, 12.0, 36.0):
        try:
            return _measure(count, command, seconds + count / 1200)
        except NotReady as error:
            say(f"{error}; once more with more time")
    raise TimeoutError("this machine is too busy to measure a burst on it")


def _measure(count: int, command: str, lead: float) -> Burst:
    with lab() as place:
        due = (clock.now() + timedelta(seconds=lead + 1)).replace(microsecond=0)
        place.add_tasks(count, command, Schedule(ScheduleKind.MOMENT, moments=(due,)))
        with place.scheduler() as process:
            before = cpu_before(process.pid, due.timestamp())
            recorded = place.wait_until_recorded(count, 60 + count / 20)
            used = cpu_seconds(process.pid) - before
        return read(place, due.timestamp(), count, recorded, used)


def cpu_before(pid: int, due: float) -> float:
    """Return the CPU time used until just before a moment; raises when the scheduler still loads its tasks then."""
    time.sleep(max(0.0, due - 1.0 - time.time()))
    earlier, at = cpu_seconds(pid), time.time()
    time.sleep(max(0.0, due - 0.4 - time.time()))
    now = cpu_seconds(pid)
    if time.time() >= due or now - earlier > _IDLE_PART * (time.time() - at):
        raise NotReady("loading the tasks took longer than the time until they were due")
    return now


def read(place: Lab, due: float, count: int, recorded: float, used: float) -> Burst:
    """Return the figures of a burst as the database tells them."""
    rows = place.rows("SELECT state, started_at FROM run")
    lags = [parse(f"{started}+00:00").timestamp() - due for _state, started in rows if started]
    return Burst(count, sum(state == "succeeded" for state, _ in rows), lags, recorded - due, used)


def main() -> None:
    """Print one table for each number of tasks; the bare loop is run before and after each burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", action="append", help="instead of the usual ones; may be given more than once")
    options = parser.parse_args()
    print(f"\n{commit()}; {machine()}; medians of {options.rounds} rounds")
    for count in options.counts:
        run(count, options.command or COMMANDS, options.rounds)


def run(count: int, commands: list[str] | tuple[str, ...], rounds: int) -> None:
    """Measure one number of tasks and print its table."""
    direct: list[Burst] = []
    bares: dict[str, list[Burst]] = {command: [] for command in commands}
    ours: dict[str, list[Burst]] = {command: [] for command in commands}
    for number in range(rounds):
        for command in commands:
            before = bare(count, SHELL)
            ours[command].append(measure(count, command))
            bares[command].append(between(before, bare(count, SHELL)))
            say(f"round {number + 1}: {command!r} at {ours[command][-1].rate:.0f} runs/s, bare {before.rate:.0f}")
        direct.append(bare(count, DIRECT))
    beside = bares[commands[-1]]
    every = [burst for bursts in bares.values() for burst in bursts]
    rows = [
        burst_row("bare loop, sh -c true", every, every),
        burst_row("bare loop, /bin/true", direct, beside),
        *(burst_row(f"watchbell, {command}", ours[command], bares[command]) for command in commands),
    ]
    table(f"{count} due in one second", BURST_HEAD, rows)


if __name__ == "__main__":
    main()
