"""Taking a connection over from the server that has accepted it.

Each server holds a thread for as long as it serves a request, and a socket would hold one for hours. So the connection moves
to the hub, and what the server goes on to write, shut down and close is one end of a pair that nobody listens to.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from wsproto.utilities import generate_accept_token

#: Under what names servers tell the connection of a request.
_NAMES = ("gunicorn.socket", "werkzeug.socket")
_KEY_BYTES = 16


def connection_of(environ: Mapping[str, Any]) -> socket.socket | None:
    """Return the connection that a request came by, or None if it cannot be taken over.

    A server may not tell it, or may encrypt it itself, which nobody else could go on with.
    """
    for name in _NAMES:
        found = environ.get(name)
        if isinstance(found, socket.socket) and not isinstance(found, ssl.SSLSocket):
            return found
    return None


def take_over(connection: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Return the connection as a socket of its own, and the far end of what the server has in its place from now on.

    The server's socket keeps its number, so it need not know. The far end is to be closed when the server is done.
    """
    taken = connection.dup()
    try:
        left, far_end = socket.socketpair()
    except OSError:
        taken.close()
        raise
    with left:
        os.dup2(left.fileno(), connection.fileno(), inheritable=False)
    return taken, far_end


def is_valid_key(key: str) -> bool:
    """Return whether a client's key of the handshake is one."""
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def opening(key: str) -> bytes:
    """Return the answer with which the connection becomes a WebSocket."""
    accept = generate_accept_token(key.encode("ascii")).decode("ascii")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode("ascii")
