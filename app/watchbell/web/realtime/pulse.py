"""The metrics that are pushed: computed once for everybody who listens, and only when somebody does."""

from __future__ import annotations

from collections.abc import Callable

from watchbell import clock
from watchbell.errors import WatchbellError
from watchbell.services import metrics
from watchbell.services.metrics import Totals
from watchbell.store.session import Database
from watchbell.web.realtime import metric_words

#: How often each of them is pushed something.
PUSH_SECONDS = 2.0
#: What was computed a moment before serves also those whose time comes a moment later.
_FRESH_SECONDS = 1.9


class Pulse:
    """Makes what is pushed; used by the hub's thread alone."""

    def __init__(self, to_frame: Callable[[str], bytes]) -> None:
        self._to_frame = to_frame
        self._totals = Totals()
        self._frame = b""
        self._made_at = 0.0
        self._change: int | None = None

    def frame(self, db: Database, change: int) -> bytes:
        """Return what is to be pushed, nothing while the database does not answer; ``change`` rises when it was written."""
        now = clock.monotonic()
        if self._frame and (change == self._change or now - self._made_at < _FRESH_SECONDS):
            return self._frame
        try:
            told = metrics.overview(db, self._totals, clock.now())
        except WatchbellError:
            return b""
        self._frame = self._to_frame(metric_words.push_text(told, clock.now()))
        self._made_at, self._change = now, change
        return self._frame
