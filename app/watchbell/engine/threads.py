"""Threads that wait for the broker, so that nobody else has to: one that announces, and some that listen."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from watchbell import clock
from watchbell.engine.broker import BrokerTrouble, Call, Line

log = logging.getLogger(__name__)

#: How often the broker is asked whether it is there while nothing is announced.
PING_SECONDS = 2.0
#: How long it is left alone after a trouble.
_AGAIN_SECONDS = 1.0
#: How often a worker without room looks whether it has some.
_ROOM_SECONDS = 0.2


class Announcing:
    """Sends announcements. What cannot be sent is tried again before anything else, so that trouble lasts as long as it does."""

    def __init__(self, url: str) -> None:
        self._line = Line(url)
        self._calls: deque[Call] = deque()
        self._bell = threading.Condition()
        #: What is wrong with the broker, empty if nothing is; None until it has been asked.
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="watchbell-announcing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def send(self, calls: Sequence[Call]) -> None:
        """Have runs announced; returns at once."""
        with self._bell:
            self._calls.extend(calls)
            self._bell.notify()

    def _run(self) -> None:
        # It ends with the process: what was not sent is announced again by the next one.
        while True:
            with self._bell:
                if not self._calls and self.trouble == "":
                    self._bell.wait(PING_SECONDS)
            try:
                if not self._calls:
                    self._line.ping()
                while calls := list(self._calls):
                    self._line.send(calls)
                    for _ in calls:
                        self._calls.popleft()
                self.trouble = ""
                continue
            except BrokerTrouble as error:
                self.trouble = error.message
            except Exception:
                # What nobody has thought of must not end a thread that others rely on.
                log.exception("Announcing runs has failed and begins again")
                self.trouble = "announcing fails for a reason that the log tells"
            with self._bell:
                self._bell.wait(_AGAIN_SECONDS)


class Inbox:
    """What a worker has been told of and not looked at yet, as far as it has room."""

    def __init__(self, room: int) -> None:
        #: Is called from the threads that listen, when something has come in.
        self.ring: Callable[[], None] = lambda: None
        self._found: dict[int, str] = {}
        self._lock = threading.Condition()
        self._room = room
        self._is_over = False

    def put(self, run_id: int, nonce: str) -> None:
        """Hand an announcement in."""
        with self._lock:
            self._found[run_id] = nonce
        self.ring()

    def take(self, most: int) -> dict[int, str]:
        """Take out up to so many."""
        with self._lock:
            taken = dict(list(self._found.items())[: max(most, 0)])
            for run_id in taken:
                del self._found[run_id]
        return taken

    def __len__(self) -> int:
        return len(self._found)

    def set_room(self, room: int) -> None:
        """Say for how many runs there is room at the moment."""
        if room != self._room:
            with self._lock:
                self._room = room
                self._lock.notify_all()

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._is_over = True
            self._found.clear()
            self._lock.notify_all()

    @property
    def is_closed(self) -> bool:
        """Return whether nothing more is taken."""
        return self._is_over

    def wait_for_room(self) -> bool:
        """Wait a moment for room, and return whether there is some."""
        with self._lock:
            if self._room <= len(self._found) and not self._is_over:
                self._lock.wait(_ROOM_SECONDS)
            return self._room > len(self._found) and not self._is_over


class Listening:
    """Listens to one queue of the broker for an inbox."""

    def __init__(self, url: str, queue: str, inbox: Inbox) -> None:
        self._line = Line(url)
        self._queue = queue
        self._inbox = inbox
        #: What is wrong with the broker, empty if nothing is.
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name=f"watchbell-{queue}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, after its inbox was closed."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._inbox.is_closed:
            try:
                self._listen()
                continue
            except BrokerTrouble as error:
                self.trouble = error.message
            except Exception:
                # The same.
                log.exception("Listening to %s has failed and begins again", self._queue)
                self.trouble = "listening fails for a reason that the log tells"
            clock.pause(_AGAIN_SECONDS)
        self._line.close()

    def _listen(self) -> None:
        """Hand in what is heard, as long as the inbox is open; raises BrokerTrouble."""
        if not self._inbox.wait_for_room():
            return
        with contextlib.closing(self._line.listen(self._queue, self._inbox.wait_for_room)) as heard:
            for found in heard:
                self.trouble = ""
                if found is not None:
                    self._inbox.put(*found)
                if self._inbox.is_closed:
                    return
