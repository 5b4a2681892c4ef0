"""F10, F11, F12: a database that is locked, full, read-only or taken away makes things late, never wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from tests.fault import small_disk
from tests.fault.scale import LONG
from tests.process.lives import LAB, ROOT
from tests.process.oracle import Oracle
from tests.waiting import wait_until
from watchbell import clock
from watchbell.control import health
from watchbell.domain.presence import SchedulerState
from watchbell.errors import EXIT_CONFIG, DatabaseTrouble
from watchbell.services import tasks, triggers

pytestmark = pytest.mark.fault

#: What is promised of a full disk, and of every fault.
RECOVERY_SECONDS = 60.0
TOLD_SECONDS = 15.0


def look(lab):
    return health.look(lab.config, lab.db, now=clock.now())


def ends(lab) -> int:
    return len(lab.effect_lines("END"))


def seconds_until(condition, timeout: float, what: str) -> float:
    began = time.monotonic()
    wait_until(condition, timeout, what, interval=0.2)
    return time.monotonic() - began


def conclude(lab, oracle, made):
    """Let the scheduler catch up, end all runs and return what the oracle says."""
    until = datetime.now(UTC)
    behind = "SELECT count(*) FROM task WHERE cursor_at < ? AND schedule ->> 'kind' = 'interval'"
    lab.wait(lambda: lab.rows(behind, str(until.replace(tzinfo=None)))[0][0] == 0, "the scheduler to catch up", 20)
    for task in made:
        tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
    lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "all runs to end")
    return oracle.judge(until)


@contextlib.contextmanager
def locked(lab, how: str):
    with contextlib.closing(sqlite3.connect(lab.file, timeout=20, isolation_level=None)) as connection:
        connection.execute(how)
        yield
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("seconds", [2, 16, *([60] if LONG else [])])
def test_a_locked_database_makes_everything_late_and_nothing_wrong(lab, claims, seconds):
    made = [lab.add_task(f"task-{number}", number * 0.4, 5 + number, every="1s") for number in range(3)]
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    with lab.running() as life:
        lab.wait(lambda: ends(lab) >= 4, "first runs")
        with locked(lab, "BEGIN IMMEDIATE"):
            if seconds > TOLD_SECONDS:
                told = seconds_until(lambda: not look(lab).is_well, TOLD_SECONDS, "health to tell")
                assert look(lab).trouble is DatabaseTrouble.LOCKED
                assert look(lab).scheduler.state is SchedulerState.RUNNING
                claims.figure("F10", "locked, told after", f"{told:.0f} s")
            assert not life.ended(seconds - 12 if seconds > TOLD_SECONDS else seconds)
        late = seconds_until(lambda: look(lab).is_well and look(lab).trouble is None, 10, "health to be well again")
        claims.figure("F10", f"locked for {seconds} s, back after", f"{late:.1f} s")
        claims.judged("F10", conclude(lab, oracle, made))


def test_a_database_that_is_slow_because_another_program_keeps_writing(lab, claims):
    made = [lab.add_task(f"task-{number}", 0, 0, every="1s") for number in range(3)]
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    with lab.running() as life:
        lab.wait(lambda: ends(lab) >= 3, "first runs")
        until = time.monotonic() + (120 if LONG else 6)
        while time.monotonic() < until:
            with locked(lab, "BEGIN EXCLUSIVE"):
                assert not life.ended(0.7)
            assert not life.ended(0.05)
        claims.judged("F10", conclude(lab, oracle, made))


def test_a_full_disk_ends_runs_truly_starts_nothing_and_recovers_by_itself(make_lab, tmp_path, claims):
    with small_disk.mounted(tmp_path / "small", 8 * small_disk.MIB) as is_mounted:
        lab = make_lab("small/home")
        lab.effects = tmp_path / "effects.log"
        made = [lab.add_task("tick", 0, 0, every="1s")]
        long = lab.add_task("long", 6, 7)
        oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
        with contextlib.ExitStack() as stack:
            life = stack.enter_context(lab.running())
            lab.wait(lambda: ends(lab) >= 2, "first runs")
            run_id = triggers.run_now(lab.db, long.id, now=clock.now(), actor="tester").id
            lab.wait(lambda: lab.effect_lines("START", run_id), "the start")
            disk = contextlib.ExitStack()
            if is_mounted:
                filler = small_disk.fill(tmp_path / "small")
                disk.callback(filler.unlink)
            else:
                disk.enter_context(small_disk.bounded(life.pid, 8192))
            told = seconds_until(lambda: not look(lab).is_well, TOLD_SECONDS, "health to tell")
            claims.figure("F11", "full, told after", f"{told:.0f} s")
            if is_mounted:
                assert look(lab).trouble is DatabaseTrouble.FULL
                # The reserve is what makes room for this.
                lab.wait(lambda: lab.run(run_id)["state"] == "failed", "the true end on a full disk", 15)
                assert lab.run(run_id)["exit_code"] == 7
            started = len(lab.effect_lines())
            assert not life.ended(3)
            violations = range(len(lab.effect_lines()) - started)
            claims.none_of("F11", "started while the disk was full", started, violations)
            disk.close()
            back = seconds_until(lambda: look(lab).is_well and ends(lab) >= started, RECOVERY_SECONDS, "the recovery")
            claims.figure("F11", "back after", f"{back:.1f} s")
            claims.judged("F11", conclude(lab, oracle, made))
        kinds = [row["kind"] for row in lab.rows("SELECT kind FROM incident ORDER BY id")]
        if is_mounted:
            assert {"database_full", "database_room"} <= set(kinds)
            reasons = {row["reason"] for row in lab.rows("SELECT reason FROM run WHERE state = 'missed'")}
            assert any("the disk of the database was full" in reason for reason in reasons), reasons
        lab.close()


def test_a_disk_that_takes_no_more_writes_for_a_while(lab, claims):
    """As a file system does that has turned read-only after an error: what is open can be read, and not written."""
    made = [lab.add_task("tick", 0, 0, every="1s"), lab.add_task("slow", 1.5, 3, every="2s")]
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    with lab.running() as life:
        lab.wait(lambda: ends(lab) >= 2, "first runs")
        with small_disk.bounded(life.pid, 4096):
            told = seconds_until(lambda: not look(lab).is_well, TOLD_SECONDS, "health to tell")
            claims.figure("F12", "not writable, told after", f"{told:.0f} s")
            assert not life.ended(2)
        seconds_until(lambda: look(lab).is_well, 20, "health to be well again")
        claims.judged("F12", conclude(lab, oracle, made))


def _run_without_override(lab) -> subprocess.CompletedProcess[str]:
    """Start a scheduler that has to obey the modes of files, also for root."""
    settings = {f"WATCHBELL_{name.upper()}": str(value) for name, value in lab.settings.items()}
    command = [sys.executable, "-m", "watchbell", "scheduler", "run"]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app"), **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("what", ["directory", "database", "log beside it"])
def test_a_start_that_could_write_nothing_is_refused_in_one_line(lab, claims, what):
    lab.add_task("tick", 0, 0, every="1s")
    log = lab.file.with_name("watchbell.db-wal")
    assert log.exists()
    path, mode = {"directory": (lab.home, 0o555), "database": (lab.file, 0o444), "log beside it": (log, 0o444)}[what]
    before = path.stat().st_mode
    path.chmod(mode)

    found = _run_without_override(lab)

    path.chmod(before)
    assert found.returncode == EXIT_CONFIG, found.stderr
    assert found.stderr.count("\n") == 1
    assert "is not writable by this user" in found.stderr
    claims.none_of("F12", f"{what} read-only: commands started unrecorded", 1, lab.effect_lines())


def test_a_database_that_is_taken_away_is_waited_for(lab, claims):
    made = [lab.add_task("tick", 0, 0, every="1s")]
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    aside = lab.home / "aside.db"
    with lab.running() as life:
        lab.wait(lambda: ends(lab) >= 2, "first runs")
        lab.db.close()
        lab.file.rename(aside)
        started = ends(lab)
        told = seconds_until(lambda: not look(lab).is_well, TOLD_SECONDS, "health to tell")
        claims.figure("F12", "taken away, told after", f"{told:.0f} s")
        assert look(lab).trouble is DatabaseTrouble.GONE
        assert not life.ended(3)
        # One may have been in the air when it happened.
        claims.none_of("F12", "started while the database was away", started, range(ends(lab) - started - 1))
        assert not lab.file.exists()
        aside.rename(lab.file)
        seconds_until(lambda: look(lab).is_well, 20, "health to be well again")
        claims.judged("F12", conclude(lab, oracle, made))


def test_a_database_that_is_exchanged_ends_the_scheduler_with_a_clear_line(lab, empty_database):
    lab.add_task("tick", 0, 0, every="1s")
    life = lab.start()
    life.wait_for_beat()
    lab.wait(lambda: ends(lab) >= 1, "first runs")
    lab.db.close()
    for end in ("", "-wal", "-shm"):
        lab.file.with_name(f"{lab.file.name}{end}").unlink(missing_ok=True)
    shutil.copy(empty_database, lab.file)

    assert life.reap() == EXIT_CONFIG
    assert "another file has been put in the place of the database" in (lab.home / "words.txt").read_text()
    # The one that lies there now has lost the rows that were durable.
    life = lab.start()
    assert life.reap() == EXIT_CONFIG
    assert "has lost its newest rows" in (lab.home / "words.txt").read_text()
    # What the line offers works.
    (lab.home / "scheduler.pulse").unlink()
    with lab.running():
        assert look(lab).is_well
