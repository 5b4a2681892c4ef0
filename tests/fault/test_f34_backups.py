"""F34: copies of the database made while it is written to, and a scheduler that is started on an old one.

What holds: a copy made by SQLite's own backup is whole. A scheduler does not start on one that is older than its own pulse
says until a person accepts it, and then nothing that may have run since the copy was made runs again without being asked
for: what waited in it is missed, what it takes for running is lost, moments until the restore are missed, each with a
reason that names the restore. Only a task that says that it may be repeated (``uncertain`` is ``run_again``) goes on by its
own policies, and says so. No run gets the number of one that the copy does not know.
Copying the files of a living database one by one is no backup.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.life_work import come_to_an_end
from tests.fault.scale import count, rounds
from tests.process.lives import ROOT
from watchbell.errors import EXIT_CONFIG

pytestmark = pytest.mark.fault

#: What a copy does not know the end of.
UNKNOWN = ("queued", "claimed", "starting", "running", "cancelling", "retry_wait")


def back_up(lab, target: Path) -> None:
    with closing(sqlite3.connect(lab.file, timeout=20)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def problems_of(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [words for words in found if words != "ok"] + [str(orphan) for orphan in orphans]


def restore(lab, copy: Path) -> None:
    """Put a copy in the place of the database, as a person does while nothing runs."""
    lab.db.close()
    for name in (f"{lab.file.name}-wal", f"{lab.file.name}-shm"):
        lab.file.with_name(name).unlink(missing_ok=True)
    lab.file.write_bytes(copy.read_bytes())
    lab.db = type(lab.db).open(lab.config.database_url)


def accept(lab) -> str:
    """Say, as a person does, that the copy is to be worked with, after a scheduler has refused it."""
    for _ in range(2):
        # However often it is tried.
        assert lab.start().reap() == EXIT_CONFIG
        assert "accept-copy" in (lab.home / "words.txt").read_text()
    environment = {
        **os.environ,
        "WATCHBELL_HOME": str(lab.home),
        "WATCHBELL_ZONE": "UTC",
        "PYTHONPATH": str(ROOT / "app"),
    }
    command = [sys.executable, "-m", "watchbell", "db", "accept-copy"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_restored_ledger_is_whole_and_runs_nothing_again_without_being_asked(lab, claims, tmp_path):
    limit = 100
    common = {"every": "1s", "latest_start_seconds": 1}
    made = {
        "none": lab.add_task("none", 0, 0, catch_up="skip", **common),
        "one": lab.add_task("one", 0, 0, catch_up="last", **common),
        "some": lab.add_task("some", 0, 0, catch_up="all", catch_up_limit=limit, **common),
        "long": lab.add_task("long", 2.5, 3, every="5s", catch_up="skip", latest_start_seconds=1),
        "waits": lab.add_task("waits", 0.7, 3, catch_up="all", overlap="queue_all", **common),
        "late": lab.add_task("late", 0, 0, every="1s", catch_up="last", latest_start_seconds=600),
        "may": lab.add_task("may", 0, 0, catch_up="all", catch_up_limit=limit, uncertain="run_again", **common),
    }
    damaged, copies = [], 0
    with lab.running():
        lab.wait(lambda: len(lab.effect_lines("START")) >= 12, "first runs")
        for number in rounds("BACKUPS", 10, 500):
            back_up(lab, tmp_path / f"copy-{number}.db")
            copies += 1
            damaged += problems_of(tmp_path / f"copy-{number}.db")
        seen = len(lab.effect_lines("START"))
        lab.wait(
            lambda: len(lab.effect_lines("START")) >= seen + count("LATER_RUNS", 20, 120), "runs after the copies", 60
        )
    claims.none_of("F34", "copies made under load that are damaged", copies, damaged)
    lab.wait(lambda: len(lab.effect_lines("END")) == len(lab.effect_lines("START")), "the last commands to end")
    before = Counter((line[3], line[4]) for line in lab.effect_lines("START"))
    numbers = {int(line[0]) for line in lab.effect_lines("START")}
    lines = len(lab.effect_lines("START"))

    copy = tmp_path / "copy-0.db"
    known = {row["id"]: row["state"] for row in rows_of(copy, "SELECT id, state FROM run")}
    restore(lab, copy)
    assert "An older copy of the database has taken its place" in accept(lab)
    with lab.running():
        lab.wait(
            lambda: {line[3] for line in lab.effect_lines("START")[lines:]} >= set(made), "each task to run anew", 60
        )
        come_to_an_end(lab, list(made.values()))

    after = lab.effect_lines("START")[lines:]
    again = [line for line in after if (line[3], line[4]) in before]
    wrong = [f"{line[3]} ran {line[4]} again" for line in again if line[3] != "may"]
    wrong += [f"run {line[0]} has the number of another" for line in after if int(line[0]) in numbers - set(known)]
    unknown = [number for number, state in known.items() if state in UNKNOWN]
    for row in [lab.run(number) for number in unknown]:
        is_told = "restored from a copy" in row["reason"] + events_of(lab, row["id"])
        is_over = row["state"] in ("missed", "lost") or row["task_name"] == "may"
        wrong += [] if is_told and is_over else [f"run {row['id']} is {row['state']}: {row['reason']}"]
    told = lab.rows("SELECT 1 FROM run WHERE state = 'missed' AND reason LIKE '%restored from a copy of%'")
    wrong += [] if told else ["no moment says that it was missed because of the restore"]
    open_ones = lab.rows("SELECT id, state, reason FROM run WHERE ended_at IS NULL OR reason = ''")
    wrong += [f"run {row['id']} is {row['state']} without a reason" for row in open_ones]
    claims.figure("F34", "runs that a copy takes for unfinished", str(len(unknown)))
    claims.figure("F34", "moments run again by a task that may be repeated", str(len(again)))
    claims.none_of(
        "F34", "moments run again after a restore without being asked for, or silently", sum(before.values()), wrong
    )


def rows_of(file: Path, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def test_a_copy_on_another_machine_is_taken_for_one_without_a_question(lab, make_lab, claims, tmp_path):
    task = lab.add_task("once", 0, 0, every="1s", catch_up="all", latest_start_seconds=600)
    with lab.running():
        lab.wait(lambda: len(lab.effect_lines("START")) >= 3, "first runs")
        back_up(lab, tmp_path / "copy.db")
        lab.wait(lambda: len(lab.effect_lines("START")) >= 6, "runs after the copy")
    other = make_lab("other")
    restore(other, tmp_path / "copy.db")
    with other.running():
        other.wait(
            lambda: other.rows("SELECT 1 FROM incident WHERE kind = 'database_restored'"), "the restore to be told"
        )
        lines = lab.effect_lines("START")
        lab.wait(lambda: len(lab.effect_lines("START")) >= len(lines) + 2, "runs on the other machine")
        come_to_an_end(other, [task])

    starts = Counter((line[3], line[4]) for line in lab.effect_lines("START"))
    doubled = [moment for moment, number in starts.items() if number > 1]
    claims.none_of("F34", "moments run on two machines by a copy without a pulse", len(starts), doubled)


def events_of(lab, run_id: int) -> str:
    return " ".join(row["reason"] for row in lab.rows("SELECT reason FROM run_event WHERE run_id = ?", run_id))
