"""How long commands take that people type all day: from pressing the enter key to the prompt.

    python -m benchmarks.command_line [--tasks 1000] [30]

Each command is started anew so many times, in turns, so that a busy moment of the machine meets all of them. Baselines: a
Python that does nothing, and one that only loads the library behind the database, which a quick command must do without.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.figures import median, percentile, table
from benchmarks.lab import lab
from watchbell.domain import schedule as schedules
from watchbell.domain.schedule import Schedule, ScheduleKind

#: What a listing of 1,000 tasks may take, in seconds.
GOAL_SECONDS = 0.3
_PROGRAM = (sys.executable, "-m", "watchbell")


def commands() -> Mapping[str, tuple[Sequence[str], Mapping[str, str]]]:
    """Return what is measured: argument list and further environment by name."""
    asked = {"_WATCHBELL_COMPLETE": "bash_complete", "COMP_WORDS": "watchbell task show task-1", "COMP_CWORD": "3"}
    return {
        "python that does nothing": ((sys.executable, "-c", ""), {}),
        "python with the database library": ((sys.executable, "-c", "import sqlalchemy.orm"), {}),
        "watchbell --help": ((*_PROGRAM, "--help"), {}),
        "watchbell task list": ((*_PROGRAM, "task", "list"), {}),
        "watchbell task list --json": ((*_PROGRAM, "task", "list", "--json"), {}),
        "watchbell list": ((*_PROGRAM, "list"), {}),
        "the names of tasks for the tab key": ((*_PROGRAM,), asked),
        "watchbell task show task-1": ((*_PROGRAM, "task", "show", "task-1"), {}),
        "watchbell runs": ((*_PROGRAM, "runs"), {}),
    }


def measure(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds that a command took, and those of CPU."""
    before, began = os.times(), time.monotonic()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    took, after = time.monotonic() - began, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Measure all commands and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=1000)
    options = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands()}
    with lab() as place:
        nightly = Schedule(ScheduleKind.CRON, expressions=("30 2 * * *",), zone="UTC")
        assert schedules.describe(nightly)
        place.add_tasks(options.tasks, "true", nightly)
        environment = place.config.process_environment()
        for round_number in range(options.rounds + 1):
            for name, (command, more) in commands().items():
                found = measure(command, {**environment, **more})
                # The first round reads the files from the disk.
                if round_number:
                    taken[name].append(found)
    rows = []
    bare = median(seconds for seconds, _ in taken["python that does nothing"])
    for name, found in taken.items():
        wall = [seconds for seconds, _ in found]
        middle = median(wall)
        rows.append(
            (name, min(wall), middle, percentile(wall, 0.9), median(cpu for _, cpu in found), f"{middle / bare:.1f}")
        )
    head = ("command", "least s", "median s", "p90 s", "CPU s", "times nothing")
    table(f"{options.rounds} rounds with {options.tasks:,} tasks; a listing may take {GOAL_SECONDS} s", head, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
