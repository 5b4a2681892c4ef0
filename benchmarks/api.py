"""What a list of runs costs a program: 100 runs from a million, with a token, against a static text of the same size.

    python -m benchmarks.api [--at FOLDER] [--runs 1000000] [--threads 4] [--seconds 4] [--rounds 3]

Both are served by the same gunicorn, one worker with threads, to clients that keep their connections: Watchbell as it is, and
a Flask application of one route that does nothing but return bytes. They are asked in turn, since a shared machine's speed
drifts. Afterwards the list is asked for at half the rate that it has reached, by a clock and not by the answers: a request
that is late counts from when it should have been sent.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from flask import Flask, Response

from benchmarks.figures import commit, cpu_seconds, machine, median, percentile, table
from benchmarks.history import make
from benchmarks.lab import Lab, lab_at, wait_for
from watchbell import clock
from watchbell.services import accounts, tokens

ROOT = Path(__file__).resolve().parents[1]
PATH = "/api/v2/runs?limit=100"


def static(size: int) -> Flask:
    """Return the application to compare with: it serves a JSON text of some size."""
    app = Flask(__name__)
    body = b'"' + b"x" * (size - 2) + b'"'
    app.add_url_rule("/", "static_json", lambda: Response(body, mimetype="application/json"))
    return app


class Served:
    """One of the two, as its clients see it."""

    def __init__(self, port: int, pid: int, path: str, token: str = "") -> None:
        self.port = port
        self.pid = pid
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            *([f"Authorization: Bearer {token}"] if token else []),
        ]
        self.request = "\r\n".join([*lines, "", ""]).encode()

    def ask(self, seconds: float, clients: int) -> tuple[float, float]:
        """Return the answers in a second, and the CPU seconds of the server for each."""
        begin = cpu_seconds(self.pid)
        latencies, took = _in_another_process(_as_fast_as_it_goes, self.port, self.request, seconds, clients)
        return len(latencies) / took, (cpu_seconds(self.pid) - begin) / len(latencies)

    def ask_at(self, rate: float, seconds: float, clients: int) -> list[float]:
        """Return how long each answer took at a rate."""
        return _in_another_process(_by_the_clock, self.port, self.request, seconds, clients, rate)[0]


class Connected:
    """A connection that is kept, and as little as can be around it: what the client costs is not measured."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> int:
        """Send a request and return the length of the whole answer."""
        self._socket.sendall(request)
        data = self._socket.recv(262_144)
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        left = length - len(body)
        while left > 0:
            left -= len(self._receive())
        return length

    def _receive(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data


Work = Callable[..., tuple[list[float], float]]


def _in_another_process(work: Work, *arguments: object) -> tuple[list[float], float]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_send_back, args=(theirs, work, *arguments))
    process.start()
    found: tuple[list[float], float] = ours.recv()
    process.join()
    return found


def _send_back(pipe: Connection, work: Work, *arguments: object) -> None:
    pipe.send(work(*arguments))


def _as_fast_as_it_goes(port: int, request: bytes, seconds: float, clients: int) -> tuple[list[float], float]:
    latencies: list[float] = []
    begin = time.perf_counter()

    def client() -> None:
        connected = Connected(port)
        while (at := time.perf_counter()) - begin < seconds:
            connected.ask(request)
            latencies.append(time.perf_counter() - at)

    _all_together(client, clients)
    return latencies, time.perf_counter() - begin


def _by_the_clock(port: int, request: bytes, seconds: float, clients: int, rate: float) -> tuple[list[float], float]:
    latencies: list[float] = []
    due = [number / rate for number in range(int(rate * seconds))][::-1]
    begin = time.perf_counter() + 0.2

    def client() -> None:
        connected = Connected(port)
        connected.ask(request)
        # A list gives each of its elements to one thread only.
        with contextlib.suppress(IndexError):
            while True:
                at = begin + due.pop()
                time.sleep(max(0.0, at - time.perf_counter()))
                connected.ask(request)
                latencies.append(time.perf_counter() - at)

    _all_together(client, clients)
    return latencies, time.perf_counter() - begin


def _all_together(client: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def gunicorn(
    application: str, environment: dict[str, str], threads: int, workers: int = 1
) -> Iterator[tuple[int, int]]:
    """Serve an application and give port and process of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--workers", str(workers), "--threads", str(threads), "--keep-alive", "60", "--log-level", "error"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", application],
        env=environment,
        cwd=ROOT,
    )
    try:
        wait_for(lambda: _listens(port), 30)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def measure(place: Lab, options: argparse.Namespace) -> None:
    """Print one table."""
    now = clock.now()
    username = accounts.ensure_first(place.db, now=now).username
    name = f"bench-{now.timestamp()}"
    token = tokens.create(place.db, username, name, scope="read", lifetime=timedelta(days=1), now=now).secret
    environment = place.config.process_environment()
    with contextlib.ExitStack() as stack:
        served = Served(*stack.enter_context(gunicorn("wsgi:app", environment, options.threads)), PATH, token)
        size = Connected(served.port).ask(served.request)
        bare = Served(
            *stack.enter_context(gunicorn(f"benchmarks.api:static({size})", environment, options.threads)), "/"
        )
        rounds = [
            [one.ask(options.seconds, options.clients) for one in (bare, served)] for _ in range(options.rounds + 1)
        ]
        # The first round warms both up.
        (bare_rate, bare_cpu), (rate, cpu) = (
            [median(values) for values in zip(*one, strict=True)] for one in zip(*rounds[1:], strict=True)
        )
        latencies = served.ask_at(rate / 2, options.seconds * 2, options.clients)
    shown = [percentile(latencies, part) * 1000 for part in (0.5, 0.95, 0.99)]
    head = ("what", "answers a second", "CPU ms each", "ratio", "p50 ms at half", "p95 ms", "p99 ms")
    rows = [
        (f"static text of {size:,} bytes", f"{bare_rate:.0f}", f"{bare_cpu * 1000:.2f}", "1", "-", "-", "-"),
        (
            "100 runs, with a token",
            f"{rate:.0f}",
            f"{cpu * 1000:.2f}",
            f"{rate / bare_rate:.2f}",
            *(f"{value:.1f}" for value in shown),
        ),
    ]
    count = int(place.value("SELECT count(*) FROM run"))
    table(f"A list of runs from {count:,}, {options.threads} threads, {options.clients} clients", head, rows)


def main() -> None:
    """Fill a database unless it is there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"\n{commit()}; {machine()}")
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as scratch:
        folder = (options.at or Path(scratch)) / f"history-{options.runs}"
        folder.mkdir(parents=True, exist_ok=True)
        make(folder, options.runs)
        with lab_at(folder) as place:
            measure(place, options)


if __name__ == "__main__":
    main()
