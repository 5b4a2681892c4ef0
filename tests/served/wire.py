"""The network between an agent and its server, which can be cut, and changed on its way."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit


class Wire:
    """An address that leads to a server: whole answers pass through it one by one, as long as it is not cut."""

    def __init__(self, url: str, listener: socket.socket | None = None) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.is_cut = False
        #: What becomes of an answer on its way, by the first line of its request.
        self.change: Callable[[bytes, bytes], bytes] = lambda _asked, answer: answer
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        # Closing ends it.
        with contextlib.suppress(OSError):
            while True:
                came, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(came,), daemon=True).start()

    def _carry(self, came: socket.socket) -> None:
        # Whoever is cut off, or gives up, has no answer, which is what is tested.
        with came, contextlib.suppress(OSError):
            if self.is_cut:
                return
            with socket.create_connection(self._server) as onwards:
                asked = _read_request(came)
                onwards.sendall(asked)
                answer = b"".join(iter(lambda: onwards.recv(65536), b""))
            if not self.is_cut:
                came.sendall(self.change(asked.split(b"\r\n", 1)[0], answer))


def _read_request(came: socket.socket) -> bytes:
    """Read one request; the program that sends it says that its connection ends with the answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(came)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(lengths):
        body += _more(came)
    return head + b"\r\n\r\n" + body


def _more(came: socket.socket) -> bytes:
    data = came.recv(65536)
    if not data:
        raise OSError("the sender has gone")
    return data
