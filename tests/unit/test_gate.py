"""What the loop remembers of the runs that wait, so that it asks only when the answer may have changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.turning import AGAIN, due_task, result_of, turn
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.scheduler.gate import REFRESH_SECONDS, STEP_SECONDS, Gate
from watchbell.services import pauses, queues
from watchbell.services.tickets import NO_HOLDS, Turn, Turned
from watchbell.store.session import Database

HOUR = timedelta(hours=1)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the clock that never jumps, to be moved by hand."""
    at = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    return at


def _turned(**values: object) -> Turned:
    return Turned(**{"tickets": [], "changed_tasks": (), "planned_tasks": (), "surprises": (), "has_backlog": False, **values})  # type: ignore[arg-type]  # fmt: skip


def _turn(**values: object) -> Turn:
    return Turn(**{"now": NOW, "holder": "me", "actor": "me", "room": 1, **values})  # type: ignore[arg-type]


def _settled(db: Database, *, claims: bool = True, **turned: object) -> Gate:
    gate = Gate(db)
    gate.look(NOW, has_news=True)
    gate.settle(_turn(claims=claims), _turned(**turned))
    return gate


def test_a_new_gate_looks_into_the_queue_once(db: Database) -> None:
    gate = Gate(db)
    assert gate.should_claim(1, has_results=False)

    gate.settle(_turn(), _turned())

    assert not gate.should_claim(1, has_results=True)


def test_a_look_tells_once_that_a_pause_or_the_bound_of_a_queue_has_changed(db: Database) -> None:
    gate = Gate(db)
    assert not gate.look(NOW, has_news=True)

    pauses.pause(db, "everything", now=NOW, actor="anna", until=NOW + HOUR)
    assert gate.look(NOW, has_news=True)
    assert gate.why_changed().startswith("everything is paused by anna")
    assert not gate.look(NOW, has_news=True)
    assert gate.look(NOW + HOUR, has_news=False)

    queues.set_bounds(db, "narrow", max_running=1, now=NOW, actor="anna")
    assert gate.look(NOW + HOUR, has_news=True)
    assert "bound of a queue" in gate.why_changed()


def test_without_room_nobody_looks(db: Database) -> None:
    assert not Gate(db).should_claim(0, has_results=True)


def test_what_is_held_up_is_looked_at_again_when_something_ends(db: Database) -> None:
    gate = _settled(db, has_backlog=True)

    assert not gate.should_claim(1, has_results=False)
    assert gate.should_claim(1, has_results=True)


def test_an_end_in_a_turn_without_a_look_is_remembered(db: Database) -> None:
    gate = _settled(db, has_backlog=True)
    (ticket,) = turn(db, due_task(add_task(db))).tickets

    gate.settle(_turn(claims=False, results=[result_of(ticket)]), _turned())

    assert gate.should_claim(1, has_results=False)


def test_what_found_no_room_is_looked_at_again(db: Database) -> None:
    assert _settled(db, has_backlog=True, has_more=True).should_claim(1, has_results=False)


def test_a_run_that_has_just_come_to_the_queue_is_waited_for(db: Database) -> None:
    gate = _settled(db)
    gate.settle(_turn(claims=False), _turned(has_backlog=True))
    assert gate.should_claim(1, has_results=True)

    other = _settled(db)
    (ticket,) = turn(db, due_task(add_task(db))).tickets
    other.settle(_turn(claims=False, results=[result_of(ticket, *AGAIN)]), _turned())
    assert other.should_claim(1, has_results=False)


def test_news_let_it_look_again(db: Database) -> None:
    gate = _settled(db)

    gate.look(NOW, has_news=True)

    assert gate.should_claim(1, has_results=False)


def test_pauses_and_bounds_are_read_when_there_is_news(db: Database) -> None:
    gate = _settled(db)
    pauses.pause(db, pauses.EVERYTHING, now=NOW, actor="ann", until=NOW + HOUR)
    queues.set_bounds(db, "backup", max_running=1, now=NOW, actor="ann")
    gate.look(NOW, has_news=False)
    assert gate.holds == NO_HOLDS

    gate.look(NOW, has_news=True)

    assert gate.holds.bounded == {"backup"}
    assert not gate.should_claim(1, has_results=True)


def test_a_pause_that_ends_by_itself_is_noticed_without_news(db: Database) -> None:
    pauses.pause(db, pauses.EVERYTHING, now=NOW, actor="ann", until=NOW + HOUR)
    gate = Gate(db)
    gate.look(NOW, has_news=True)

    gate.look(NOW + HOUR - timedelta(seconds=1), has_news=False)
    assert gate.holds.everything
    gate.look(NOW + HOUR, has_news=False)

    assert not gate.holds.everything
    assert gate.should_claim(1, has_results=False)


def test_a_new_life_knows_when_the_time_of_what_waits_comes(db: Database) -> None:
    add_run(db, add_task(db), RunState.RETRY_WAIT, retry_at=NOW + HOUR, attempts=1)
    gate = Gate(db)
    gate.look(NOW, has_news=True)

    assert [gate.is_time(NOW + HOUR / 2), gate.is_time(NOW + HOUR)] == [False, True]


def test_the_earliest_of_what_a_turn_makes_wait_counts(db: Database) -> None:
    gate = _settled(db, next_moment=NOW + HOUR)
    gate.settle(_turn(), _turned(next_moment=NOW + 2 * HOUR))
    assert gate.is_time(NOW + HOUR)

    gate.settle(_turn(), _turned(next_moment=NOW + HOUR / 2))
    assert gate.is_time(NOW + HOUR / 2)


def test_after_a_turn_for_it_the_next_moment_is_what_that_turn_has_found(db: Database, passing: list[float]) -> None:
    gate = _settled(db, next_moment=NOW)
    gate.settle(_turn(is_time=True), _turned(next_moment=NOW + HOUR))

    passing[0] += STEP_SECONDS
    assert [gate.is_time(NOW), gate.is_time(NOW + HOUR)] == [False, True]


def test_two_turns_for_it_keep_a_distance(db: Database, passing: list[float]) -> None:
    gate = _settled(db, next_moment=NOW)
    gate.settle(_turn(is_time=True), _turned(next_moment=NOW))

    assert not gate.is_time(NOW)
    passing[0] += STEP_SECONDS
    assert gate.is_time(NOW)


def test_what_another_scheduler_makes_wait_is_read_now_and_then(db: Database, passing: list[float]) -> None:
    gate = _settled(db)
    add_run(db, add_task(db), RunState.RETRY_WAIT, retry_at=NOW, attempts=1)

    gate.look(NOW, has_news=True)
    assert not gate.is_time(NOW)
    passing[0] += REFRESH_SECONDS
    gate.look(NOW, has_news=False)

    assert gate.is_time(NOW)
