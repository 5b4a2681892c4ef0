"""The numbers that runs and events have had: none is given twice, also when rows are deleted or an older copy is restored."""

from __future__ import annotations

from sqlalchemy import func, select, text

from watchbell.store.events import Outbox
from watchbell.store.runs import Run
from watchbell.store.session import Session

_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :name")


def newest_run(session: Session) -> int:
    """Return the highest number that any run has had, 0 if there never was one."""
    return _newest(session, Run)


def skip(session: Session, run: int, events: int) -> None:
    """Give runs no number up to this one any more, and leave so many numbers of events out."""
    _raise_to(session, Run, run)
    _raise_to(session, Outbox, _newest(session, Outbox) + events)


def _newest(session: Session, table: type[Run | Outbox]) -> int:
    there = int(session.scalar(select(func.max(table.id))) or 0)
    if session.get_bind().dialect.name != "sqlite":
        return there
    return max(there, int(session.scalar(_GIVEN, {"name": table.__tablename__}) or 0))


def _raise_to(session: Session, table: type[Run | Outbox], number: int) -> None:
    if session.get_bind().dialect.name != "sqlite":
        _raise_sequence(session, table, number)
        return
    values = {"name": table.__tablename__, "number": max(number, _newest(session, table))}
    session.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
    session.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), values)


def _raise_sequence(session: Session, table: type[Run | Outbox], number: int) -> None:
    """Raise the sequence of a server's table, which numbers are taken from in whatever order."""
    name = session.scalar(text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table.__tablename__})
    given = session.scalar(text("SELECT nextval(CAST(:name AS regclass))"), {"name": name})
    session.execute(
        text("SELECT setval(CAST(:name AS regclass), :number)"), {"name": name, "number": max(number, int(given or 0))}
    )
