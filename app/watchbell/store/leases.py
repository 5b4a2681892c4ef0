"""The lease of the leader: which of several schedulers does what is to be done once for all of them.

It is one row. Its term grows with each change of hands and never otherwise, so whoever has been asleep can find out by its own term
that somebody else has taken over since. How long it holds is told by the database's clock alone: those of the hosts differ.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base
from watchbell.store.session import is_embedded

_NAME = "leader"


class Lease(Base):
    """The lease; there is one row, or none before the first scheduler."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: The incarnation of a scheduler; None when it was given back.
    holder: Mapped[str | None]
    term: Mapped[int]
    #: Until when nobody else may take it; None where no other host can: on the embedded database.
    until: Mapped[datetime | None]
    taken_at: Mapped[datetime]


_LEASE: Any = Lease.__table__
_LEFT = text("SELECT holder, term, extract(epoch FROM until - clock_timestamp()) FROM lease WHERE name = 'leader'")
_RENEW = text(
    "UPDATE lease SET until = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE name = 'leader' AND holder = :holder AND term = :term"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """Who has the lease, and for how many seconds more; less than 0 if it has run out, None if it has no end."""

    holder: str | None
    term: int
    left_seconds: float | None


def find_lease(session: Session) -> Lease | None:
    """Return the row, or None."""
    return session.get(Lease, _NAME)


def look(session: Session) -> Held | None:
    """Return who has the lease, by the database's clock; one statement."""
    if is_embedded(session):
        row = session.execute(select(_LEASE.c.holder, _LEASE.c.term).where(_LEASE.c.name == _NAME)).one_or_none()
        return Held(row.holder, row.term, None) if row is not None else None
    found = session.execute(_LEFT).one_or_none()
    if found is None:
        return None
    holder, term, left = found
    return Held(holder, term, None if left is None else float(left))


def take(session: Session, holder: str, now: datetime, seconds: float) -> int:
    """Give the lease to a scheduler, whoever has it, and return its term; all who write must be kept out meanwhile."""
    values = {"holder": holder, "until": None, "taken_at": now}
    changed: Any = session.execute(
        update(_LEASE).where(_LEASE.c.name == _NAME).values(term=_LEASE.c.term + 1, **values)
    )
    if changed.rowcount == 0:
        session.execute(_LEASE.insert().values(name=_NAME, term=1, **values))
    term = int(session.execute(select(_LEASE.c.term).where(_LEASE.c.name == _NAME)).scalar_one())
    if not is_embedded(session):
        renew(session, holder, term, seconds)
    return term


def renew(session: Session, holder: str, term: int, seconds: float) -> bool:
    """Let a scheduler keep the lease for so many seconds from now, and return whether it was still its own.

    One that has run out is its own until somebody else has taken it.
    """
    changed: Any = session.execute(_RENEW, {"holder": holder, "term": term, "seconds": seconds})
    return bool(changed.rowcount)


def release(session: Session, holder: str) -> None:
    """Give the lease back if a scheduler has it; the term stays."""
    session.execute(
        update(_LEASE).where(_LEASE.c.name == _NAME, _LEASE.c.holder == holder).values(holder=None, until=None)
    )


def is_held(session: Session, holder: str, term: int) -> bool:
    """Return whether a scheduler still has the lease of a term, which stays true until the writing transaction ends.

    This is a statement of its own after the one that takes the lock of all writers: that one has seen the rows as they were
    when it began to wait. On the embedded database nobody on another host can have taken it, and nothing is asked.
    """
    if is_embedded(session):
        return True
    found = session.execute(select(_LEASE.c.holder, _LEASE.c.term).where(_LEASE.c.name == _NAME)).one_or_none()
    return found is not None and (found.holder, found.term) == (holder, term)
