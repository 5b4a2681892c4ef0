"""Lives of schedulers: how one is named, and which of them belong to a data directory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from watchbell.store.heartbeats import Scheduler


def name_life(unique: str, home: str) -> str:
    """Return the incarnation of a new scheduler: a unique text, and a mark of the data directory that it works in."""
    return f"{unique}.{home_mark(home)}"


def home_mark(home: str) -> str:
    """Return the mark of a data directory."""
    return hashlib.sha256(home.encode()).hexdigest()[:12]


def mark_of(incarnation: str) -> str:
    """Return the mark of the data directory that a scheduler worked in."""
    return incarnation.partition(".")[2]


def lives_of(lives: Iterable[Scheduler], home: str, *, owns_database: bool) -> list[Scheduler]:
    """Return those that worked in a data directory; a database that lies in one (``owns_database``) has no other one."""
    return [life for life in lives if owns_database or mark_of(life.incarnation) == home_mark(home)]
