"""What the benchmarks share: a scheduler of its own in a scratch directory, tasks in bulk, a bare loop to compare with."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from watchbell import clock
from watchbell.config import Config
from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.store import schema
from watchbell.store.models import Task, TaskRevision
from watchbell.store.session import Database, prepare_home
from watchbell.store.tasks import next_change

#: As many commands as the bare loop has in the air at once; the scheduler decides for itself.
IN_FLIGHT = 16
START = "import sys; from watchbell.config import Config; from watchbell.scheduler.main import run; sys.exit(run(Config.load()))"


@dataclasses.dataclass
class Lab:
    """A scratch data directory."""

    config: Config
    db: Database

    def add_tasks(self, count: int, command: str, schedule: schedules.Schedule, *, prefix: str = "task") -> None:
        """Insert many tasks in one transaction."""
        now = clock.now()
        cursor = min(now, min(schedule.moments, default=now) - timedelta(seconds=1))
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
    def scheduler(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a real scheduler for the length of the block."""
        process = subprocess.Popen(
            [sys.executable, "-c", START],
            env=self.config.process_environment(),
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: self.value("SELECT count(*) FROM scheduler WHERE stopped_at IS NULL") > 0, 30)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

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
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as folder:
        config = Config.load({"home": folder, "zone": "UTC", **overrides})
        prepare_home(config.home, config.database_url)
        db = Database.open(config.database_url)
        schema.upgrade(db)
        try:
            yield Lab(config, db)
        finally:
            db.close()


def wait_for(condition, seconds: float) -> None:
    """Wait until a condition holds; raise TimeoutError after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark's condition did not come true")
        time.sleep(0.05)


def bare_loop(count: int, argv: tuple[str, ...] = ("/bin/sh", "-c", "true")) -> list[float]:
    """Spawn and reap a command so many times and return the seconds from the beginning to each start."""
    poller = select.epoll()
    begin = time.perf_counter()
    starts: list[float] = []
    descriptors: dict[int, int] = {}
    while len(starts) < count or descriptors:
        while len(starts) < count and len(descriptors) < IN_FLIGHT:
            pid = os.posix_spawn(argv[0], argv, {"PATH": os.defpath})
            starts.append(time.perf_counter() - begin)
            descriptor = os.pidfd_open(pid)
            descriptors[descriptor] = pid
            poller.register(descriptor, select.EPOLLIN)
        for descriptor, _event in poller.poll():
            os.wait4(descriptors.pop(descriptor), 0)
            poller.unregister(descriptor)
            os.close(descriptor)
    poller.close()
    starts.append(time.perf_counter() - begin)
    return starts


def percentile(values: list[float], part: float) -> float:
    """Return the value below which the given part of the sorted values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def parse(text: str) -> datetime:
    """Return a time as the database stores it."""
    return datetime.fromisoformat(text)


def table(title: str, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Print a table."""
    cells = [tuple(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in [head, *cells]) for i in range(len(head))]
    print(f"\n{title}")
    for row in [head, *cells]:
        print(
            "  "
            + "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


HERE = Path(__file__).parent
