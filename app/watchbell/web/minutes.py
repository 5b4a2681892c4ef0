"""How often many come who may come often: a count for each, over minutes that begin with their first request.

A fleet is counted by it, thousands of requests a minute that are all in order. What keeps the moment of each, and starts a
thread now and then to forget it, costs as much as answering such a request does.
"""

from __future__ import annotations

import threading

_SECONDS = 60.0


class Minutes:
    """Counts who comes how often, and who comes more often than ``most`` times within a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        #: Who -> when their minute has begun, and how often they have come in it.
        self._found: dict[str, tuple[float, int]] = {}
        self._forgot_at = 0.0

    def count(self, who: str, at: float) -> bool:
        """Count somebody ``at`` some seconds of a clock that never jumps, and return whether that is not too often.

        What is too often does not count.
        """
        with self._lock:
            self._forget(at)
            begun, times = self._found.get(who, (at, 0))
            if at - begun >= _SECONDS:
                begun, times = at, 0
            if times >= self._most:
                return False
            self._found[who] = (begun, times + 1)
            return True

    def _forget(self, at: float) -> None:
        """Forget those whose minute is over, once a minute."""
        if at - self._forgot_at >= _SECONDS:
            self._forgot_at = at
            self._found = {who: found for who, found in self._found.items() if at - found[0] < _SECONDS}
