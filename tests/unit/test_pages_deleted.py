"""What the page answers for a run that was there and has been deleted."""

from __future__ import annotations

import pytest

from tests.database import add_run, add_task
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.store import retention
from watchbell.store.session import Database


@pytest.mark.parametrize("place", ["", "/fragment", "/output", "/download/stdout"])
def test_a_run_that_was_deleted_is_gone_and_one_that_never_was_is_not_found(
    admin: Person, db: Database, place: str
) -> None:
    task = add_task(db)
    gone, _kept = add_run(db, task, RunState.SUCCEEDED), add_run(db, task, RunState.SUCCEEDED)
    with db.write() as session:
        retention.delete_runs(session, [gone.id])

    answer = admin.client.get(f"/runs/{gone.id}{place}")

    assert answer.status_code == 410
    assert f"Run {gone.id} has been deleted" in answer.get_data(as_text=True)
    assert admin.client.get(f"/runs/99{place}").status_code == 404
