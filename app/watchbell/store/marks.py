"""How far somebody who follows the ledger has come, in the transaction of what was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from watchbell.store.runs import RunEvent
from watchbell.store.tasks import ChangeMark

_EVENT: Any = RunEvent.__table__


#: Asked several times in each turn, so it is not put together anew.
_GET = select(ChangeMark.value).where(ChangeMark.name == bindparam("name"))


def take(session: Session, name: str) -> int:
    """Return a mark, 0 if it was never set; on a server nobody else takes it until this transaction ends."""
    statement = select(ChangeMark.value).where(ChangeMark.name == name).with_for_update()
    return int(session.execute(statement).scalar() or 0)


def put(session: Session, name: str, value: int) -> None:
    """Set a mark."""
    changed = session.connection().execute(update(ChangeMark).where(ChangeMark.name == name).values(value=value))
    if changed.rowcount == 0:
        session.add(ChangeMark(name=name, value=value))
        session.flush()


def get(session: Session, name: str) -> int:
    """Return a mark without taking it."""
    return int(session.connection().execute(_GET, {"name": name}).scalar() or 0)


def newest_event(session: Session) -> int:
    """Return the number of the newest transition of any run."""
    return int(session.scalar(select(func.max(RunEvent.id))) or 0)


def list_ended(
    session: Session, after: int, before: datetime, states: Sequence[str], limit: int
) -> tuple[list[int], int]:
    """Return which runs came to one of some states in the next so many transitions, and how far that leads.

    Only transitions before a time count: on a server one with a lower number may still be on its way.
    """
    statement = select(_EVENT.c.id, _EVENT.c.run_id, _EVENT.c.from_state, _EVENT.c.to_state, _EVENT.c.at).where(
        _EVENT.c.id > after
    )
    found: list[int] = []
    reached = after
    for row in session.connection().execute(statement.order_by(_EVENT.c.id).limit(limit)):
        if row.at >= before:
            break
        reached = row.id
        # A late report moves nothing.
        if row.to_state in states and row.from_state != row.to_state:
            found.append(row.run_id)
    return found, reached
