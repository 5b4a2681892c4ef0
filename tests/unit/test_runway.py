"""Tickets ahead of free seats: how many there may be, in which order they go, and what becomes of those that stay."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_task
from tests.unit.turning import all_runs, due_task, turn
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.scheduler.reap import unstarted
from watchbell.scheduler.runway import BRISK, MOST_AHEAD, STUCK_SECONDS, Runway
from watchbell.services import runs
from watchbell.services.tickets import Ticket
from watchbell.store.session import Database


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the clock that never jumps, to be moved by hand."""
    at = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    return at


def _ticket(number: int) -> Ticket:
    return Ticket(number, number, 1, 1, 1, 1, "task", NOW, "schedule")


def _runway(*numbers: int) -> Runway:
    runway = Runway()
    runway.add([_ticket(number) for number in numbers])
    return runway


@pytest.mark.parametrize(
    ("ended", "ahead"), [(0, 0), (BRISK - 1, 0), (BRISK, BRISK), (MOST_AHEAD, MOST_AHEAD), (1000, MOST_AHEAD)]
)
def test_as_many_get_ahead_as_have_just_ended_and_none_where_few_end(ended: int, ahead: int) -> None:
    assert Runway().ahead(ended) == ahead


def test_those_that_wait_already_count() -> None:
    assert _runway(1, 2, 3).ahead(BRISK) == BRISK - 3
    assert _runway(1, 2, 3).ahead(0) == -3


def test_tickets_go_in_their_order_and_stay_until_they_are_dropped() -> None:
    runway = _runway(1, 2)
    runway.add([_ticket(3)])

    seen = []
    while runway:
        assert runway.first() == runway.first()
        seen.append(runway.first().run_id)
        runway.drop_first()

    assert seen == [1, 2, 3]


def test_the_tickets_of_some_runs_can_be_withdrawn() -> None:
    runway = _runway(1, 2, 3, 4)

    assert [ticket.run_id for ticket in runway.withdraw({2, 4, 7})] == [2, 4]

    assert (runway.first().run_id, len(runway)) == (1, 2)
    assert runway.withdraw(()) == []


def test_what_finds_no_seat_for_long_is_given_back(passing: list[float]) -> None:
    runway = _runway(1, 2, 3)
    passing[0] += STUCK_SECONDS / 2
    assert runway.give_back() == []
    runway.drop_first()
    passing[0] += STUCK_SECONDS * 0.9
    assert runway.give_back() == []
    passing[0] += STUCK_SECONDS * 0.2

    assert [ticket.run_id for ticket in runway.give_back()] == [2, 3]

    assert len(runway) == 0


def test_an_empty_runway_does_not_make_the_next_ticket_old(passing: list[float]) -> None:
    runway = Runway()
    passing[0] += 100 * STUCK_SECONDS
    runway.add([_ticket(1)])

    assert runway.give_back() == []
    assert len(runway.give_back(0.0)) == 1


def test_a_run_whose_ticket_is_given_back_waits_again_and_is_started_later(db: Database) -> None:
    (ticket,) = turn(db, due_task(add_task(db, every="1m"))).tickets

    turn(db, results=[unstarted(ticket, RunState.STARTING, "the scheduler was stopped", NOW)], claims=False)

    (run,) = all_runs(db)
    assert (run.state, run.started_at, run.reason) == ("queued", None, "the scheduler was stopped; it is started again")
    (again,) = turn(db).tickets
    assert (again.run_id, again.number, again.fence) == (ticket.run_id, 2, ticket.fence + 1)


def test_a_ticket_that_is_given_back_more_often_than_a_start_is_tried_never_makes_its_run_fail(db: Database) -> None:
    (ticket,) = turn(db, due_task(add_task(db, every="1m"))).tickets

    for _ in range(15):
        turn(db, results=[unstarted(ticket, RunState.STARTING, "no room", NOW)], claims=False)
        (ticket,) = turn(db).tickets

    assert all_runs(db)[0].state == "starting"


def test_a_run_whose_ticket_is_withdrawn_is_cancelled_and_was_never_started(db: Database) -> None:
    (ticket,) = turn(db, due_task(add_task(db, every="1m"))).tickets
    runs.cancel(db, ticket.run_id, now=NOW, actor="ann")

    turn(db, results=[unstarted(ticket, RunState.CANCELLING, "ended before it was started", NOW)], claims=False)

    (run,) = all_runs(db)
    assert (run.state, run.reason, run.started_at) == ("cancelled", "cancelled before it was started", None)
