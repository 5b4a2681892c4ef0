"""What sockets cost a web process: memory, idle CPU, how soon all of them hear of an event, and what pages feel of it.

    python -m benchmarks.sockets [0 500 2000]

For each number of clients a web server of its own is started (gunicorn, one worker) and that many sockets are opened and left
alone; then tasks are saved, one after the other, and it is measured when each client has the event. The first number is the
baseline.
"""

from __future__ import annotations

import base64
import contextlib
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import commit, cpu_seconds, machine, median, percentile, table
from benchmarks.lab import Lab, lab, wait_for
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.services import tasks

EVENTS = 10
IDLE_SECONDS = 15
_MIB = 1024


class Clients:
    """Many sockets in one thread, which only count what they are told."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._port = port
        for _ in range(count):
            self._selector.register(self._connect(), selectors.EVENT_READ)
        self.count = count

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        made.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += made.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(answer.decode(errors="replace"))
        made.setblocking(False)
        return made

    def wait_for_event(self, name: str, seconds: float) -> float:
        """Return when the last client had heard of a task; raises TimeoutError."""
        wanted, deadline, heard = name.encode(), time.monotonic() + seconds, 0
        while heard < self.count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.count - heard} of {self.count} clients heard nothing of {name}")
            for key, _mask in self._selector.select(0.1):
                heard += key.fileobj.recv(65536).count(wanted)  # type: ignore[union-attr]
        return time.perf_counter()

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


@contextlib.contextmanager
def web(place: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """Serve for the length of the block."""
    environment = {**place.config.process_environment(), "WATCHBELL_AUTH": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "watchbell", "dashboard"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: ping(place.config.port) is not None, 30)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def ping(port: int) -> float | None:
    """Return the seconds that a page takes, None if there is no server."""
    begin = time.perf_counter()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=10) as answer:
            answer.read()
    except OSError:
        return None
    return time.perf_counter() - begin


def worker_of(process: subprocess.Popen[bytes]) -> int:
    """Return the process that answers requests."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def memory(pid: int) -> float:
    """Return the proportional set size in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / _MIB


def measure(count: int) -> tuple[object, ...]:
    """Return a row of the table."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lab(port=port, sample_task="off", streams=max(count, 1)) as place, web(place) as process:
        clients = Clients(port, count)
        worker = worker_of(process)
        threads = len(list(Path(f"/proc/{worker}/task").iterdir()))
        before = cpu_seconds(worker)
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(worker) - before) / IDLE_SECONDS * 100
        late, pages = [], []
        for number in range(EVENTS):
            late.append(_told(place, clients, f"event-{number}-") if count else 0.0)
            pages.append(ping(port) or 10.0)
        clients.close()
        return (
            count,
            threads,
            f"{memory(worker):.0f}",
            f"{idle:.2f}",
            f"{median(late) * 1000:.0f}",
            f"{max(late) * 1000:.0f}",
            f"{percentile(pages, 0.9) * 1000:.0f}",
        )


def _told(place: Lab, clients: Clients, name: str) -> float:
    """Return how long after the commit the last client has heard of a new task."""
    defaults = Defaults(zone="UTC", owner="bench", host="here")
    tasks.create(
        place.db, {"name": name, "command": "true", "kind": "manual"}, now=clock.now(), actor="bench", defaults=defaults
    )
    begin = time.perf_counter()
    return clients.wait_for_event(name, 30) - begin


def main() -> None:
    """Print one table."""
    counts = [int(text) for text in sys.argv[1:]] or [0, 500, 2000]
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(counts) + 256, hard), hard))
    print(f"\n{commit()}; {machine()}")
    head = ("clients", "threads", "PSS MiB", "idle CPU %", "all told ms p50", "longest", "page p90 ms")
    table("Sockets of one web process", head, [measure(count) for count in counts])


if __name__ == "__main__":
    main()
