"""Following the outbox: what is new, and the newest events in memory for clients that come back."""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Sequence

from watchbell.errors import WatchbellError
from watchbell.services import events
from watchbell.services.events import Event
from watchbell.store.session import ChangeWatch, Database

#: So many of the newest events can be told again. Whoever has missed more loads what it shows anew.
KEPT_EVENTS = 2000
#: So many are read and told at a time; clients can read between one lot and the next.
_BATCH = 200
#: So often it is read whether or not anybody seems to have written: a file that was put in the place of another is seen by
#: nothing else, and other databases have no mark.
_NET_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_log = logging.getLogger("watchbell.web")


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An event as it goes over the wire, with what is needed to choose by."""

    id: int
    type: str
    task_name: str | None
    run_id: int | None
    #: The uuid of the device that it is about, if it is about one.
    device: str | None
    frame: bytes


class Feed:
    """What has happened since the last look; used by one thread.

    Looking costs microseconds while nothing is written: on SQLite a connection of its own sees by a mark that somebody has
    committed, and only then is anything read.
    """

    def __init__(self, open_database: Callable[[], Database], tell: Callable[[Event], bytes]) -> None:
        self._open_database = open_database
        self._tell = tell
        self._db: Database | None = None
        self._watch: ChangeWatch | None = None
        self._read_at = 0.0
        self._try_at = 0.0
        self._in_trouble = False
        self._kept: deque[Told] = deque()
        #: The newest event that was read.
        self.cursor = 0
        #: All events after this one are kept.
        self.floor = 0
        #: Whether something may have been missed, which whoever follows has to hear.
        self.has_gap = False
        #: Whether it stands at an event since a moment ago; what was committed before that is never told.
        self.has_begun = False
        #: Whether there is more to be read at once.
        self.is_behind = False
        #: Grows whenever anybody has written anything.
        self.changes = 0

    def look(self, now: float) -> Sequence[Told]:
        """Return what has happened since the last look, in its order; nothing while the database does not answer."""
        try:
            if self._db is None:
                if now >= self._try_at:
                    self._begin()
                return ()
            # A whole batch means that there was more than fits into one.
            is_due = self.is_behind or now - self._read_at >= _NET_SECONDS
            changed = self._watch is not None and self._watch.changed()
            self.changes += changed
            if not (changed or is_due):
                return ()
            self._read_at = now
            found = events.list_after(self._db, self.cursor, _BATCH)
        except WatchbellError as error:
            self._give_up(error, now)
            return ()
        self.is_behind = len(found) == _BATCH
        return self._keep(found)

    def since(self, event_id: int) -> Sequence[Told] | None:
        """Return the events after one, None if not all of them are kept or there has never been such an event."""
        if not self.floor <= event_id <= self.cursor:
            return None
        return [told for told in self._kept if told.id > event_id]

    @property
    def is_at_newest(self) -> bool:
        """Return whether all that had been committed when it was last looked is read."""
        return self._db is not None and not self.is_behind

    @property
    def database(self) -> Database | None:
        """Return the database while it answers."""
        return self._db

    def close(self) -> None:
        """Give the connections back."""
        if self._watch is not None:
            self._watch.close()
        if self._db is not None:
            self._db.close()
        self._db = self._watch = None

    def _begin(self) -> None:
        """Open the database and stand at its newest event; what happened while it did not answer was missed."""
        db = self._open_database()
        watch = ChangeWatch(db)
        try:
            watch.changed()
            newest = events.list_newest(db, KEPT_EVENTS)
        except BaseException:
            # It has a connection that is not the database's any more.
            watch.close()
            db.close()
            raise
        self._db, self._watch = db, watch
        self.has_begun = True
        # After a failure it may be another file, whose events bear the same numbers.
        self.has_gap, self._in_trouble = self._in_trouble, False
        self._kept.clear()
        self.cursor = self.floor = 0
        if newest:
            self.cursor = self.floor = newest[0].id - 1
            self._keep(newest)

    def _keep(self, found: Sequence[Event]) -> list[Told]:
        told = [Told(e.id, e.type, e.task_name, e.run_id, e.data.get("device_uuid"), self._tell(e)) for e in found]
        self._kept.extend(told)
        while len(self._kept) > KEPT_EVENTS:
            self.floor = self._kept.popleft().id
        if told:
            self.cursor = told[-1].id
        return told

    def _give_up(self, error: WatchbellError, now: float) -> None:
        if not self._in_trouble:
            _log.warning("The live events stop until the database answers again: %s", error.message)
        self._in_trouble, self.is_behind = True, False
        self._try_at = now + _RETRY_SECONDS
        self.close()
