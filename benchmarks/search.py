"""What a search costs in a long history: tasks, runs and outputs, by words that find much, little and nothing.

    python -m benchmarks.search [--at FOLDER] [--tasks 10000] [--runs 1000000]

The newest 20,000 runs have each written some lines. With ``--at`` the filled database is kept there and used again.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks import history
from benchmarks.figures import commit, machine, median, percentile, table
from benchmarks.lab import Lab, lab_at
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.services import search

ROUNDS = 30
WORDS = ("task-77", "task", "backup", "exit code 1", "timed_out", "#4711", "4711", "no such word", "t", "a task 1")
_OUTPUTS = 20_000
_WRITTEN = b"begun\nread 4711 rows\nwrote 4711 rows\n" + b"a line of a usual length, as programs write them\n" * 20


def make(folder: Path, tasks: int, runs: int) -> None:
    """Make and fill a database in a folder, unless it is there."""
    file = folder / "watchbell.db"
    if file.exists():
        return
    with lab_at(folder) as place:
        place.add_tasks(
            tasks, "tar czf home.tgz ~", Schedule(ScheduleKind.CRON, expressions=("0 3 * * *",), zone="UTC")
        )
    history.fill(file, runs, clock.now(), tasks)
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        newest = "SELECT id FROM attempt ORDER BY id DESC LIMIT ?"
        rows = [(row[0], len(_WRITTEN), len(_WRITTEN), _WRITTEN) for row in connection.execute(newest, (_OUTPUTS,))]
        connection.executemany(
            "INSERT INTO output (attempt_id, stream, size, head_size, dropped, content) VALUES (?, 'stdout', ?, ?, 0, ?)",
            rows,
        )


def measure(place: Lab, words: str) -> tuple[object, ...]:
    """Return a row of the table."""
    db = place.db
    taken: dict[str, list[float]] = {"tasks": [], "runs": [], "both": []}
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        search.find_tasks(db, words, limit=10)
        middle = time.perf_counter()
        search.find_runs(db, words, limit=10)
        end = time.perf_counter()
        for name, value in (("tasks", middle - begin), ("runs", end - middle), ("both", end - begin)):
            taken[name].append(value * 1000)
    begin = time.perf_counter()
    output = search.find_outputs(db, place.config.output_path, words)
    seconds = (time.perf_counter() - begin) * 1000
    both = taken["both"]
    return (
        f"{words!r}",
        *(f"{median(taken[name]):.0f}" for name in ("tasks", "runs", "both")),
        f"{percentile(both, 0.95):.0f}",
        f"{max(both):.0f}",
        f"{seconds:.0f}",
        f"{output.looked_at:,}",
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as scratch:
        folder = (asked.at or Path(scratch)) / f"search-{asked.tasks}-{asked.runs}"
        folder.mkdir(parents=True, exist_ok=True)
        make(folder, asked.tasks, asked.runs)
        print(f"\n{commit()}; {machine()}")
        head = (
            "words",
            "tasks ms p50",
            "runs ms p50",
            "both p50",
            "both p95",
            "longest",
            "output ms",
            "runs looked at",
        )
        with lab_at(folder) as place:
            table(
                f"A search in {asked.tasks:,} tasks and {asked.runs:,} runs",
                head,
                [measure(place, words) for words in WORDS],
            )


if __name__ == "__main__":
    main()
