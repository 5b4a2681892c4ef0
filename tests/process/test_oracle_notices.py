"""The checker itself: whatever promise is broken by hand, it says so."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.process.lives import LAB, Lab
from tests.process.oracle import Oracle
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import queues, tasks


@pytest.fixture(scope="module")
def history(tmp_path_factory, nursery, empty_database):
    """Return an installation in which a task ran a few times, and until when."""
    lab = Lab(tmp_path_factory.mktemp("history"), nursery, empty_database)
    queues.set_bounds(lab.db, "default", max_running=5, now=clock.now(), actor="tester")
    with lab.running():
        # Each of its runs is started, however late a busy machine makes it.
        task = lab.add_task("quick", 0, 3, every="1s", catch_up="all", overlap="queue_all", latest_start_seconds=300)
        wait_until(lambda: len(lab.effect_lines("END")) >= 2, 20, "two runs")
        until = datetime.now(UTC)
        wait_until(lambda: len(lab.effect_lines("END")) >= 3, 20, "one run more")
        tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        wait_until(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), 20, "all runs to end")
    yield lab, until
    lab.close()


@pytest.fixture
def broken(history, tmp_path):
    """Return a copy of the history that may be broken, as a checker of it, and until when."""
    lab, until = history
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(lab.file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    shutil.copy(lab.effects, tmp_path / "effects.log")
    return Oracle(copy, tmp_path / "effects.log", (LAB, lab.token)), until


def forge(oracle, statement):
    with closing(sqlite3.connect(oracle.database)) as connection, connection:
        connection.execute(statement)


def test_a_sound_history_is_not_blamed(history):
    lab, until = history

    verdict = Oracle(lab.file, lab.effects, (LAB, lab.token)).judge(until)

    assert not verdict.all_violations
    assert verdict.cases["P2 at most one start"] >= 3


@pytest.mark.parametrize(
    ("statement", "promise"),
    [
        ("DELETE FROM run WHERE id = 1", "P1 one row per occurrence"),
        ("UPDATE run SET due_at = '2030-01-01 00:00:00.5' WHERE id = 1", "P1 no row without an occurrence"),
        ("UPDATE run SET state = 'running' WHERE id = 2", "P1 final state with a reason"),
        ("UPDATE run SET reason = '' WHERE id = 2", "P1 final state with a reason"),
        ("UPDATE run SET state = 'skipped' WHERE id = 1", "no start of what did not start"),
        ("UPDATE run SET state = 'succeeded' WHERE id = 1", "P3 succeeded means that it ended with 0"),
        ("UPDATE run SET exit_code = 4 WHERE id = 1", "P8 true exit code recorded"),
        ("UPDATE run_event SET to_state = 'queued' WHERE id = 1", "events follow one another"),
        ("UPDATE run_event SET path = 'claimed,queued' WHERE id = 1", "every step is in the table"),
        ("UPDATE run_event SET fence = 0 WHERE id = 1", "fences rise with every claim"),
        ("UPDATE run SET fence = 9 WHERE id = 2", "the log of events ends where the row is"),
        ("DELETE FROM attempt WHERE id = 1", "every start has its attempt"),
        ("DELETE FROM run WHERE id = 2", "every start has its run"),
        ("UPDATE output SET content = 'run 1' WHERE attempt_id = 1 AND stream = 'stdout'", "P8 true output kept"),
        ("DELETE FROM output WHERE attempt_id = 2", "P8 true output kept"),
        ("UPDATE run SET start_by = '2020-01-01 00:00:00' WHERE id = 1", "no first start after the latest start"),
        ("UPDATE run SET due_at = '2030-01-01 00:00:00' WHERE id = 1", "no start before it is due"),
        (
            "UPDATE task SET policies = json_set(policies, '$.retries', 2)",
            "retries are made before a run is failed",
        ),
    ],
)
def test_a_forged_row_is_noticed(broken, statement, promise):
    oracle, until = broken

    forge(oracle, statement)

    assert oracle.judge(until).violations[promise]


@pytest.mark.parametrize(
    ("line", "promise"),
    [
        ("START", "P2 at most one start"),
        ("START", "no overlap unless allowed"),
        ("END", "P8 true exit code recorded"),
    ],
)
def test_a_forged_effect_is_noticed(broken, line, promise):
    oracle, until = broken
    first = next(text for text in oracle.log.read_text().splitlines() if f" {line} " in text)
    forged = " ".join([*first.split()[:-1], "-" if line == "START" else "99"])

    with oracle.log.open("a") as file:
        file.write(f"{forged}\n{forged}\n")

    assert oracle.judge(until).violations[promise]


def test_another_attempt_after_an_end_that_nobody_knows_is_noticed(broken):
    oracle, until = broken
    starts = [text for text in oracle.log.read_text().splitlines() if " START " in text]
    run, _attempt, fence, *rest = starts[0].split()

    oracle.log.write_text("\n".join([*starts, " ".join([run, "2", str(int(fence) + 1), *rest])]) + "\n")

    assert oracle.judge(until).violations["a retry only after a known failure"]


def test_more_of_a_queue_than_it_allows_is_noticed(broken):
    oracle, until = broken
    first = next(text for text in oracle.log.read_text().splitlines() if " START " in text).split()
    with oracle.log.open("a") as file:
        file.writelines(" ".join([str(number), *first[1:]]) + "\n" for number in range(90, 97))

    assert oracle.judge(until).violations["no more of a queue than it allows"]


def test_a_changed_final_row_is_noticed(broken):
    oracle, _until = broken
    oracle.snapshot()
    forge(oracle, "UPDATE attempt SET exit_code = 4 WHERE id = 1")

    oracle.snapshot()

    assert oracle.verdict.violations["P4 final rows never change"]


def test_a_process_without_an_active_row_is_noticed(history):
    lab, _until = history
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    stray = subprocess.Popen(["sleep", "60"], env={LAB: lab.token, "WATCHBELL_RUN_ID": "1", "WATCHBELL_RUN_TOKEN": "x"})

    oracle.scan_processes()
    stray.kill()
    stray.wait()

    assert oracle.verdict.violations["P6 no process without an active row"]
