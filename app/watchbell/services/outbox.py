"""What has happened, in the order of its commits, for programs that ask for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from watchbell.store import events as store
from watchbell.store.session import Database

#: So many events are looked at for those of some types.
LOOKED_AT = 5000
_PART = 500


def list_since(db: Database, event_id: int, *, limit: int, types: Collection[str] = ()) -> tuple[Sequence[Any], int]:
    """Return the events after an id, oldest first, of these types if any are named, and the id up to which was looked.

    Whoever goes on from that id misses nothing and sees nothing twice.
    """
    found: list[Any] = []
    place = event_id
    with db.read() as session:
        for _ in range(LOOKED_AT // _PART):
            part = store.list_after(session, place, _PART)
            for event in part:
                place = event.id
                if not types or event.type in types:
                    found.append(event)
                if len(found) == limit:
                    return found, place
            if len(part) < _PART:
                break
    return found, place


def has_gap(db: Database, event_id: int) -> bool:
    """Return whether events after an id are kept no more, or whether there was never such an event: a backup was restored."""
    with db.read() as session:
        return event_id > store.newest_id(session) or event_id + 1 < store.oldest_id(session)


def newest_id(db: Database) -> int:
    """Return the id of the newest event, 0 if there is none."""
    with db.read() as session:
        return store.newest_id(session)
