"""What has happened, in the order of its commits, for those who follow the outbox from outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.events import wire_name
from watchbell.store import events as store
from watchbell.store.session import Database


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One thing that has happened."""

    #: Grows with every event and never comes back, so that a follower can say what it has seen.
    id: int
    #: One of domain.events.WIRE_NAMES.
    type: str
    task_id: int | None
    task_name: str | None
    run_id: int | None
    at: datetime
    data: Mapping[str, Any]


def list_after(db: Database, event_id: int, limit: int = 500) -> list[Event]:
    """Return the events after an id, oldest first, as many as the limit."""
    with db.read() as session:
        return [_event(row) for row in store.list_after(session, event_id, limit)]


def list_newest(db: Database, limit: int) -> list[Event]:
    """Return the newest events that are kept, oldest first."""
    with db.read() as session:
        return [_event(row) for row in reversed(store.list_newest(session, limit))]


def _event(row: Sequence[Any]) -> Event:
    event_id, kind, task_id, run_id, data, at = row
    more = dict(data)
    about_task = kind.startswith(("run_", "task_"))
    name = more.pop("name", None) if about_task else None
    return Event(event_id, wire_name(kind), task_id, name, run_id, at, more)
