"""For which runs a tab asks for attention."""

from __future__ import annotations

from datetime import timedelta

from tests.database import add_run, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.store.session import Database


def test_a_tab_asks_for_attention_for_what_is_in_trouble_and_what_waits_for_a_decision(
    admin: Person, db: Database
) -> None:
    now = clock.now()
    lost = add_run(db, add_task(db, "asks"), RunState.LOST, due_at=now, decision="open")
    solved = add_task(db, "solved")
    add_run(db, solved, RunState.FAILED, due_at=now - timedelta(minutes=2))
    add_run(db, solved, RunState.SUCCEEDED, due_at=now)
    failed = add_run(db, add_task(db, "fails"), RunState.FAILED, due_at=now)

    told = admin.get("/attention.json").get_json()

    assert told == {"failed": [failed.id], "decide": [lost.id], "scheduler": "stopped"}
