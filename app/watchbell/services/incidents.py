"""What befell the schedulers themselves, so that "why was nothing run then?" has an answer that stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.store import incidents as store
from watchbell.store.incidents import Incident
from watchbell.store.session import Database

#: More than these are not kept; a machine that has more troubles has other ones first.
KEPT = 5000


def add(
    db: Database,
    kind: str,
    message: str,
    *,
    at: datetime,
    host: str,
    incarnation: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write down that something happened; raises Unavailable."""
    incident = Incident(
        at=at, kind=str(kind), message=message, host=host, incarnation=incarnation, data=dict(data or {})
    )
    add_all(db, [incident])


def add_all(db: Database, incidents: Sequence[Incident]) -> None:
    """Write several down at once; raises Unavailable with none of them stored."""
    with db.write() as session:
        for incident in incidents:
            store.add_incident(session, incident, KEPT)


def list_newest(
    db: Database, limit: int = 50, since: datetime | None = None, *, before_id: int | None = None
) -> list[Incident]:
    """Return the newest incidents, of those before an id if it is given, the newest first."""
    with db.read() as session:
        return list(store.list_newest(session, limit, since, before_id))
