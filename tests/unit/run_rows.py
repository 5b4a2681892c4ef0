"""Attempts and outputs in the ledger, as a scheduler would have left them."""

from __future__ import annotations

from typing import Any

from tests.database import NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.store import ledger
from watchbell.store.runs import Run
from watchbell.store.session import Database


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
