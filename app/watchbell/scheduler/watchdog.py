"""Ends a scheduler that does not work any more, so that whoever looks after it can start it again; its commands run on."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping

from watchbell import clock
from watchbell.errors import EXIT_WATCHDOG

log = logging.getLogger(__name__)

#: A loop that waits for the database turns all the same; only one that hangs is silent for so long.
SILENCE_SECONDS = 30.0
#: So long an end in good order may take. It waits a few seconds for the database, and for what hangs for ever.
END_SECONDS = 30.0
_LOOK_SECONDS = 1.0
#: How long the last words may take: whatever holds up the loop may hold up the log and the database, too.
_WORDS_SECONDS = 3.0


class Watchdog:
    """Looks each second whether the loop has turned and the threads live, and then whether the end comes to an end."""

    def __init__(self, turned_at: Callable[[], float], threads: Mapping[str, Callable[[], bool]]) -> None:
        self._turned_at = turned_at
        #: By name: whether it lives.
        self._threads = threads
        #: Called with the reason before the end.
        self.last_words: Callable[[str], None] = lambda _reason: None
        self._is_ending, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchbell-watchdog", daemon=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the loop while it turns; the end that follows, in which threads end, has a bound of its own until ``stop``."""
        self._thread.start()
        try:
            yield
        finally:
            self._is_ending.set()

    def stop(self) -> None:
        """Look no more: all is over."""
        self._over.set()

    def _run(self) -> None:
        seen, silent = self._turned_at(), 0.0
        for step in self._steps(self._is_ending):
            turned_at = self._turned_at()
            silent = silent + step if turned_at == seen else 0.0
            seen = turned_at
            dead = [name for name, is_alive in self._threads.items() if not is_alive()]
            if self._is_ending.is_set():
                break
            if dead:
                self._end(f"{' and '.join(dead)} has ended")
            elif silent >= SILENCE_SECONDS:
                self._end(f"the loop has not turned for {silent:.0f} s")
        taken = 0.0
        for step in self._steps(self._over):
            taken += step
            if taken >= END_SECONDS:
                self._end(f"its end has taken {taken:.0f} s")

    def _steps(self, until: threading.Event) -> Iterator[float]:
        """Yield each second how much time has passed, until something has come about."""
        before = clock.monotonic()
        while not until.wait(_LOOK_SECONDS):
            # A process that was suspended as a whole finds a long silence when it goes on, and is not to blame for it.
            now = clock.monotonic()
            yield min(now - before, 2 * _LOOK_SECONDS)
            before = now

    def _end(self, reason: str) -> None:
        def speak() -> None:
            log.critical("The watchdog ends the scheduler: %s. Its commands run on", reason)
            self.last_words(reason)

        speaker = threading.Thread(target=speak, name="watchbell-last-words", daemon=True)
        speaker.start()
        speaker.join(_WORDS_SECONDS)
        os._exit(EXIT_WATCHDOG)
