"""What befell the schedulers themselves: clock jumps, suspends, stalls, a database that did not answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class Incident(Base):
    """One thing that happened to a scheduler; append-only."""

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    #: One of domain.incidents.IncidentKind.
    kind: Mapped[str]
    #: In words, for people.
    message: Mapped[str]
    host: Mapped[str] = mapped_column(default="")
    #: Which life of which scheduler tells it.
    incarnation: Mapped[str] = mapped_column(default="")
    #: The figures, such as the seconds of a jump and the times before and after.
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


def add_incident(session: Session, incident: Incident, keep: int) -> int:
    """Append an incident, forget all but the newest ``keep``, and return its id."""
    session.add(incident)
    session.flush()
    session.execute(delete(Incident).where(Incident.id <= incident.id - keep))
    return incident.id


def list_newest(
    session: Session, limit: int, since: datetime | None = None, before_id: int | None = None
) -> Sequence[Incident]:
    """Return the newest incidents, of those before an id if it is given, the newest first."""
    statement = select(Incident).order_by(Incident.id.desc()).limit(limit)
    if since is not None:
        statement = statement.where(Incident.at >= since)
    if before_id is not None:
        statement = statement.where(Incident.id < before_id)
    return session.scalars(statement).all()


def list_of_kind(session: Session, kind: str, limit: int) -> Sequence[Incident]:
    """Return the newest incidents of one kind, the newest first."""
    return session.scalars(
        select(Incident).where(Incident.kind == kind).order_by(Incident.id.desc()).limit(limit)
    ).all()
