"""What it takes to say what an edit of many tasks would do in the coming month.

    python -m benchmarks.simulation [--tasks 1000] [--schedules 1000]

Each task has one of so many schedules, most of them once a day and some each hour; all of them are moved to another zone. The
time is that from the question to the answer, with nothing kept from an earlier one, and that of a second question.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.services import bulk_edits, simulation, tasks
from watchbell.services.bulk_edits import Changes
from watchbell.services.simulation import Edit, Moments, Simulation
from watchbell.store import schema
from watchbell.store.session import Database

_DEFAULTS = Defaults(zone="UTC", owner="bench", host="bench")


def main() -> None:
    """Fill a database, ask, and print what it took."""
    parser = argparse.ArgumentParser(description="Simulate an edit of many tasks.")
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--schedules", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = Database.open(f"sqlite:///{Path(folder) / 'watchbell.db'}")
        schema.upgrade(db)
        ids = _fill(db, asked.tasks, asked.schedules)
        moments = Moments(clock.now())
        for words in ("first", "second"):
            started, worked = clock.monotonic(), time.process_time()
            found = _ask(db, ids, moments)
            taken, worked = clock.monotonic() - started, time.process_time() - worked
            told = f"{found.moved.count} runs moved, {moments.worked_out} moments worked out"
            print(f"{words}: {taken:.2f} s, of a processor {worked:.2f} s; {told}")
        db.close()


def _fill(db: Database, number: int, schedules: int) -> list[int]:
    ids = []
    with db.write() as session:
        own = db.within(session)
        for n in range(number):
            which = n % schedules
            hour = "*" if which % 20 == 0 else str(which // 60 % 24)
            fields = {"name": f"task-{n}", "command": "true", "cron": f"{which % 60} {hour} * * *"}
            ids.append(tasks.create(own, fields, now=clock.now(), actor="bench", defaults=_DEFAULTS).id)
    return ids


def _ask(db: Database, ids: list[int], moments: Moments) -> Simulation:
    changes = Changes({"zone": "America/New_York"})
    planned = bulk_edits.plan_definitions(db, ids, changes, now=clock.now(), defaults=_DEFAULTS)
    return simulation.of_edits(
        db, [Edit(task, definition) for task, definition in planned], now=clock.now(), moments=moments
    )


if __name__ == "__main__":
    main()
