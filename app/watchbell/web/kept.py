"""What was found once is answered again while the database stands still, for programs that ask the same again and again.

Nothing is kept for a time: a look at the database's own mark, before anything is found and at each later request, tells
whether anybody has committed anything since. Then all is found anew, so that nobody sees less than what is true.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from flask import Flask, current_app, g

from watchbell.config import Config
from watchbell.store.stillness import Mark, Stillness

_NAME = "watchbell.kept"
_Found = TypeVar("_Found")
#: How many things are kept; the one that was not asked for the longest goes first.
_MOST = 64


class Kept:
    """Things that were found, each with the mark of the database that they were found in."""

    def __init__(self, stillness: Stillness) -> None:
        self._stillness = stillness
        self._lock = threading.Lock()
        self._found: collections.OrderedDict[Hashable, tuple[Mark, object]] = collections.OrderedDict()

    def mark(self) -> Mark | None:
        """Return the mark of the database at this moment."""
        return self._stillness.mark()

    def recall(self, key: Hashable, mark: Mark, find: Callable[[], _Found]) -> _Found:
        """Return what was found under a key while the mark was this one, or find it now."""
        with self._lock:
            kept = self._found.get(key)
            if kept is not None and kept[0] == mark:
                self._found.move_to_end(key)
                return cast(_Found, kept[1])
        found = find()
        with self._lock:
            self._found[key] = (mark, found)
            self._found.move_to_end(key)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
        return found


def init_app(app: Flask, config: Config) -> None:
    """Begin with nothing kept; no connection is opened here."""
    app.extensions[_NAME] = Kept(Stillness(config.database_url))


def recall(key: Hashable, find: Callable[[], _Found]) -> _Found:
    """Return what ``find`` returns, or has returned under this key if nobody has changed the database since then.

    ``find`` must depend on the key and the database alone: neither on the time nor on who asks.
    """
    kept = current_app.extensions[_NAME]
    assert isinstance(kept, Kept)
    if "database_mark" not in g:
        # One look a request, before anything is read: what is committed after it is newer than what it says.
        g.database_mark = kept.mark()
    # In a transaction of the request's own there is more than anybody else may be told.
    if g.database_mark is None or "joined_database" in g:
        return find()
    return kept.recall(key, g.database_mark, find)
