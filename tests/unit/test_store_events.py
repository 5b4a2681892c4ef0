"""The outbox: events of many changes share a row, and followers see each by its own number, in the order of commits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from tests.database import NOW
from watchbell.store import events
from watchbell.store.events import Event
from watchbell.store.session import Database

pytestmark = pytest.mark.on_both


def _row(number: int, at: datetime = NOW) -> dict[str, Any]:
    return {"type": f"t{number}", "task_id": number, "run_id": None, "data": {"n": number, "s": "ü\x00'"}, "at": at}


def _add(db: Database, *rows: dict[str, Any]) -> None:
    with db.write() as session:
        events.add(session, rows)


def _after(db: Database, number: int, limit: int = 500) -> list[Event]:
    with db.read() as session:
        return list(events.list_after(session, number, limit))


def _newest(db: Database) -> int:
    with db.read() as session:
        return events.newest_id(session)


def _rows(db: Database) -> int:
    with db.read() as session:
        return int(session.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def test_events_of_one_moment_share_a_row_and_are_read_one_by_one(db: Database) -> None:
    _add(db, *map(_row, range(1, 41)))

    found = _after(db, 0)

    assert _rows(db) == 1
    assert [event.id for event in found] == list(range(1, 41))
    assert found[6] == Event(7, "t7", 7, None, {"n": 7, "s": "ü\x00'"}, NOW)
    assert _newest(db) == 40


def test_each_event_has_its_own_moment(db: Database) -> None:
    later = (NOW + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=2)))
    _add(db, _row(1), _row(2), _row(3, later))

    assert [(event.id, event.at) for event in _after(db, 0)] == [(1, NOW), (2, NOW), (3, later)]
    assert {event.at.tzinfo for event in _after(db, 0)} == {UTC}


@pytest.mark.parametrize("seen", [0, 1, 2, 3, 150, 299, 300, 301, 302])
def test_a_follower_goes_on_from_wherever_it_is(db: Database, seen: int) -> None:
    _add(db, _row(1))
    _add(db, *map(_row, range(2, 301)))
    _add(db, _row(301))

    whole = [(number, f"t{number}") for number in range(1, 302)]

    assert [(event.id, event.type) for event in _after(db, seen)] == whole[seen:]
    assert [(event.id, event.type) for event in _after(db, seen, 5)] == whole[seen : seen + 5]


def test_no_number_comes_back_when_events_are_deleted(db: Database) -> None:
    _add(db, *map(_row, range(1, 11)))
    with db.write() as session:
        session.execute(text("DELETE FROM outbox"))

    _add(db, _row(11))
    _add(db, _row(12), _row(13))

    assert [event.id for event in _after(db, 0)] == [11, 12, 13]


def test_nothing_to_tell_makes_no_row(db: Database) -> None:
    _add(db)

    assert (_rows(db), _newest(db), _after(db, 0)) == (0, 0, [])


def _fail(db: Database) -> None:
    with db.write() as session:
        events.add(session, [_row(1), _row(2)])
        raise LookupError


def test_what_fails_leaves_no_event(db: Database) -> None:
    with pytest.raises(LookupError):
        _fail(db)

    _add(db, _row(3), _row(4))

    assert [event.type for event in _after(db, 0)] == ["t3", "t4"]


@pytest.mark.embedded
def test_what_fails_leaves_no_gap(db: Database) -> None:
    with pytest.raises(LookupError):
        _fail(db)

    _add(db, _row(3), _row(4))

    assert [event.id for event in _after(db, 0)] == [1, 2]


@pytest.mark.parametrize("limit", [1, 2, 7, 41, 42, 500])
def test_the_newest_come_first_when_they_are_asked_for(db: Database, limit: int) -> None:
    _add(db, *map(_row, range(1, 31)))
    _add(db, _row(31))
    _add(db, *map(_row, range(32, 43)))

    with db.read() as session:
        found = events.list_newest(session, limit)

    assert [event.id for event in found] == list(range(42, 0, -1))[:limit]
