"""Whether the database is still what it was: a mark of it that costs microseconds to read."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

from watchbell.errors import ConfigError, Unavailable
from watchbell.store import place
from watchbell.store.session import ChangeWatch, Database

#: What two looks have in common between which nobody has committed anything.
Mark = tuple[object, ...]


class Stillness:
    """Reads the mark of the embedded database; one of a server has none that is cheaper than asking it.

    It has a connection of its own, opened at the first look: in whichever process that happens. May be used by several
    threads.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._watch: ChangeWatch | None = None
        self._identity: object = None
        #: Grows with each connection, since what one counts says nothing of what another one counted.
        self._connections = 0

    def mark(self) -> Mark | None:
        """Return the mark of what the database holds now, None if nothing can be said of it."""
        # What is wrong with the database is told by whoever asks it for something; here it has no mark.
        with self._lock, contextlib.suppress(Unavailable, ConfigError, sqlite3.Error):
            watch = self._open()
            if watch is not None:
                return (self._connections, self._identity, watch.version())
        return None

    def _open(self) -> ChangeWatch | None:
        """Return the watch over the file that lies there now: one that took its place is another database."""
        if self._database is None:
            self._database = Database.open(self._url, single_connection=True)
        file = self._database.file
        if file is None:
            return None
        identity = place.identity(file)
        if identity is None:
            return None
        if self._watch is None or identity != self._identity:
            self._database.close()
            self._watch, self._identity = ChangeWatch(self._database), identity
            self._connections += 1
        return self._watch
