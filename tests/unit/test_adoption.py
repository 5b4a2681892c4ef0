"""What a scheduler finds when it starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.run_state import FINAL, RunState
from watchbell.services import adoption, heartbeats, runs
from watchbell.services.adoption import Orphan
from watchbell.services.lives import name_life
from watchbell.store import ledger
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both

HOME = "/var/lib/watchbell"
OLD, NEW = name_life("old", HOME), name_life("new", HOME)


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db)


def _live(db: Database, incarnation: str = OLD, host: str = "watchtower") -> None:
    heartbeats.begin(
        db,
        Scheduler(
            incarnation=incarnation,
            user="ann",
            host=host,
            environment="production",
            session_id="1",
            version="0.1.0",
            pid=1,
            start_ticks=2,
            boot_id="boot-of-old",
            started_at=NOW,
            beat_at=NOW,
        ),
    )


def _flight(db: Database, task: Task, state: RunState, *, holder: str = OLD, attempts: int = 1) -> Run:
    run = add_run(db, task, state, holder=holder, fence=attempts, attempts=attempts)
    with db.write() as session:
        for number in range(1, attempts + 1):
            row = {"run_id": run.id, "number": number, "fence": number, "holder": holder, "folder": "", "reason": ""}
            ledger.add_attempts(session, [row])
    return run


def _take_over(db: Database, holder: str = NEW, host: str = "watchtower") -> list[Orphan]:
    return adoption.take_over(
        db, holder=holder, host=host, now=NOW + timedelta(minutes=1), actor="scheduler@watchtower"
    )


def test_an_empty_ledger_leaves_nothing_to_take_over(db: Database) -> None:
    assert _take_over(db) == []


@pytest.mark.parametrize("state", [RunState.STARTING, RunState.RUNNING, RunState.CANCELLING])
def test_a_run_in_flight_becomes_ours_as_it_is(db: Database, task: Task, state: RunState) -> None:
    _live(db)
    run = _flight(db, task, state, attempts=2)

    (orphan,) = _take_over(db)

    detail = runs.get_detail(db, run.id)
    assert (orphan.state, orphan.boot_id) == (state, "boot-of-old")
    assert (orphan.ticket.run_id, orphan.ticket.number, orphan.ticket.fence) == (run.id, 2, 2)
    assert orphan.ticket.attempt_id == detail.attempt.id
    assert (detail.run.state, detail.run.holder, detail.attempt.holder) == (state, NEW, NEW)
    assert detail.events == []


def test_what_was_only_claimed_goes_back_since_nothing_was_started(db: Database, task: Task) -> None:
    _live(db)
    run = add_run(db, task, RunState.CLAIMED, holder=OLD, fence=1)

    assert _take_over(db) == []

    detail = runs.get_detail(db, run.id)
    assert (detail.run.state, detail.run.ended_at) == ("queued", None)
    assert [event.reason for event in detail.events] == ["its scheduler is gone and nothing was started"]


def test_what_was_cancelled_while_only_claimed_comes_to_its_end(db: Database, task: Task) -> None:
    _live(db)
    run = add_run(db, task, RunState.CLAIMED, holder=OLD, fence=1)
    runs.cancel(db, run.id, now=NOW, actor="bob")

    assert _take_over(db) == []

    assert runs.get(db, run.id).state == "cancelled"


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RETRY_WAIT, *sorted(FINAL)])
def test_what_is_not_in_flight_stays_as_it_is(db: Database, task: Task, state: RunState) -> None:
    run = add_run(db, task, state, holder=OLD)

    assert _take_over(db) == []
    assert runs.get(db, run.id).holder == OLD


def test_what_is_ours_already_is_not_taken_over_twice(db: Database, task: Task) -> None:
    _flight(db, task, RunState.RUNNING)

    assert (len(_take_over(db)), len(_take_over(db))) == (1, 0)
    assert len(_take_over(db, name_life("third", HOME))) == 1


def test_a_scheduler_that_never_wrote_a_heartbeat_can_still_be_followed(db: Database, task: Task) -> None:
    _flight(db, task, RunState.STARTING)

    (orphan,) = _take_over(db)

    assert orphan.boot_id is None


def test_the_runs_of_another_data_directory_are_not_ours(db: Database, task: Task) -> None:
    elsewhere = name_life("old", "/srv/other")
    run = _flight(db, task, RunState.RUNNING, holder=elsewhere)

    assert _take_over(db) == []
    assert runs.get(db, run.id).holder == elsewhere


@pytest.mark.embedded
def test_a_host_that_was_renamed_still_finds_its_runs(db: Database, task: Task) -> None:
    _live(db, host="before")
    _flight(db, task, RunState.RUNNING)

    assert len(_take_over(db, host="after")) == 1


def test_only_the_runs_that_we_hold_are_asked_for_when_some_are_to_end(db: Database, task: Task) -> None:
    ours = _flight(db, task, RunState.CANCELLING, holder=NEW)
    _flight(db, task, RunState.CANCELLING, holder=OLD)
    _flight(db, task, RunState.RUNNING, holder=NEW)

    assert adoption.list_cancelling(db, NEW) == [ours.id]


def test_states_are_told_as_they_are_in_the_ledger(db: Database, task: Task) -> None:
    run = add_run(db, task, RunState.RUNNING, fence=3)

    assert adoption.states(db, [run.id, 404]) == {run.id: (RunState.RUNNING, 3)}
