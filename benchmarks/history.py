"""What a long history costs: the same turns and lists with 10,000 and with 10,000,000 occurrences in the database.

    python -m benchmarks.history [--at FOLDER] [10000 10000000]

Both databases have the same tasks, the same number of runs a day and the same states; only one goes back further. With
``--at`` the filled databases are kept there and used again. Ten million take about ten minutes and fifteen gigabytes.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.lab import Lab, lab_at, table
from watchbell import clock
from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind
from watchbell.services import attention, runs, tasks, totals
from watchbell.services.runs import RunFilter
from watchbell.services.tickets import DueTask, Result, Ticket, Turn
from watchbell.services.turns import take_turn
from watchbell.store import ledger
from watchbell.store.ledger import RESULT_COLUMNS

TASKS = 1000
A_DAY = 100_000
ROUNDS = 30
#: Of a thousand runs so many end so; what is left has succeeded.
_STATES = (("failed", 10), ("skipped", 8), ("missed", 3), ("timed_out", 2), ("cancelled", 1), ("lost", 1))


Measure = Callable[[], float]


class Subject:
    """One database under measurement."""

    def __init__(self, place: Lab) -> None:
        self._db = place.db
        self.count = int(place.value("SELECT count(*) FROM run"))
        self.bytes_each = (place.config.home / "watchbell.db").stat().st_size / self.count
        self._tasks = tasks.list_page(self._db, limit=64, sort="id").tasks
        self._middle = int(place.value("SELECT max(id) FROM run")) // 2
        self._round = 0
        self._born: list[Ticket] = []

    def measures(self) -> dict[str, Measure]:
        """Return everything that is measured, by what it is called; each returns the seconds that it took."""
        one = self._tasks[7].id
        hour = clock.now() - timedelta(hours=1)
        lists = {
            "newest runs": RunFilter(),
            "of one task": RunFilter(task_id=one),
            "failed": RunFilter(states=("failed",)),
            "failed or timed out or lost": RunFilter(states=("failed", "timed_out", "lost")),
            "succeeded": RunFilter(states=("succeeded",)),
            "failed of one task": RunFilter(task_id=one, states=("failed",)),
            "lost of the last hour": RunFilter(states=("lost",), since=hour),
            "by hand": RunFilter(trigger="manual"),
            "search: name of a task": RunFilter(search="task-77"),
            "search: a word of a reason": RunFilter(search="timed_out"),
            "search: nothing found": RunFilter(search="no such word"),
        }
        return {
            "turn: 64 due become rows": self._materialise,
            "turn: 64 results": self._end,
            "turn: 64 of the queue are claimed": self._claim,
            "turn: 64 more results": self._end,
            **{f"list, {name}": self._list(chosen) for name, chosen in lists.items()},
            "list, a page from the middle": lambda: timed(
                lambda: runs.list_page(self._db, before_id=self._middle, limit=50)
            ),
            "page of one run": lambda: timed(lambda: runs.get_detail(self._db, self._middle)),
            "overview, today in UTC": lambda: self._overview(0),
            "overview, today in Tokyo": lambda: self._overview(9),
            "tasks that need attention": lambda: timed(lambda: attention.list_troubles(self._db, now=clock.now())),
            "list of tasks with their last 30": lambda: timed(lambda: tasks.list_page(self._db, limit=25, recent=30)),
            "totals of a task over 30 days": lambda: timed(
                lambda: totals.list_days(
                    self._db, since=clock.now().date() - timedelta(days=30), until=clock.now().date(), task_id=one
                )
            ),
        }

    def _list(self, chosen: RunFilter) -> Measure:
        return lambda: timed(lambda: runs.list_page(self._db, chosen, limit=50))

    def _overview(self, hours: int) -> float:
        local = clock.now() + timedelta(hours=hours)
        start = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=hours)
        return timed(lambda: runs.overview(self._db, day_start=start))

    def _turn(self, **values: object) -> float:
        turn = Turn(now=clock.now(), holder="bench", actor="bench", room=64, **values)  # type: ignore[arg-type]
        begin = time.perf_counter()
        self._born = list(take_turn(self._db, turn).tickets)
        return time.perf_counter() - begin

    def _materialise(self) -> float:
        self._round += 1
        at = clock.now()
        due = []
        for task in self._tasks:
            occurrence = Occurrence(at, f"bench:{at.isoformat()}", at.replace(tzinfo=None), 0, "UTC")
            verdict = Verdict(occurrence, is_missed=False, trigger=Trigger.SCHEDULE)
            due.append(
                DueTask(
                    task_id=task.id,
                    name=task.name,
                    version=1,
                    change=task.change,
                    zone="UTC",
                    overlap=Overlap.SKIP,
                    verdicts=[verdict],
                    cursor_at=at,
                    next_due_at=at + timedelta(days=1),
                )
            )
        took = self._turn(due=due, claims=False)
        if len(self._born) != len(due):
            raise RuntimeError("not all that was due has become a row")
        return took

    def _end(self) -> float:
        now = clock.now()
        attempt: dict[str, object] = {f"new_{name}": None for name in RESULT_COLUMNS}
        attempt |= {
            "new_started_at": now,
            "new_ended_at": now,
            "new_exit_code": 0,
            "new_reason": "exit code 0",
            "new_folder": "",
        }
        results = [
            Result(ticket, RunState.STARTING, (RunState.SUCCEEDED,), "exit code 0", attempt) for ticket in self._born
        ]
        return self._turn(results=results, claims=False)

    def _claim(self) -> float:
        now = clock.now()
        with self._db.write() as session:
            made = ledger.insert_runs(
                session,
                [
                    {
                        "task_id": task.id,
                        "task_name": task.name,
                        "task_version": 1,
                        "occurrence_key": f"man:{now.isoformat()}",
                        "trigger": "schedule",
                        "due_at": now,
                        "state": "queued",
                        "created_at": now,
                    }
                    for task in self._tasks
                ],
            )
        took = self._turn()
        if len(self._born) != len(made):
            raise RuntimeError("not all that waited was claimed")
        return took


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def fill(file: Path, count: int, newest: datetime, tasks: int = TASKS) -> None:
    """Put so many runs, with their attempts and transitions, into a database that has the tasks."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {pragma}")
        # Made once at the end they are made in order, which is many times as fast.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name IN ('run', 'attempt', 'run_event')"
        ).fetchall()
        for name, _sql in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("BEGIN")
        connection.execute(_RUNS, {"count": count, "newest": int(newest.timestamp()), "tasks": tasks, "day": A_DAY})
        connection.execute(_ATTEMPTS)
        connection.execute(_EVENTS)
        connection.execute(_TOTALS)
        connection.execute("COMMIT")
        for _name, sql in indexes:
            connection.execute(sql)
        connection.execute("PRAGMA journal_mode = WAL")


