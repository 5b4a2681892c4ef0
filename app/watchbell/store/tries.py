"""The tries of late to log in, in a small file beside the database that all web processes of a machine share.

It is a database of its own: no try waits for the scheduler, and none makes it wait. What it holds is worth nothing after a day,
so a damaged one is thrown away. Names and addresses stand in it as digests only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from watchbell.errors import Unavailable

#: Whoever waits longer for another process counts for itself instead.
_WAIT_SECONDS = 2.0
#: So many are kept, some 40 MB; beyond it the oldest go first.
MOST_ROWS = 400_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS try (who BLOB NOT NULL, at REAL NOT NULL, until REAL NOT NULL);
CREATE INDEX IF NOT EXISTS try_who ON try (who, at);
CREATE INDEX IF NOT EXISTS try_until ON try (until);
"""
_PRUNE_AT_ONCE = 1000
#: What lies beside the file while it is written.
_COMPANIONS = ("-journal",)


class Window(NamedTuple):
    """How many tries may be made within some seconds."""

    most: int
    seconds: int


class TriesFile:
    """The file. Each call opens it anew, which costs half a millisecond and no thought about forks and threads."""

    def __init__(self, path: Path, *, most_rows: int = MOST_ROWS) -> None:
        self.path = path
        self._most_rows = most_rows

    def hit(self, who: str, windows: Sequence[Window], now: float) -> bool:
        """Count a try and return True, or return False and count nothing if there were too many; raises Unavailable."""
        key = _digest(who)
        with self._opened() as opened:
            # Whoever has no try left costs no write, however often they come.
            if not _has_room(opened, key, windows, now):
                return False
            opened.execute("BEGIN IMMEDIATE")
            try:
                has_room = _has_room(opened, key, windows, now)
                if has_room:
                    until = now + max(window.seconds for window in windows)
                    opened.execute("INSERT INTO try VALUES (?, ?, ?)", (key, now, until))
                    self._prune(opened, now)
            finally:
                opened.execute("COMMIT")
            return has_room

    def has_room(self, who: str, windows: Sequence[Window], now: float) -> bool:
        """Return whether another try may be made, without counting one; raises Unavailable."""
        with self._opened() as opened:
            return _has_room(opened, _digest(who), windows, now)

    def forget(self, whom: Iterable[str]) -> None:
        """Give tries back; raises Unavailable."""
        with self._opened() as opened:
            opened.executemany("DELETE FROM try WHERE who = ?", [(_digest(who),) for who in whom])

    def _prune(self, opened: sqlite3.Connection, now: float) -> None:
        # What lies far ahead was counted before the clock was set back.
        opened.execute(
            "DELETE FROM try WHERE rowid IN (SELECT rowid FROM try WHERE until < ? OR until > ? LIMIT ?)",
            (now, now + 2 * 86_400, _PRUNE_AT_ONCE),
        )
        (first, last) = opened.execute("SELECT min(rowid), max(rowid) FROM try").fetchone()
        if last - first >= self._most_rows:
            opened.execute("DELETE FROM try WHERE rowid <= ?", (last - self._most_rows,))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(self._connected()) as opened:
                yield opened
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the file of tries {self.path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            self._throw_away()
            raise Unavailable(f"the file of tries {self.path} was damaged, and is made anew: {error}") from error
        except OSError as error:
            raise Unavailable(f"the file of tries {self.path} cannot be used: {error.strerror}") from error

    def _connected(self) -> sqlite3.Connection:
        # Made by us first: the library would make it with the mode that the umask leaves.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        opened = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
        # What a crash of the machine takes is worth nothing after it.
        opened.execute("PRAGMA synchronous = OFF")
        if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'try_until'").fetchone():
            opened.executescript(_SCHEMA)
        return opened

    def _throw_away(self) -> None:
        for name in (self.path, *(self.path.with_name(f"{self.path.name}{end}") for end in _COMPANIONS)):
            name.unlink(missing_ok=True)


def _has_room(opened: sqlite3.Connection, key: bytes, windows: Sequence[Window], now: float) -> bool:
    counted = "SELECT count(*) FROM try WHERE who = ? AND at > ? AND at < ?"
    return all(
        opened.execute(counted, (key, now - window.seconds, now + window.seconds)).fetchone()[0] < window.most
        for window in windows
    )


def _digest(who: str) -> bytes:
    return hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=16).digest()
