"""How often many come who may come often: a count for each, of this minute and the one before it.

A fleet is counted by it, thousands of requests a minute that are all in order. What keeps the moment of each, and starts a
thread now and then to forget it, costs as much as answering such a request does.
"""

from __future__ import annotations

import threading
from collections import Counter

_SECONDS = 60.0


class Minutes:
    """Counts who comes how often, and who comes more often than ``most`` times within 60 seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._begun = 0.0
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def count(self, who: str, at: float) -> bool:
        """Count somebody ``at`` some seconds of a clock that never jumps, and return whether that is not too often.

        What is too often does not count. Of the minute before as much counts as lies within the last 60 seconds, taken as if it had been spread evenly.
        """
        with self._lock:
            passed = at - self._begun
            if passed >= _SECONDS:
                self._before = self._now if passed < 2 * _SECONDS else Counter()
                self._now = Counter()
                self._begun += passed // _SECONDS * _SECONDS
                passed %= _SECONDS
            if self._now[who] + self._before[who] * (1 - passed / _SECONDS) >= self._most:
                return False
            self._now[who] += 1
            return True