def _ends() -> str:
    words, below = [], 0
    for state, share in _STATES:
        below += share
        words.append(f"WHEN lot < {below} THEN '{state}'")
    return f"CASE {' '.join(words)} ELSE 'succeeded' END"


_RUNS = f"""
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT :count),
drawn AS (
  SELECT n, datetime(:newest - ((:count - n) * 86400) / :day, 'unixepoch') AS at, ((n * 2654435761) >> 9) % 1000 AS lot
  FROM number
),
ended AS (SELECT n, at, {_ends()} AS state FROM drawn)
INSERT INTO run (id, task_id, task_name, task_version, occurrence_key, "trigger", due_at, local_time, zone, state, fence,
  reason, stands_for, requested_by, may_overlap, holder, attempts, created_at, started_at, ended_at, exit_code)
SELECT n, 1 + n % :tasks, 'task-' || (n % :tasks), 1, 'utc:' || replace(at, ' ', 'T') || 'Z#' || n, 'schedule',
  at || '.000000', at, 'UTC', state, 1,
  CASE state WHEN 'succeeded' THEN 'exit code 0' WHEN 'failed' THEN 'exit code 1' ELSE 'it is ' || state END,
  1, '', 0, 'bench', state NOT IN ('missed', 'skipped'), at || '.000000',
  CASE WHEN state NOT IN ('missed', 'skipped') THEN at || '.050000' END, at || '.900000',
  CASE state WHEN 'succeeded' THEN 0 WHEN 'failed' THEN 1 END
FROM ended
"""
_ATTEMPTS = """
INSERT INTO attempt (id, run_id, number, fence, holder, folder, pid, start_ticks, boot_id, started_at, ended_at, exit_code,
  reason, user_seconds, system_seconds, max_rss_kib)
SELECT id, id, 1, 1, 'bench', '', 4711, 123456, '2f1d9c0e-54c5-4a8e-9c55-1f2f3c4d5e6f', started_at, ended_at, exit_code,
  reason, 0.01, 0.01, 4096
FROM run WHERE attempts = 1
"""
_EVENTS = """
INSERT INTO run_event (run_id, from_state, to_state, path, at, actor, fence, reason)
SELECT id, NULL, CASE attempts WHEN 1 THEN 'starting' ELSE state END, 'queued,claimed', created_at, 'bench', 1, '' FROM run
UNION ALL
SELECT id, 'starting', state, '', ended_at, 'bench', 1, reason FROM run WHERE attempts = 1
"""
_TOTALS = """
INSERT INTO run_day (day, task_id, state, runs, occurrences, seconds, longest_seconds)
SELECT substr(due_at, 1, 10), task_id, state, count(*), count(*), 0.85 * count(started_at), 0.85 FROM run GROUP BY 1, 2, 3
"""


