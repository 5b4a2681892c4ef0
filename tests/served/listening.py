"""Web servers with sockets, and clients that listen to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.process.lives import ROOT, Lab
from tests.process.programs import serve
from tests.waiting import wait_until

DASHBOARD = ("-m", "watchbell", "dashboard")
GUNICORN = ("-m", "gunicorn", "--no-control-socket", "--worker-class", "gthread", "--threads", "4", "wsgi:app")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Web:
    """A web server on an installation; nobody has to log in unless a test says so."""

    def __init__(self, lab: Lab, command: Sequence[str] = DASHBOARD, *, port: int = 0, **settings: str) -> None:
        self.port = port or free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.words = lab.home / "web.txt"
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT / "app"), "WATCHBELL_HOME": str(lab.home), "WATCHBELL_AUTH": "off",
            "WATCHBELL_SAMPLE_TASK": "off", "WATCHBELL_HOSTNAME": "lab", "WATCHBELL_PORT": str(self.port),
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{self.port}", **settings,
        }  # fmt: skip
        self.process = serve(command, environment, self.words)
        wait_until(lambda: self.status("/login") == 200, 30, "the server to answer")

    def status(self, path: str) -> int:
        assert self.process.poll() is None, self.words.read_text()
        try:
            with urllib.request.urlopen(f"{self.root}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def read(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.root}{path}", timeout=10) as answer:
            return str(answer.read(), "utf-8")

    def workers(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    @contextlib.contextmanager
    def listen(self, query: str = "", *, path: str = "/ws", **options: Any) -> Iterator[Ear]:
        """Give a client for the length of the block."""
        with connect(f"ws://127.0.0.1:{self.port}{path}{query}", proxy=None, **options) as connection:
            yield Ear(connection)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            # A test may have ended it already.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


class Ear:
    """A client that listens."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, **message: object) -> None:
        self.connection.send(json.dumps(message))

    def hear(self, timeout: float = 20) -> dict[str, Any]:
        """Return the next message."""
        return json.loads(self.connection.recv(timeout))

    def hear_until(self, *types: str, timeout: float = 20) -> list[dict[str, Any]]:
        """Return all messages up to the first of one of these types."""
        heard = [self.hear(timeout)]
        while heard[-1]["type"] not in types:
            heard.append(self.hear(timeout))
        return heard

    def stand(self) -> int:
        """Return the newest event; from the answer on, this client hears of all that follow."""
        self.say(type="resume")
        return int(self.hear_until("caught_up")[-1]["id"])

    def end_of(self, timeout: float = 20) -> tuple[int, str]:
        """Return by which code and with which words the server closes, whatever it still says before that."""
        with contextlib.suppress(ConnectionClosed):
            # That is the way out of this loop.
            while True:
                self.hear(timeout)
        return self.connection.close_code or 0, self.connection.close_reason or ""


@contextlib.contextmanager
def raw_socket(web: Web, *, receive_bytes: int = 4096) -> Iterator[socket.socket]:
    """Give a client that has shaken hands and reads nothing by itself."""
    with socket.socket() as made:
        # Before it connects, or the window is that large already.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(20)
        made.connect(("127.0.0.1", web.port))
        made.sendall(handshake(web))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += made.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        yield made


def handshake(web: Web, path: str = "/ws", **headers: str) -> bytes:
    """Return the request that asks for a socket; a header is left out by an empty value."""
    given = {
        "Host": f"127.0.0.1:{web.port}", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in given.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def read_all(made: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    found = bytearray()
    while part := made.recv(65536):
        found += part
    return bytes(found)
