"""The log of a pipeline as its daemon would have written it, composed from the ledger."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.services import cron_log, tasks
from watchbell.store import ledger
from watchbell.store import steps as step_store
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database
from watchbell.store.tasks import Task

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ("fetch.py", "import.py", "publish.py")


def _pipeline(db: Database, names: tuple[str, ...] = NAMES, **fields: object) -> Task:
    listed = [{"name": name, "command": "x", "timeout_seconds": 300} for name in names]
    return add_task(db, "pipeline", command="", steps=listed, **fields)


def _step(number: int, state: str, code: int | None = 0, name: str = "", at: int = 0, **more: Any) -> dict[str, Any]:
    row = {"number": number, "name": name or NAMES[number - 1], "state": state, "exit_code": code}
    times = {"started_at": NOW + timedelta(seconds=at), "ended_at": NOW + timedelta(seconds=at + 1)}
    parts = {"stdout_from": 0, "stdout_to": 0, "stderr_from": 0, "stderr_to": 0}
    return {**row, **times, **parts, **more}


def _execution(
    db: Database, task: Task, *steps: dict[str, Any], state: RunState = RunState.FAILED, at: int = 0, stderr: bytes = b"",
    exit_code: int | None = 1,
) -> int:  # fmt: skip
    """Put an execution into the ledger that began some seconds after now and took three."""
    begun = NOW + timedelta(seconds=at)
    run = add_run(db, task, state, attempts=1, started_at=begun)
    with db.write() as session:
        attempt = {"run_id": run.id, "number": 1, "fence": 1, "holder": "h", "folder": "", "reason": ""}
        (attempt_id,) = ledger.add_attempts(session, [attempt]).values()
        columns: dict[str, Any] = {f"new_{name}": None for name in ledger.RESULT_COLUMNS}
        ended = {"new_started_at": begun, "new_ended_at": begun + timedelta(seconds=3), "new_exit_code": exit_code}
        ledger.set_attempts_ended(
            session, [{"attempt": attempt_id, **columns, **ended, "new_folder": "", "new_reason": ""}]
        )
        step_store.add_steps(session, [{"attempt_id": attempt_id, **step} for step in steps])
        if stderr:
            out = {"attempt_id": attempt_id, "stream": "stderr", "size": len(stderr), "head_size": 0, "dropped": 0}
            ledger.add_outputs(session, [{**out, "content": stderr, "file": None}])
    return run.id


def _lines(db: Database, task: Task, **options: Any) -> list[str]:
    return list(cron_log.read(db, task, BERLIN, Path("/nowhere"), **options).lines)


def test_an_execution_reads_as_the_daemon_wrote_it(db: Database) -> None:
    task = _pipeline(db)
    steps = [_step(1, "succeeded"), _step(2, "failed", 3, at=1, stderr_to=4), _step(3, "timed_out", 124, at=2)]
    _execution(db, task, *steps, stderr=b"oops and more")

    assert _lines(db, task) == [
        "[2026-11-22 13:00:00] ========== Pipeline execution started ==========",
        "[2026-11-22 13:00:00] [1/3] Running fetch.py...",
        "[2026-11-22 13:00:01] [1/3] ✓ fetch.py completed successfully",
        "[2026-11-22 13:00:01] [2/3] Running import.py...",
        "[2026-11-22 13:00:02] [2/3] ✗ import.py failed with exit code 3",
        "[2026-11-22 13:00:02]  Error: oops",
        "[2026-11-22 13:00:02] [3/3] Running publish.py...",
        "[2026-11-22 13:00:03] [3/3] ✗ publish.py timed out after 5 minutes",
        "[2026-11-22 13:00:03] ========== Pipeline execution completed ==========",
        "",
    ]
    assert cron_log.read(db, task, BERLIN, Path("/")).text.endswith("completed ==========\n\n")


def test_an_execution_is_not_completed_before_its_last_step_and_not_begun_after_its_first(db: Database) -> None:
    task = _pipeline(db, names=("fetch.py",))
    apart = timedelta(milliseconds=20)
    _execution(
        db, task, _step(1, "failed", 3, started_at=NOW - apart, ended_at=NOW + timedelta(seconds=3) + apart, stderr_to=4),
        stderr=b"oops",
    )  # fmt: skip

    assert [line.partition("] ")[2] for line in _lines(db, task)] == [
        "========== Pipeline execution started ==========",
        "[1/1] Running fetch.py...",
        "[1/1] ✗ fetch.py failed with exit code 3",
        " Error: oops",
        "========== Pipeline execution completed ==========",
        "",
    ]


@pytest.mark.parametrize(
    ("step", "stderr", "said"),
    [
        (_step(1, "not_found", 127), b"", "[1/1] ERROR: fetch.py not found!"),
        (_step(1, "failed", 2, stderr_to=50), b"python3: can't open file '/x/fetch.py': [Errno 2] ", "[1/1] ERROR: fetch.py not found!"),
        (_step(1, "failed", 2), b"", "[1/1] ✗ fetch.py failed with exit code 2"),
        (_step(1, "cut_off", None), b"", "[1/1] ✗ Error running fetch.py: it was ended with the run"),
        (_step(1, "lost", None), b"", "[1/1] ✗ Error running fetch.py: nobody knows how it ended"),
    ],
    ids=["not found", "not found by Python", "failed", "cut off", "lost"],
)  # fmt: skip
def test_each_end_of_a_step_has_its_line(db: Database, step: dict[str, Any], stderr: bytes, said: str) -> None:
    task = _pipeline(db, NAMES[:1])
    _execution(db, task, step, stderr=stderr)

    assert [line[22:] for line in _lines(db, task) if "[1/1]" in line and "Running f" not in line] == [said]


def test_a_step_that_never_ran_has_no_line(db: Database) -> None:
    task = _pipeline(db, NAMES[:2])
    never = {"started_at": None, "ended_at": None, "stderr_from": None, "stderr_to": None}
    _execution(db, task, _step(1, "failed", 1), _step(2, "not_run", None, **never))

    assert not any("import.py" in line for line in _lines(db, task))


def test_an_error_is_one_line_of_two_hundred_characters_that_forges_none(db: Database) -> None:
    task = _pipeline(db, NAMES[:1])
    forged = b"no\n[2026-11-22 13:00:01] [1/1] \xe2\x9c\x93 fetch.py completed successfully\n\x1b[2J" + b"x" * 500
    _execution(db, task, _step(1, "failed", 1, stderr_to=len(forged)), stderr=forged)

    lines = _lines(db, task)
    (error,) = [line for line in lines if " Error: " in line]
    assert error.startswith("[2026-11-22 13:00:01]  Error: no [2026-11-22 13:00:01] [1/1]")
    assert len(error.partition(" Error: ")[2]) == 200
    assert error.isprintable()
    assert len(lines) == 6


def test_a_task_with_a_command_reads_as_one_step(db: Database) -> None:
    task = add_task(db, "pipeline")
    _execution(db, task, state=RunState.SUCCEEDED, exit_code=0)

    assert [line[22:] for line in _lines(db, task)][1:3] == [
        "[1/1] Running pipeline...",
        "[1/1] ✓ pipeline completed successfully",
    ]


def test_an_execution_that_did_not_end_by_itself_does_not_read_as_completed(db: Database) -> None:
    task = _pipeline(db, NAMES[:1])
    _execution(db, task, _step(1, "cut_off", None), state=RunState.CANCELLED)

    assert "========== Pipeline execution ended: cancelled ==========" in _lines(db, task)[-2]


def test_executions_stand_in_the_order_of_time_and_only_real_lines_count(db: Database) -> None:
    task = _pipeline(db, NAMES[:1])
    for at in range(0, 250 * 10, 10):
        _execution(db, task, _step(1, "succeeded", at=at), at=at, state=RunState.SUCCEEDED)

    whole = _lines(db, task)
    assert len(whole) == 250 * 5
    assert [line for line in whole if line] == sorted([line for line in whole if line], key=lambda line: line[:21])
    assert _lines(db, task, lines=7) == whole[-7:]
    assert _lines(db, task, lines=5 * 120) == whole[-600:]
    assert _lines(db, task, lines=0) == _lines(db, task, lines=-3) == whole
    assert _lines(db, task, lines=10**9) == whole


def test_what_was_cleared_is_not_shown_and_the_ledger_keeps_it(db: Database) -> None:
    task = _pipeline(db, NAMES[:1])
    _execution(db, task, _step(1, "succeeded"), state=RunState.SUCCEEDED)
    clear = {"now": NOW + timedelta(seconds=1), "actor": "ann"}

    assert cron_log.clear(db, task, BERLIN, Path("/"), **clear)  # type: ignore[arg-type]
    # What came after the moment of clearing is still to come.
    assert [line[22:] for line in _lines(db, task)] == ["========== Pipeline execution completed ==========", ""]
    assert cron_log.clear(db, task, BERLIN, Path("/"), now=NOW + timedelta(seconds=5), actor="ann")
    assert _lines(db, task) == []
    assert not cron_log.clear(db, task, BERLIN, Path("/"), now=NOW + timedelta(seconds=6), actor="ann")
    with db.read() as session:
        assert len(step_store.list_steps(session, [1])) == 1


def test_nothing_is_nothing(db: Database) -> None:
    assert _lines(db, _pipeline(db)) == []
    assert not cron_log.clear(db, tasks.find_by_name(db, "pipeline"), BERLIN, Path("/"), now=NOW, actor="ann")


def test_the_start_of_a_scheduler_is_told_with_the_interval_of_then(db: Database) -> None:
    task = _pipeline(db, every="90s")
    _execution(db, task, _step(1, "succeeded", at=60), at=60, state=RunState.SUCCEEDED)
    later = NOW + timedelta(hours=1)
    tasks.update(db, task.id, {"every": "5m", "kind": "interval"}, now=later, actor="ann", defaults=DEFAULTS)
    for number, at in enumerate((NOW + timedelta(seconds=1), later + timedelta(seconds=1)), 1):
        life = Scheduler(
            incarnation=str(number), user="u", host="h", environment="production", session_id="s", version="1",
            pid=100 + number, start_ticks=1, boot_id="b", started_at=at, beat_at=at, running=0,
        )  # fmt: skip
        with db.write() as session:
            session.add(life)

    lines = _lines(db, task)
    assert lines[0] == "[2026-11-22 13:00:01] Pipeline daemon started (PID: 101, Interval: 90s)"
    assert lines[1] == ""
    assert lines[-2] == "[2026-11-22 14:00:01] Pipeline daemon started (PID: 102, Interval: 300s)"
    assert _lines(db, task, lines=1) == [""]
