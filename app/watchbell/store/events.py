"""The outbox: what happened, in the order of commits, for those who follow from outside a transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, Select, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base
from watchbell.store.batch import Batch, allocate

#: The type of a row that holds several events; its data is a list of [type, task id, run id, data].
MANY = "many"
#: So many events share a row at the most, and so many rows are fetched at a time by a reader, who may need no more.
_TOGETHER = 128
_FETCHED = 8


class Outbox(Base):
    """One event, or several of one moment, written in the transaction of the changes that they tell of."""

    __tablename__ = "outbox"
    # Followers remember the last id they have seen, so an id must never come back.
    __table_args__ = {"sqlite_autoincrement": True}

    #: Of several events that of the last one; those before it have the numbers before it.
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    task_id: Mapped[int | None]
    run_id: Mapped[int | None]
    data: Mapped[Any] = mapped_column(JSON, default=dict)
    at: Mapped[datetime]


class Event(NamedTuple):
    """One thing that has happened. Ids rise in the order of commits and never come back."""

    id: int
    type: str
    task_id: int | None
    run_id: int | None
    data: dict[str, Any]
    at: datetime


_OUTBOX: Any = Outbox.__table__
_COLUMNS = (_OUTBOX.c.id, _OUTBOX.c.type, _OUTBOX.c.task_id, _OUTBOX.c.run_id, _OUTBOX.c.data, _OUTBOX.c.at)
_ADD = Batch(_OUTBOX.insert())


def add(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append events, each with type, task_id, run_id, data and at; those of one moment share a row."""
    if len(rows) == 1:
        _ADD.execute(session, rows)
        return
    for at, group in itertools.groupby(rows, lambda row: row["at"]):
        events = [(row["type"], row["task_id"], row["run_id"], row["data"]) for row in group]
        newest = allocate(session, "outbox", len(events))[0] - 1
        for place in range(0, len(events), _TOGETHER):
            some = events[place : place + _TOGETHER]
            newest += len(some)
            _ADD.execute(
                session, [{"id": newest, "type": MANY, "task_id": None, "run_id": None, "data": some, "at": at}]
            )


def list_after(session: Session, event_id: int, limit: int = 500) -> Sequence[Event]:
    """Return the events after an id, oldest first."""
    statement = select(*_COLUMNS).where(_OUTBOX.c.id > event_id).order_by(_OUTBOX.c.id)
    return _take(session, statement, limit, lambda event: event.id > event_id)


def list_newest(session: Session, limit: int) -> Sequence[Event]:
    """Return the newest events, newest first."""
    return _take(
        session, select(*_COLUMNS).order_by(_OUTBOX.c.id.desc()), limit, lambda _event: True, newest_first=True
    )


def _take(
    session: Session,
    statement: Select[Any],
    limit: int,
    is_wanted: Callable[[Event], bool],
    *,
    newest_first: bool = False,
) -> list[Event]:
    """Return so many events of the rows of a statement that are wanted; no more rows are fetched than that takes."""
    rows = session.connection().execute(statement.limit(limit).execution_options(yield_per=_FETCHED))
    parts = (_events(*row) for row in rows)
    events = itertools.chain.from_iterable(part[::-1] if newest_first else part for part in parts)
    found = list(itertools.islice(filter(is_wanted, events), limit))
    rows.close()
    return found


def _events(number: int, kind: str, task_id: int | None, run_id: int | None, data: Any, at: datetime) -> list[Event]:
    """Return the events of one row, in their order."""
    if kind != MANY:
        return [Event(number, kind, task_id, run_id, data, at)]
    return [
        Event(event_id, its_type, its_task, its_run, its_data, at)
        for event_id, (its_type, its_task, its_run, its_data) in enumerate(data, start=number - len(data) + 1)
    ]


def oldest_id(session: Session) -> int:
    """Return the id of the oldest event that is kept, 0 if there is none."""
    return next((event.id for event in list_after(session, 0, limit=1)), 0)


def newest_id(session: Session) -> int:
    """Return the id of the newest event, 0 if there is none."""
    return int(session.scalar(select(func.max(Outbox.id))) or 0)
