"""F35, its purge part: old runs are deleted while runs go on, while readers look, and by schedulers that are killed at it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import threading
import time
from datetime import timedelta

import pytest

from tests.fault.scale import SEED, count, rounds
from watchbell import clock

pytestmark = pytest.mark.fault

KEPT = 5
TASKS = 4
#: Every so many runs have kept an output as a file.
FILE_EVERY = 5


def fill(lab, old: int) -> None:
    """Put runs of long ago into the ledger, each with attempt, transition and output, some of these in files."""
    tasks = [lab.add_task(f"past-{number}") for number in range(TASKS)]
    folder = lab.config.output_path
    folder.mkdir(exist_ok=True)
    at = f"{clock.now() - timedelta(days=200):%Y-%m-%d %H:%M:%S}.000000"
    long_ago = time.time() - 86_400
    with contextlib.closing(sqlite3.connect(lab.file, timeout=20)) as connection, connection:
        for number in range(1, old + 1):
            task = tasks[number % TASKS]
            connection.execute(
                'INSERT INTO run (id, task_id, task_name, task_version, occurrence_key, "trigger", due_at, local_time, zone,'
                " state, fence, reason, stands_for, requested_by, may_overlap, attempts, created_at, started_at, ended_at)"
                " VALUES (?, ?, ?, 1, ?, 'schedule', ?, '', 'UTC', 'succeeded', 1, '', 1, '', 0, 1, ?, ?, ?)",
                (number, task.id, task.name, f"past:{number}", at, at, at, at),
            )
            connection.execute(
                "INSERT INTO attempt (id, run_id, number, fence, holder, folder, reason) VALUES (?, ?, 1, 1, 'x', '', '')",
                (number, number),
            )
            connection.execute(
                "INSERT INTO run_event (run_id, to_state, path, at, actor, fence, reason)"
                " VALUES (?, 'succeeded', '', ?, 'x', 1, '')",
                (number, at),
            )
            name = f"{number}.1.out" if number % FILE_EVERY == 0 else None
            if name:
                (folder / name).write_bytes(b"x" * 100)
                os.utime(folder / name, (long_ago, long_ago))
            connection.execute(
                "INSERT INTO output (attempt_id, stream, size, head_size, dropped, content, file)"
                " VALUES (?, 'stdout', 100, 100, 0, ?, ?)",
                (number, None if name else b"x" * 100, name),
            )


def contradictions(lab, *, finished: bool = False) -> list[str]:
    """Return what is half deleted, or deleted and must not be; once all is done also what is left and must not be."""
    wrong = [f"row of {row[0]} without its {row[2]}" for row in lab.rows("PRAGMA foreign_key_check")]
    for table, column in (("attempt", "run_id"), ("run_event", "run_id"), ("output", "attempt_id")):
        lacking = f"SELECT id FROM run WHERE occurrence_key LIKE 'past:%' AND id NOT IN (SELECT {column} FROM {table})"
        wrong += [f"run {row[0]} without its {table}" for row in lab.rows(lacking)]
    named = {row[0] for row in lab.rows("SELECT file FROM output WHERE file IS NOT NULL")}
    there = {path.name for path in lab.config.output_path.iterdir()}
    wrong += [f"{name} is named and not there" for name in named - there]
    kept = lab.rows("SELECT count(*) FROM run WHERE occurrence_key LIKE 'past:%' GROUP BY task_id")
    wrong += [f"only {row[0]} kept" for row in kept if row[0] < KEPT]
    wrong += [f"{TASKS - len(kept)} tasks have lost everything"] if len(kept) < TASKS else []
    if finished:
        wrong += [f"{row[0]} kept" for row in kept if row[0] > KEPT]
        wrong += [f"{name} is left" for name in there - named]
    return wrong


def is_done(lab) -> bool:
    return not contradictions(lab, finished=True)


@pytest.fixture
def past(make_lab):
    """Return an installation with many runs that are too many and too old."""
    lab = make_lab(retention_runs=KEPT, retention_days=0)
    fill(lab, count("OLD_RUNS", 1500, 30_000))
    return lab


@pytest.mark.parametrize(
    "point",
    [
        "before a deletion is committed",
        "before files of deleted runs are removed",
        "in the middle of removing files of deleted runs",
    ],
)
def test_a_scheduler_killed_while_it_deletes_leaves_nothing_half_deleted(past, claims, point: str) -> None:
    life = past.start(die_at=point)
    assert life.reap(60) == -signal.SIGKILL
    wrong = contradictions(past)

    life = past.start(die_at="housekeeping at once")
    past.wait(lambda: is_done(past), "all that is too much to be gone", 120)
    assert life.stop() == 0

    claims.none_of(
        "F35",
        "killed while deleting, half deleted or left over",
        TASKS * KEPT,
        wrong + contradictions(past, finished=True),
    )


def test_schedulers_killed_at_any_moment_of_deleting_leave_nothing_half_deleted(past, claims) -> None:
    chance = random.Random(SEED)
    wrong, kills = [], 0
    for _ in rounds("PURGE_KILLS", 6, 60):
        life = past.start(die_at="housekeeping at once")
        life.wait_for_beat()
        life.ended(chance.uniform(0.0, 0.4))
        life.kill()
        kills += 1
        wrong += contradictions(past)

    life = past.start(die_at="housekeeping at once")
    life.wait_for_beat()
    past.wait(lambda: is_done(past), "all that is too much to be gone", 240)
    assert life.stop() == 0

    claims.none_of("F35", "kills while deleting that left something half deleted", kills, wrong)


def test_deleting_makes_nothing_late_and_harms_no_reader(past, claims) -> None:
    past.add_task("now", every="1s", keep_runs=1000)
    before = len(past.rows("SELECT 1 FROM run"))
    reading, stop = sqlite3.connect(past.file, timeout=20, isolation_level=None), threading.Event()
    reading.execute("BEGIN")
    assert reading.execute("SELECT count(*) FROM run").fetchone()[0] == before
    seen: list[int] = []

    def look() -> None:
        while not stop.wait(0.05):
            seen.append(len(past.rows("SELECT id FROM run ORDER BY id DESC LIMIT 1000")))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        life = past.start(die_at="housekeeping at once")
        past.wait(lambda: is_done(past), "all that is too much to be gone", 240)
        past.wait(lambda: len(past.effect_lines("END")) >= 5, "runs beside it", 60)
        old = reading.execute("SELECT count(*), min(id) FROM run").fetchone()
        assert life.stop() == 0
    finally:
        stop.set()
        looking.join()
        reading.close()

    runs = past.rows("SELECT julianday(started_at) - julianday(due_at) AS late, state FROM run WHERE task_name = 'now'")
    late = [row["late"] * 86_400 for row in runs if row["late"] is not None]
    claims.figure("F35", "runs beside the deleting; latest start in s", f"{len(late)}; {max(late):.2f}")
    claims.none_of(
        "F35", "started more than 2 s late while old runs were deleted", len(late), [x for x in late if x > 2]
    )
    claims.none_of(
        "F35",
        "states of runs beside it",
        len(runs),
        [r["state"] for r in runs if r["state"] not in {"succeeded", "running", "skipped"}],
    )
    assert tuple(old) == (before, 1)
    assert seen and min(seen) > 0
    assert contradictions(past, finished=True) == []
