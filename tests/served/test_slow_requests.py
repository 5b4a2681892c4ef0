"""Requests that never end, more of them than the server has threads: they hold it up for a while, and not as long as they like."""

from __future__ import annotations

import contextlib
import socket

from tests.process.lives import Lab
from tests.served.listening import Web
from tests.waiting import wait_until

#: Nobody waits here as long as the server does otherwise.
PATIENCE = 1.0
PROGRAM = f"""
import sys
from watchbell.web import patience
patience.HEADER_SECONDS = patience.REQUEST_SECONDS = {PATIENCE}
from watchbell.cli.main import main
sys.exit(main(["dashboard"]))
"""
MORE_THAN_THREADS = 40
HALF_A_HEADER = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
HALF_A_BODY = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nContent-Type: text/plain\r\n\r\nx"


def test_whoever_never_ends_a_request_is_cut_off_and_the_others_are_answered(lab: Lab) -> None:
    web = Web(lab, ("-c", PROGRAM))
    try:
        for half in (HALF_A_HEADER, HALF_A_BODY):
            held = [socket.create_connection(("127.0.0.1", web.port), timeout=60) for _ in range(MORE_THAN_THREADS)]
            for connection in held:
                connection.sendall(half)

            wait_until(lambda: web.status("/login") == 200, 60, "an answer for somebody else")
            # All of them are still open here; it is the server that has let go.
            assert all(_is_over(connection) for connection in held)
            for connection in held:
                connection.close()
    finally:
        web.kill()


def _is_over(connection: socket.socket) -> bool:
    """Return whether a connection has come to its end, whatever was said before."""
    # Who is cut off with something still unread hears it this way.
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True
