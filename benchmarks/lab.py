"""What the benchmarks of the product share: a scheduler of its own in a scratch directory, and tasks in bulk."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.figures import percentile, table
from watchbell import clock
from watchbell.config import Config
from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.store import schema
from watchbell.store.models import Task, TaskRevision
from watchbell.store.session import Database, prepare_home
from watchbell.store.tasks import next_change

#: Rows that nothing happens to any more.
_FINAL = (
    "SELECT count(*) FROM run WHERE state IN ('succeeded','failed','timed_out','cancelled','lost','skipped','missed')"
)
__all__ = ["Lab", "lab", "lab_at", "parse", "percentile", "table", "wait_for"]

START = "import sys; from watchbell.config import Config; from watchbell.scheduler.main import run; sys.exit(run(Config.load()))"


@dataclasses.dataclass
class Lab:
    """A scratch data directory."""

    config: Config
    db: Database

    def add_tasks(
        self,
        count: int,
        command: str,
        schedule: schedules.Schedule,
        *,
        prefix: str = "task",
        since: datetime | None = None,
    ) -> None:
        """Insert many tasks in one transaction, due from ``since`` on."""
        now = clock.now()
        cursor = (since or min(now, *schedule.moments, now)) - timedelta(seconds=1)
        first = schedules.next_occurrence(schedule, cursor)
        with self.db.write() as session:
            change = next_change(session)
            tasks = [
                Task(
                    name=f"{prefix}-{number}",
                    command=command,
                    schedule=schedules.to_json(schedule),
                    schedule_words=schedules.describe(schedule),
                    zone=schedule.zone,
                    policies=Policies().to_json(),
                    environment={},
                    tags=[],
                    cursor_at=cursor,
                    next_due_at=first.due_at if first else None,
                    created_at=now,
                    updated_at=now,
                    change=change,
                    owner="bench",
                )
                for number in range(count)
            ]
            session.add_all(tasks)
            session.flush()
            definition = {
                "name": prefix,
                "command": command,
                "directory": None,
                "environment": {},
                "policies": Policies().to_json(),
            }
            session.add_all(TaskRevision(task_id=t.id, version=1, definition=definition, at=now) for t in tasks)

    @contextlib.contextmanager
    def scheduler(self, program: str = START) -> Iterator[subprocess.Popen[bytes]]:
        """Run a real scheduler for the length of the block; another ``program`` is the same with something around it."""
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=self.config.process_environment(),
            stdin=subprocess.DEVNULL,
            # It says nothing there, and what outlives it must not hold the pipe that a table goes into.
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: self.value("SELECT count(*) FROM scheduler WHERE stopped_at IS NULL") > 0, 30)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def wait_until_recorded(self, count: int, seconds: float) -> float:
        """Return the time at which the database held so many final rows; raises TimeoutError after some seconds.

        Another program's commit is noticed by SQLite's own mark, which is read from memory: looking at it a hundred
        times a second costs next to nothing, so the scheduler has the machine to itself.
        """
        deadline = time.monotonic() + seconds
        before = None
        with contextlib.closing(sqlite3.connect(self.config.home / "watchbell.db")) as connection:
            while time.monotonic() < deadline:
                mark = connection.execute("PRAGMA data_version").fetchone()
                now = time.time()
                if mark != before and connection.execute(_FINAL).fetchone()[0] >= count:
                    return now
                before = mark
                time.sleep(0.01)
        raise TimeoutError(f"{count} runs were not recorded within {seconds:.0f} s")

    def value(self, sql: str) -> float:
        """Return the single number that a query answers, read by another program's connection."""
        with contextlib.closing(sqlite3.connect(self.config.home / "watchbell.db")) as connection:
            return connection.execute(sql).fetchone()[0] or 0

    def rows(self, sql: str) -> list[tuple]:
        """Return the rows of a query."""
        with contextlib.closing(sqlite3.connect(self.config.home / "watchbell.db")) as connection:
            return connection.execute(sql).fetchall()


@contextlib.contextmanager
def lab(**overrides: object) -> Iterator[Lab]:
    """Give a scratch data directory with an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as folder, lab_at(Path(folder), **overrides) as place:
        yield place


@contextlib.contextmanager
def lab_at(folder: Path, **overrides: object) -> Iterator[Lab]:
    """Give a data directory in a folder that stays, with a migrated database."""
    config = Config.load({"home": folder, "zone": "UTC", **overrides})
    prepare_home(config.home, config.database_url)
    db = Database.open(config.database_url)
    schema.upgrade(db)
    try:
        yield Lab(config, db)
    finally:
        db.close()


def wait_for(condition: Callable[[], object], seconds: float, step: float = 0.05) -> None:
    """Wait until a condition holds; raise TimeoutError after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark's condition did not come true")
        time.sleep(step)


def parse(text: str) -> datetime:
    """Return a time as the database stores it."""
    return datetime.fromisoformat(text)
