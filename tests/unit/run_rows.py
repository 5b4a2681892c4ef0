"""Attempts and outputs in the ledger, as a scheduler would have left them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.database import NOW, add_run, add_task
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import Summary
from watchbell.store import ledger, samples
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

_MIB = 2**20
#: What samples of an attempt came to.
SUMMARY = Summary(20, 50, 90, 10, 30, 40, 8 * _MIB, 16 * _MIB, 4 * _MIB, 5 * _MIB, 7 * _MIB, 3, 4, 5, 6, 9)


def add_attempt(db: Database, run: Run, *, number: int = 1, folder: str = "", ended: bool = True, **values: Any) -> int:
    """Put an attempt of a run into the ledger."""
    row = {
        "run_id": run.id,
        "number": number,
        "fence": 1,
        "holder": "test",
        "folder": folder,
        "started_at": NOW,
        "ended_at": NOW if ended else None,
        **values,
    }
    with db.write() as session:
        return ledger.add_attempts(session, [row])[run.id]


def add_output(db: Database, attempt_id: int, content: bytes | None, stream: str = "stdout", **values: Any) -> None:
    """Put what is kept of a stream into the ledger."""
    size = len(content or b"")
    row = {
        "attempt_id": attempt_id, "stream": stream, "size": size, "head_size": size, "dropped": 0, "content": content,
        "file": None, **values,
    }  # fmt: skip
    with db.write() as session:
        ledger.add_outputs(session, [row])


def finished(db: Database, content: bytes, **values: Any) -> Run:
    """Make a run that has succeeded and written something."""
    run = add_run(db, add_task(db), RunState.SUCCEEDED, started_at=NOW, attempts=1, exit_code=0)
    add_output(db, add_attempt(db, run, exit_code=0), content, **values)
    return run


def add_execution(
    db: Database, task: Task, seconds: float, *, hours_ago: float = 1, code: int | None = 0, **values: Any
) -> int:
    """Put a run into the ledger that took so long, with what it has written to each stream."""
    at = clock.now() - timedelta(hours=hours_ago)
    state = values.pop("state", RunState.FAILED if code else RunState.SUCCEEDED)
    ended = at + timedelta(seconds=seconds)
    times = {"due_at": at, "created_at": at, "started_at": at, "ended_at": ended}
    run = add_run(db, task, state, attempts=1, exit_code=code, **times)
    own = values.pop("own", {})
    attempt = add_attempt(db, run, started_at=at, ended_at=ended, exit_code=code, samples=samples.pack(SUMMARY, own))
    for stream, content in values.items():
        add_output(db, attempt, content, stream, lines=content.count(b"\n"))
    return run.id
