"""The hub: one thread of a web process that follows the outbox and carries every socket.

It starts with the first who listens and ends with the last, so that a server that nobody watches costs nothing. A client
costs neither a thread nor a query: an event is read and written out once, and put before each client; one that does not read
is cut off, and nobody waits for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import resource
import threading
from collections.abc import Callable, Collection
from typing import Self

from watchbell import clock
from watchbell.store.session import Database
from watchbell.web.realtime.carrier import END_SECONDS, Carrier, StillOpen
from watchbell.web.realtime.client import Client

#: The thread stays this long with nobody to serve, because whoever loads another page comes back at once.
LINGER_SECONDS = 5.0
#: Files that a web process opens for anything but sockets.
_OWN_FILES = 256
_log = logging.getLogger("watchbell.web")


class Hub:
    """All clients of one web process; every public method may be called by any thread."""

    def __init__(self, open_database: Callable[[], Database], still_open: StillOpen, *, limit: int) -> None:
        self._open_database = open_database
        self._still_open = still_open
        self._limit = limit
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._bell = -1
        self._coming: list[Client] = []
        self._reserved = 0
        self._watches: dict[int | None, set[Watch]] = {}
        self._idle_since = 0.0
        self._is_ending = False
        self._clients: set[Client] = set()

    @property
    def count(self) -> int:
        """Return how many clients there are."""
        return len(self._clients) + len(self._coming)

    @property
    def is_ending(self) -> bool:
        """Return whether the process is about to end, so that nobody is taken in or kept waiting."""
        return self._is_ending

    def reserve(self) -> bool:
        """Keep a place for a client that is about to be added; return False if there is none."""
        with self._lock:
            is_free = self.count + self._reserved < self._limit and not self._is_ending
            self._reserved += is_free
            return is_free

    def release(self) -> None:
        """Give a place back that no client has come to take."""
        with self._lock:
            self._reserved -= 1

    def add(self, client: Client) -> None:
        """Take a client in, at the place that was kept for it; from now on it belongs to the hub."""
        with self._lock:
            self._reserved -= 1
            self._ensure_thread()
            if self._thread is None:
                # The process ends, and nobody is left who could say so in a frame.
                client.drop()
                return
            self._coming.append(client)
        self._ring()

    def watch(self, run_id: int | None) -> Watch:
        """Return something that wakes its owner whenever something has happened to a run; None is anything at all."""
        watch = Watch(self, run_id)
        with self._lock:
            self._watches.setdefault(run_id, set()).add(watch)
            self._ensure_thread()
        return watch

    def forget(self, watch: Watch) -> None:
        """Stop waking somebody."""
        with self._lock:
            watches = self._watches.get(watch.run_id, set())
            watches.discard(watch)
            if not watches:
                self._watches.pop(watch.run_id, None)

    def end(self) -> None:
        """Close all sockets, wake all who wait and wait a moment until that is done; nobody is taken in any more.

        A signal handler may call this: it takes no lock.
        """
        self._is_ending = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._ring()
            thread.join(END_SECONDS + 0.1)

    def _ensure_thread(self) -> None:
        """Start the thread if there is none; the lock is held."""
        if self._thread is not None or self._is_ending:
            return
        self._make_room()
        if self._bell < 0:
            self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            atexit.register(self.end)
        self._idle_since = clock.monotonic()
        thread = threading.Thread(target=self._carry, name="watchbell-hub", daemon=True)
        # Whoever finds it here may wait for its end, which is not possible before its begin.
        thread.start()
        self._thread = thread

    def _ring(self) -> None:
        # It cannot be full before it has been rung as often as a number of 64 bits can count.
        os.eventfd_write(self._bell, 1)

    def _carry(self) -> None:
        """Serve until there is nobody left to serve."""
        carrier = Carrier(self._bell, self._open_database, self._still_open, self._clients)
        try:
            while not self._may_rest(carrier):
                self._turn(carrier)
        finally:
            # Should it have failed, all clients are let go; they come back, and the first of them starts another thread.
            carrier.close()
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _turn(self, carrier: Carrier) -> None:
        carrier.wait()
        with self._lock:
            coming, self._coming = self._coming, []
        for client in coming:
            carrier.take_in(client)
        told, is_disturbed = carrier.follow()
        if told or is_disturbed or self._is_ending:
            self._wake({None, *(t.run_id for t in told)}, everybody=is_disturbed or self._is_ending)
        if self._is_ending:
            carrier.end()
        carrier.push()
        carrier.do_chores()

    def _wake(self, run_ids: Collection[int | None], *, everybody: bool) -> None:
        with self._lock:
            chosen = list(self._watches) if everybody else [run_id for run_id in run_ids if run_id in self._watches]
            for run_id in chosen:
                for watch in self._watches[run_id]:
                    watch.wake()

    def _may_rest(self, carrier: Carrier) -> bool:
        now = clock.monotonic()
        with self._lock:
            if self._clients or self._coming or (self._watches and not self._is_ending):
                self._idle_since = now
                return carrier.has_ended
            if not self._is_ending and now - self._idle_since < LINGER_SECONDS:
                return False
            # Whoever comes after this starts another thread.
            self._thread = None
            return True

    def _make_room(self) -> None:
        """Let the process open as many files as there may be clients, or take in no more clients than it may open files.

        A server that meets the bound when it accepts a connection dies of it.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._limit + _OWN_FILES
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            self._limit = max(soft - _OWN_FILES, 0)
            _log.warning("Only %d live connections at a time: no more files may be open", self._limit)


class Watch:
    """Wakes one thread that waits for something to happen."""

    def __init__(self, hub: Hub, run_id: int | None) -> None:
        self._hub = hub
        self._event = threading.Event()
        self.run_id = run_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.forget(self)

    def wake(self) -> None:
        """Let the owner go on."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait until something has happened since the last time, but not longer than so many seconds."""
        if not self._hub.is_ending:
            self._event.wait(max(seconds, 0.0))
        self._event.clear()
