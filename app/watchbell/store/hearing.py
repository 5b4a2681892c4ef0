"""By what a program hears of what others have committed, told in a word."""

from __future__ import annotations

import contextlib
import threading
import weakref
from enum import StrEnum

from sqlalchemy import Engine

from watchbell import clock
from watchbell.store import pooler
from watchbell.store.listening import Listener
from watchbell.store.session import Database
from watchbell.store.trouble import translated

#: So long what was found is taken for true: a pooler is set up anew once in a while, and seldom that.
_KEPT_SECONDS = 60.0
_lock = threading.Lock()
_found: weakref.WeakKeyDictionary[Engine, tuple[float, Way]] = weakref.WeakKeyDictionary()


class Way(StrEnum):
    """How changes are heard of."""

    FILE = "file"
    """By a mark in the file of the embedded database."""
    NOTIFY = "notify"
    """The server tells of each."""
    POLL = "poll"
    """The server is asked again and again, since a pooler does not carry what it tells."""


def way(database: Database, *, patience_seconds: float) -> Way:
    """Return how changes are heard of; behind a pooler it is tried, for so long at the most, and remembered for a minute.

    Raises Unavailable and ConfigError as a transaction does.
    """
    if database.is_sqlite:
        return Way.FILE
    now = clock.monotonic()
    with _lock:
        at, known = _found.get(database.engine, (now - _KEPT_SECONDS, Way.POLL))
    if now - at < _KEPT_SECONDS:
        return known
    with translated(None):
        found = _try(database.engine, patience_seconds)
    with _lock:
        _found[database.engine] = (now, found)
    return found


def _try(engine: Engine, patience_seconds: float) -> Way:
    with engine.connect() as connection:
        if not pooler.is_pooled(connection):
            return Way.NOTIFY
    with contextlib.closing(Listener(engine)) as listener:
        return Way.NOTIFY if listener.wait_to_hear(patience_seconds) else Way.POLL
