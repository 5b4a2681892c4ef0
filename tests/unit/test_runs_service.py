"""Looking at runs and cancelling them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task, run_row
from watchbell.domain.run_state import FINAL, RunState
from watchbell.errors import Conflict, NotFound
from watchbell.services import runs
from watchbell.services.runs import RunFilter
from watchbell.store import ledger
from watchbell.store.runs import Attempt, Output
from watchbell.store.session import Database
from watchbell.store.tasks import Task

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RETRY_WAIT])
def test_what_has_not_started_is_cancelled_at_once(db: Database, task: Task, state: RunState) -> None:
    run = add_run(db, task, state)

    cancelled = runs.cancel(db, run.id, now=LATER, actor="bob")

    assert (cancelled.state, cancelled.ended_at, cancelled.reason) == ("cancelled", LATER, "cancelled by bob")
    (event,) = runs.get_detail(db, run.id).events
    assert (event.from_state, event.to_state, event.actor, event.at) == (state, "cancelled", "bob", LATER)


@pytest.mark.parametrize("state", [RunState.CLAIMED, RunState.STARTING, RunState.RUNNING])
def test_the_end_of_what_may_run_is_only_asked_for(db: Database, task: Task, state: RunState) -> None:
    run = add_run(db, task, state, fence=3)

    asked = runs.cancel(db, run.id, now=LATER, actor="bob")

    assert (asked.state, asked.ended_at, asked.reason) == ("cancelling", None, "bob asked for its end")
    assert asked.fence == 3


def test_asking_for_an_end_twice_is_asking_once(db: Database, task: Task) -> None:
    run = add_run(db, task, RunState.RUNNING)
    runs.cancel(db, run.id, now=LATER, actor="bob")

    again = runs.cancel(db, run.id, now=LATER, actor="ann")

    assert again.reason == "bob asked for its end"
    assert len(runs.get_detail(db, run.id).events) == 1


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_has_ended_keeps_its_result(db: Database, task: Task, state: RunState) -> None:
    run = add_run(db, task, state, reason="as it was")

    with pytest.raises(Conflict, match=f"^run {run.id} has ended already: {state}$"):
        runs.cancel(db, run.id, now=LATER, actor="bob")

    found = runs.get(db, run.id)
    assert (found.state, found.reason, found.ended_at) == (state, "as it was", NOW)


def test_all_states_are_tried_here() -> None:
    waiting = {RunState.QUEUED, RunState.RETRY_WAIT}
    in_flight = {RunState.CLAIMED, RunState.STARTING, RunState.RUNNING, RunState.CANCELLING}

    assert waiting | in_flight | FINAL == set(RunState)


@pytest.mark.parametrize("number", [404, 0, -1, 10**40])
def test_a_run_that_is_not_there_is_not_found_by_anything(db: Database, number: int) -> None:
    for call in (
        lambda: runs.get(db, number),
        lambda: runs.get_detail(db, number),
        lambda: runs.find_output(db, number, "stdout"),
        lambda: runs.cancel(db, number, now=NOW, actor="x"),
    ):
        with pytest.raises(NotFound, match=f"^there is no run {number}$"):
            call()


def _attempt(db: Database, run_id: int, number: int, **values: object) -> int:
    with db.write() as session:
        (made,) = ledger.add_attempts(
            session,
            [
                {
                    "run_id": run_id,
                    "number": number,
                    "fence": number,
                    "holder": "h",
                    "folder": "",
                    "reason": "",
                    **values,
                }
            ],
        ).values()
        return made


def test_output_is_found_where_it_is(db: Database, task: Task) -> None:
    run = add_run(db, task, RunState.RUNNING)
    assert runs.find_output(db, run.id, "stdout") is None

    first = _attempt(db, run.id, 1, ended_at=NOW)
    with db.write() as session:
        session.add(Output(attempt_id=first, stream="stdout", size=2, head_size=2, dropped=0, content=b"hi"))
    _attempt(db, run.id, 2)

    ended, silent = (runs.find_output(db, run.id, stream, attempt=1) for stream in ("stdout", "stderr"))
    going_on = runs.find_output(db, run.id, "stdout")
    assert (ended.kept.content, ended.is_complete) == (b"hi", True)
    assert (silent.kept, silent.is_complete) == (None, True)
    assert (going_on.attempt.number, going_on.kept, going_on.is_complete) == (2, None, False)


@pytest.mark.parametrize("number", [0, 3, 10**40])
def test_an_attempt_that_was_never_made_has_no_output(db: Database, task: Task, number: int) -> None:
    run = add_run(db, task, RunState.RUNNING)
    _attempt(db, run.id, 1)

    with pytest.raises(NotFound, match="has no attempt"):
        runs.find_output(db, run.id, "stdout", attempt=number)


def test_the_newest_attempt_is_the_one_that_counts(db: Database, task: Task) -> None:
    run = add_run(db, task, RunState.RUNNING)
    assert runs.get_detail(db, run.id).attempt is None
    for number in (1, 2):
        _attempt(db, run.id, number)

    detail = runs.get_detail(db, run.id)

    assert [attempt.number for attempt in detail.attempts] == [1, 2]
    assert isinstance(detail.attempt, Attempt)
    assert detail.attempt.number == 2


def _fill(db: Database, task: Task, count: int) -> None:
    with db.write() as session:
        ledger.insert_runs(session, [run_row(task, RunState.SUCCEEDED) for _ in range(count)])


def test_pages_lead_back_and_forth_without_losing_a_run(db: Database, task: Task) -> None:
    _fill(db, task, 25)

    pages = [runs.list_page(db, limit=10)]
    while pages[-1].has_older:
        pages.append(runs.list_page(db, limit=10, before_id=pages[-1].runs[-1].id))
    back = runs.list_page(db, limit=10, after_id=pages[1].runs[0].id)

    assert [len(page.runs) for page in pages] == [10, 10, 5]
    assert [page.filtered for page in pages] == [25, 25, 25]
    assert [run.id for run in back.runs] == [run.id for run in pages[0].runs]
    assert back.has_older


def test_a_page_that_is_exactly_full_promises_nothing_more(db: Database, task: Task) -> None:
    _fill(db, task, 10)

    assert not runs.list_page(db, limit=10).has_older


def test_a_filter_counts_what_it_shows(db: Database, task: Task) -> None:
    _fill(db, task, 3)
    failed = add_run(db, task, RunState.FAILED)

    page = runs.list_page(db, RunFilter(states=("failed",)))

    assert ([run.id for run in page.runs], page.filtered) == ([failed.id], 1)


def test_the_overview_counts_today_and_shows_what_goes_on(db: Database, task: Task) -> None:
    add_task(db, "off", enabled=False)
    running = add_run(db, task, RunState.RUNNING)
    waiting = add_run(db, task)
    add_run(db, task, RunState.FAILED)
    add_run(db, task, RunState.LOST, due_at=NOW - timedelta(days=1))
    add_run(db, task, RunState.MISSED, stands_for=7)

    seen = runs.overview(db, day_start=NOW)

    assert (seen.total_tasks, seen.enabled_tasks) == (2, 1)
    assert seen.today == {"running": 1, "queued": 1, "failed": 1, "missed": 7}
    assert ([run.id for run in seen.running], [run.id for run in seen.waiting]) == ([running.id], [waiting.id])
