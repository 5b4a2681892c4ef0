"""F34: copies of the database made while it is written to, and a scheduler that is started on an old one.

What holds: a copy made by SQLite's own backup is whole. After a restore, moments that had run since the copy are not known
to have run, so what the task says about missed moments decides: `skip` runs none of them, `last` at most one, `all` as many
as its limit; each such run says in its row that it was caught up. A moment that is younger than the task's latest start is
on time for a restored ledger, and is run, once, as if it never had been. What ran when the copy was made is lost, or
started again only where the task allows that; what had not been started by then, as far as the copy knows, is started.
Copying the files of a living database one by one is no backup.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fault.life_work import come_to_an_end
from tests.fault.scale import count, rounds
from watchbell import clock

pytestmark = pytest.mark.fault


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


def test_a_restored_ledger_is_whole_and_runs_nothing_again_without_saying_so(lab, claims, tmp_path):
    limit = 100
    made = {
        "none": lab.add_task("none", 0, 0, every="1s", catch_up="skip", latest_start_seconds=1),
        "one": lab.add_task("one", 0, 0, every="1s", catch_up="last", latest_start_seconds=1),
        "some": lab.add_task("some", 0, 0, every="1s", catch_up="all", catch_up_limit=limit, latest_start_seconds=1),
        "long": lab.add_task("long", 2.5, 3, every="5s", catch_up="skip", latest_start_seconds=1),
    }
    damaged, copies = [], 0
    with lab.running():
        lab.wait(lambda: len(lab.effect_lines("START")) >= 6, "first runs")
        for number in rounds("BACKUPS", 10, 500):
            back_up(lab, tmp_path / f"copy-{number}.db")
            copies += 1
            damaged += problems_of(tmp_path / f"copy-{number}.db")
        seen = len(lab.effect_lines("START"))
        lab.wait(
            lambda: len(lab.effect_lines("START")) >= seen + count("LATER_RUNS", 10, 60), "runs after the copies", 60
        )
    claims.none_of("F34", "copies made under load that are damaged", copies, damaged)
    lab.wait(lambda: len(lab.effect_lines("END")) == len(lab.effect_lines("START")), "the last commands to end")
    until = clock.now()
    before = Counter((line[3], line[4]) for line in lab.effect_lines("START"))
    lines = len(lab.effect_lines("START"))

    # A moment that is younger than its latest start is on time, whoever may have run it already.
    lab.wait(lambda: clock.now() > until + timedelta(seconds=2), "the latest starts to be over")
    restore(lab, tmp_path / "copy-0.db")
    with lab.running():
        lab.wait(lambda: len(lab.effect_lines("START")) > lines, "the first run after the restore")
        come_to_an_end(lab, list(made.values()))

    repeated = [line for line in lab.effect_lines("START")[lines:] if (line[3], line[4]) in before]
    unborn = not_started_in(tmp_path / "copy-0.db")
    again = [line for line in repeated if int(line[0]) not in unborn]
    claims.figure("F34", "started again because the copy says that they never were", str(len(repeated) - len(again)))
    allowed = {"none": 0, "one": 1, "some": limit, "long": 0}
    counted = Counter(line[3] for line in again)
    wrong = [f"{name} ran {counted[name]} moments again" for name, most in allowed.items() if counted[name] > most]
    for line in again:
        row = lab.run(int(line[0]))
        told = row["trigger"] == "catch_up" and "policy" in row["reason"] + events_of(lab, row["id"])
        wrong += [] if told else [f"run {row['id']} is a repetition and does not say that it was caught up"]
    open_ones = lab.rows("SELECT id, state, reason FROM run WHERE ended_at IS NULL OR reason = ''")
    wrong += [f"run {row['id']} is {row['state']} without a reason" for row in open_ones]
    claims.figure(
        "F34", "moments run again after a restore, each said to be caught up", f"{len(again)} of {sum(before.values())}"
    )
    claims.none_of(
        "F34", "moments run again after a restore beyond the policy, or silently", sum(before.values()), wrong
    )


def not_started_in(copy: Path) -> set[int]:
    """Return the runs that were queued, or about to be started, when a copy was made."""
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT id FROM run WHERE state IN ('queued', 'claimed', 'starting', 'retry_wait')")
        return {row[0] for row in rows}


def events_of(lab, run_id: int) -> str:
    return " ".join(row["reason"] for row in lab.rows("SELECT reason FROM run_event WHERE run_id = ?", run_id))
