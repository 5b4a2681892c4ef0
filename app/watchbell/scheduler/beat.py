"""The scheduler's proof of life: its row, and a beat in the history each minute."""

from __future__ import annotations

import os
import uuid
from datetime import datetime

from watchbell import clock
from watchbell.config import Config
from watchbell.control.pidfile import Owner
from watchbell.services import heartbeats
from watchbell.services.leadership import Standing
from watchbell.services.lives import name_life
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database
from watchbell.version import __version__

BEAT_SECONDS = 5.0
#: A beat that is kept, for the picture of a day.
KEEP_SECONDS = 60.0


class Beat:
    """Tells the database that the loop turns."""

    def __init__(self, db: Database, config: Config, owner: Owner) -> None:
        self._db = db
        now = clock.now()
        self.incarnation = name_life(uuid.uuid4().hex, str(config.home))
        self.started_at = now
        #: The newest beat that is stored.
        self.beaten_at: datetime | None = None
        #: Where this scheduler stands with the lease of the leader, by the newest beat.
        self.standing = Standing(None)
        self._last = self._last_kept = clock.monotonic()
        self._is_hastened = False
        self._row = Scheduler(
            incarnation=self.incarnation,
            user=config.user,
            host=config.hostname,
            environment=config.environment,
            session_id=str(int(now.timestamp() * 1_000_000)),
            version=__version__,
            pid=os.getpid(),
            start_ticks=owner.start_ticks or 0,
            boot_id=owner.boot_id,
            started_at=now,
            beat_at=now,
            running=0,
            load=_load(),
        )

    def begin(self) -> None:
        """Store the first heartbeat; raises Unavailable."""
        self.standing = heartbeats.begin(self._db, self._row)
        self.beaten_at = self.started_at

    def due_in(self) -> float:
        """Return the seconds until the next beat, at least 0; it comes early when the lease may be free by then."""
        if self._is_hastened:
            return 0.0
        return max(0.0, self._last + min(BEAT_SECONDS, self.standing.look_in) - clock.monotonic())

    def hasten(self) -> None:
        """Let the next beat come at once."""
        self._is_hastened = True

    def stand_by(self) -> None:
        """Forget the term, which is somebody else's by now; the next beat comes at once."""
        self.standing = Standing(None)
        self.hasten()

    def beat(self, running: int, now: datetime) -> None:
        """Store a beat; raises Unavailable."""
        at = clock.monotonic()
        keep = at - self._last_kept >= KEEP_SECONDS
        self.standing = heartbeats.beat(
            self._db,
            self.incarnation,
            now=now,
            running=running,
            keep=keep,
            load=_load(),
            term=self.standing.term,
        )
        self._last, self.beaten_at, self._is_hastened = at, now, False
        if keep:
            self._last_kept = at


def _load() -> float | None:
    """Return the load of this machine over the last minute; None where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
