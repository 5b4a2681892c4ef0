"""How soon open pages hear of what happens while a scheduler is at work.

    python -m benchmarks.live_pages [--pages 200] [--rate 100] [--seconds 30]

So many sockets are opened as pages open them, and a real scheduler runs so many commands a second. Each page is told of every
one of them; a task that is saved now and then is what is measured, from the return of its commit until each page has it. With
``--looking`` each page also fetches the overview when it is told of something, once a second at the most, as real pages do.
"""

from __future__ import annotations

import argparse
import resource
import socket
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime

from benchmarks.figures import commit, cpu_seconds, machine, percentile, table
from benchmarks.lab import Lab, lab
from benchmarks.sockets import Clients, web, worker_of
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.domain.task_definition import Defaults
from watchbell.services import tasks

_PAUSE_SECONDS = 1.0
_SETTLE_SECONDS = 5.0


class Pages(Clients):
    """Sockets that tell when each of them has heard of something."""

    def wait_for_each(self, name: str, since: float, seconds: float) -> list[float]:
        """Return how long after a moment each page had heard of a task; raises TimeoutError."""
        wanted, deadline = name.encode(), time.perf_counter() + seconds
        rest: dict[object, bytes] = {}
        late: dict[object, float] = {}
        while len(late) < self.count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{self.count - len(late)} of {self.count} pages heard nothing of {name}")
            self._read(wanted, since, rest, late)
        return list(late.values())

    def drain(self, seconds: float) -> int:
        """Read for some seconds and return how many bytes came."""
        until, total = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            for key, _mask in self._selector.select(0.1):
                total += len(key.fileobj.recv(262_144))  # type: ignore[union-attr]
        return total

    def _read(self, wanted: bytes, since: float, rest: dict[object, bytes], late: dict[object, float]) -> None:
        for key, _mask in self._selector.select(0.1):
            part: bytes = key.fileobj.recv(262_144)  # type: ignore[union-attr]
            if key.fileobj in late:
                continue
            # The name may come in two parts.
            whole = rest.get(key.fileobj, b"") + part
            if wanted in whole:
                late[key.fileobj] = time.perf_counter() - since
            rest[key.fileobj] = whole[-len(wanted) :]


class Lookers:
    """Somebody who fetches the overview as so many pages do when much happens: each once a second at the most."""

    def __init__(self, port: int, pages: int, threads: int = 4) -> None:
        self._address = f"http://127.0.0.1:{port}/overview/parts"
        self._every = threads / pages
        self._stop = threading.Event()
        self.answered = 0
        self._threads = [threading.Thread(target=self._look, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _look(self) -> None:
        while not self._stop.wait(self._every):
            with urllib.request.urlopen(self._address, timeout=30) as answer:
                answer.read()
            self.answered += 1

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def measure(pages: int, rate: int, seconds: int, *, looking: bool) -> tuple[object, ...]:
    """Return a row of the table."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lab(port=port, sample_task="off", streams=max(pages, 1)) as place:
        if rate:
            # Each second so many are due; they are of different tasks, as commands of a real installation are.
            anchor = datetime(2026, 1, 1, tzinfo=UTC)
            schedule = Schedule(ScheduleKind.INTERVAL, every=1, unit="seconds", anchor_at=anchor)
            place.add_tasks(rate, "true", schedule, prefix="busy")
        with web(place) as process, place.scheduler():
            opened = Pages(port, pages)
            opened.drain(_SETTLE_SECONDS)
            lookers = Lookers(port, pages) if looking else None
            before, begin = place.value("SELECT count(*) FROM run WHERE state = 'succeeded'"), time.perf_counter()
            worker = worker_of(process)
            cpu = cpu_seconds(worker)
            late, told = _probe(place, opened, seconds)
            took = time.perf_counter() - begin
            cpu = (cpu_seconds(worker) - cpu) / took * 100
            ran = (place.value("SELECT count(*) FROM run WHERE state = 'succeeded'") - before) / took
            if lookers:
                lookers.close()
            opened.close()
    looked = f"{lookers.answered / took:.0f}" if lookers else "-"
    figures = (percentile(late, 0.5), percentile(late, 0.95), percentile(late, 0.99), max(late))
    return (
        pages,
        f"{ran:.0f}",
        looked,
        len(late),
        *(f"{value * 1000:.0f}" for value in figures),
        f"{cpu:.0f}",
        f"{told:.1f}",
    )


def _probe(place: Lab, opened: Pages, seconds: int) -> tuple[list[float], float]:
    """Return how late each page heard of each task that was saved, and the MiB that came meanwhile in between."""
    defaults = Defaults(zone="UTC", owner="bench", host="here")
    late: list[float] = []
    total = 0
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:
        number += 1
        name = f"probe-{number}-of-live-pages"
        fields = {"name": name, "command": "true", "kind": "manual"}
        tasks.create(place.db, fields, now=clock.now(), actor="bench", defaults=defaults)
        late += opened.wait_for_each(name, time.perf_counter(), 30)
        total += opened.drain(_PAUSE_SECONDS)
    return late, total / 2**20


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--looking", action="store_true")
    asked = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(asked.pages + 256, hard), hard))
    print(f"\n{commit()}; {machine()}")
    head = (
        *("pages", "runs/s", "looks/s", "told", "p50 ms", "p95 ms", "p99 ms", "longest ms"),
        *("web CPU %", "MiB in between"),
    )
    rows = [measure(asked.pages, rate, asked.seconds, looking=asked.looking) for rate in (0, asked.rate)]
    table("Open pages that hear of a task that was saved", head, rows)


if __name__ == "__main__":
    sys.exit(main())