def make(folder: Path, count: int) -> None:
    """Make and fill a database in a folder, unless it is there."""
    if (folder / "watchbell.db").exists():
        return
    with lab_at(folder) as place:
        place.add_tasks(TASKS, "true", Schedule(ScheduleKind.CRON, expressions=("0 3 29 2 *",), zone="UTC"))
    fill(folder / "watchbell.db", count, clock.now())


def compare(folders: list[Path]) -> None:
    """Print one table.

    The databases are asked in turn, since a shared machine's speed drifts, and the fastest round is told: the others are
    those in which somebody else was at work.
    """
    with contextlib.ExitStack() as stack:
        subjects = [Subject(stack.enter_context(lab_at(folder))) for folder in folders]
        measures = [subject.measures() for subject in subjects]
        rows: list[tuple[object, ...]] = []
        for name in measures[0]:
            taken: list[list[float]] = [[] for _ in subjects]
            for _ in range(ROUNDS):
                for index, found in enumerate(measures):
                    if name.startswith("turn: 64 due"):
                        # Its runs have to end again before the next round.
                        taken[index].append(found[name]())
                        found["turn: 64 results"]()
                    elif name.startswith("turn: 64 of"):
                        taken[index].append(found[name]())
                        found["turn: 64 more results"]()
                    elif name == "turn: 64 results":
                        found["turn: 64 due become rows"]()
                        taken[index].append(found[name]())
                    elif name != "turn: 64 more results":
                        taken[index].append(found[name]())
            if taken[0]:
                fastest = [min(times) * 1000 for times in taken]
                rows.append((name, *fastest, fastest[-1] / fastest[0]))
    head = (f"what, fastest of {ROUNDS} in ms", *(f"{subject.count:,}" for subject in subjects), "ratio")
    each = ", ".join(f"{subject.count:,}: {subject.bytes_each:.0f}" for subject in subjects)
    table(f"A long history (bytes of database for each occurrence: {each})", head, rows)


def main() -> None:
    """Fill what is not there and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 10_000_000])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as scratch:
        root = asked.at or Path(scratch)
        folders = [root / f"history-{count}" for count in asked.counts]
        for folder, count in zip(folders, asked.counts, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, count)
        compare(folders)


if __name__ == "__main__":
    main()
