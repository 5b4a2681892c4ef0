"""How long a request may take to arrive: whoever sends one that never ends holds a thread of the server no longer than this.

A proxy takes requests as a whole before it asks; this is for servers that are reached without one.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from gunicorn.workers import gthread

from watchbell import clock

#: For the first line and the headers, and for all of it, which may be an import over a slow line.
HEADER_SECONDS = 10.0
REQUEST_SECONDS = 120.0


class PatientWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads, which by itself waits for the end of a request as long as its connection is open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Connections that a thread is reading from or answering, and until when they may be read from.
        self._until: dict[socket.socket, float] = {}

    def enqueue_req(self, conn: Any) -> None:
        """Let a thread serve a connection as soon as there is one."""
        # From here on, and not from when a thread is free: very many that begin together end together.
        self._until[conn.sock] = clock.monotonic() + HEADER_SECONDS
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request, in a thread."""
        # Versions of gunicorn that wait here for the first byte do so for seconds.
        is_silent = not conn.initialized and not getattr(conn, "data_ready", True) and not conn.wait_for_data(0)
        try:
            return gthread._DEFER if is_silent else super().handle(conn)
        finally:
            self._until.pop(conn.sock, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers are here."""
        self._until[conn.sock] = clock.monotonic() + REQUEST_SECONDS
        return super().handle_request(req, conn)

    def murder_keepalived(self, *args: Any, **kwargs: Any) -> None:
        """End what waits for too long; the loop of the worker comes by here at least once a second."""
        super().murder_keepalived(*args, **kwargs)
        now = clock.monotonic()
        for connection, until in [*self._until.items()]:
            if until < now:
                self._until.pop(connection, None)
                # The thread reads the end of the input now. One that is still answering does not notice.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
