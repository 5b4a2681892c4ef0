"""What a fleet that asks costs the server: how long a poll takes, what the scheduler feels of it, and how long an order to all takes.

    python -m benchmarks.fleet_polls [--database sqlite|postgresql] [--devices 2000] [--seconds 60] [--every 30] [--workers 1]

A real server and a real scheduler with five tasks that are due each second. As many devices as are said ask as agents do, each
about every 30 seconds by a connection of its own, one in ten of the requests with what its machine is like. First nobody asks:
that is the baseline of the scheduler's lag. PostgreSQL is a private server in a folder of this machine, as durable as it comes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import insert, select

from benchmarks.figures import commit, cpu_seconds, machine, percentile, say, table
from benchmarks.lab import START, Lab, lab, wait_for
from benchmarks.sockets import memory, ping, web
from tests import postgres
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.services import devices
from watchbell.store.devices import Device
from watchbell.store.runs import Run

TASKS = 5
_FACTS = {
    "hostname": "pi", "os": "Debian GNU/Linux 12 (bookworm)", "kernel": "Linux 6.1.0", "architecture": "aarch64", "cpus": 4,
    "python": "3.11.2", "agent_version": "0.1.0", "boot_id": "8479359e-dbeb-4858-813c-e8a9008dde04", "zone": "Europe/Berlin",
    "addresses": ["10.0.0.7"], "mac_addresses": ["dc:a6:32:00:00:01"], "uptime_seconds": 86_400,
    "load_averages": [0.1, 0.2, 0.1], "memory_total_bytes": 4 << 30, "memory_available_bytes": 2 << 30,
    "disk_total_bytes": 32 << 30, "disk_free_bytes": 16 << 30,
}  # fmt: skip


class Asker:
    """A device that the server knows already, as it is some minutes after its agent has begun."""

    def __init__(self, number: int) -> None:
        self.secret = devices.new_secret()
        self.incarnation = f"{number:032x}"
        self._seq = 0

    def row(self) -> dict[str, object]:
        """Return the device as it stands in the database."""
        now = clock.now()
        return {
            "uuid": f"00000000-0000-4000-8000-{int(self.incarnation, 16):012x}", "name": f"device-{self.incarnation[-6:]}",
            "is_active": True, "key_hash": devices.hash_of(self.secret), "signing_salt": os.urandom(16).hex(),
            "incarnation": self.incarnation, "incarnation_at": now, "facts": _FACTS, "facts_at": now, "provisioning_state": "provisioned",
            "os_version": _FACTS["os"], "agent_version": "0.1.0", "zone": "Europe/Berlin", "ip_address": "10.0.0.7",
            "mac_address": "dc:a6:32:00:00:01", "created_at": now, "modified_at": now,
        }  # fmt: skip

    def request(self, port: int) -> bytes:
        """Return the next request of its agent."""
        self._seq += 1
        body = json.dumps({
            "incarnation": self.incarnation, "earlier": [], "seq": self._seq, "nonce": os.urandom(16).hex(), "holds": None,
            "distrust": "", "clock": clock.now().isoformat(), "round_trip_ms": 5, "knows": ["step-environment"],
            "facts": _FACTS if random.random() < 0.1 else None, "carries": [], "is_at_carried": False,
        })  # fmt: skip
        return (
            f"POST /agent/v1/poll HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAccept-Encoding: identity\r\n"
            f"Accept: application/json\r\nUser-Agent: Python-urllib/3.11\r\nAuthorization: Bearer {self.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


class Fleet:
    """Devices that ask, each at its own moments, whether the ones before have been answered or not."""

    def __init__(self, askers: list[Asker], port: int, every: float) -> None:
        self._askers, self._port, self._every = askers, port, every
        self.taken: list[float] = []
        self.wrong = 0

    async def ask(self, seconds: float) -> None:
        """Let them ask for some seconds and wait for the last answers."""
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._live(one, end) for one in self._askers))

    async def _live(self, asker: Asker, end: float) -> None:
        at = time.monotonic() + random.random() * self._every
        while at < end:
            await asyncio.sleep(max(at - time.monotonic(), 0))
            await self._once(asker, at)
            at = max(at + self._every * random.uniform(0.8, 1.2), time.monotonic())

    async def _once(self, asker: Asker, at: float) -> None:
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(asker.request(self._port))
                answer = await reader.read()
                writer.close()
        except OSError:
            answer = b""
        # From when it was to ask, so that whoever is kept waiting counts as long as it waited.
        self.taken.append(time.monotonic() - at)
        self.wrong += not answer.startswith(b"HTTP/1.1 200")


@contextlib.contextmanager
def place_on(kind: str, port: int) -> Iterator[Lab]:
    """Give an installation on a kind of database."""
    with contextlib.ExitStack() as stack:
        more = {}
        if kind == "postgresql":
            cluster = stack.enter_context(postgres.running())
            more["database_url"] = cluster.url(cluster.create())
        yield stack.enter_context(lab(port=port, sample_task="off", **more))


@contextlib.contextmanager
def served(place: Lab, workers: int) -> Iterator[int]:
    """Serve for the length of the block by so many processes, as the README says for one; give the process of which they are."""
    if workers == 1:
        with web(place) as process:
            yield process.pid
        return
    how = ("--worker-class", "gthread", "--threads", "16", "--workers", str(workers), "--log-level", "warning")
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *how, "--bind", f"127.0.0.1:{place.config.port}", "wsgi:app"],
        env={**place.config.process_environment(), "WATCHBELL_AUTH": "off"},
    )
    try:
        wait_for(lambda: ping(place.config.port) is not None, 60)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def memory_of(root: int) -> float:
    """Return the memory of the processes that answer requests, in MiB."""
    return sum(memory(int(pid)) for pid in Path(f"/proc/{root}/task/{root}/children").read_text().split())


def database_of(kind: str) -> list[int]:
    """Return the processes of the private server, none of the embedded database."""
    if kind == "sqlite":
        return []
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in own if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"]


def lags(place: Lab, since: float) -> list[float]:
    """Return how late the runs started that were due since a time, in milliseconds."""
    statement = select(Run.due_at, Run.started_at).where(Run.started_at.is_not(None)).order_by(Run.id)
    with place.db.read() as session:
        rows = session.execute(statement).all()
    return [(begun - due).total_seconds() * 1000 for due, begun in rows if due.timestamp() >= since]


@contextlib.contextmanager
def scheduler(place: Lab) -> Iterator[int]:
    """Run a real scheduler for the length of the block and give its process."""
    process = subprocess.Popen([sys.executable, "-c", START], env=place.config.process_environment())

    def is_at_work() -> bool:
        with place.db.read() as session:
            return session.scalar(select(Run.id).limit(1)) is not None

    try:
        wait_for(is_at_work, 60)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def execute(port: int) -> float:
    """Give an order to all devices and return the seconds that it takes."""
    document = {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": "df,-h"}}]}
    body = json.dumps({"job_name": "all", "job_document": document, "target_type": "all"}).encode()
    url = f"http://127.0.0.1:{port}/api/v1/jobs/execute"
    begin = time.perf_counter()
    with urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=60
    ) as answer:
        answer.read()
    return time.perf_counter() - begin


def measure(place: Lab, port: int, options: argparse.Namespace) -> tuple[object, ...]:
    """Return a row of the table."""
    askers = [Asker(number + 1) for number in range(options.devices)]
    with place.db.write() as session:
        session.connection().execute(insert(Device), [one.row() for one in askers])
    every_second = Schedule(
        ScheduleKind.INTERVAL, every=1, unit="seconds", anchor_at=clock.now().replace(microsecond=0)
    )
    place.add_tasks(TASKS, "true", every_second, since=clock.now())
    with served(place, options.workers) as worker, scheduler(place) as keeper:
        time.sleep(5)
        quiet_since = time.time()
        time.sleep(options.quiet)
        quiet = lags(place, quiet_since)
        say(f"{len(quiet)} runs while nobody asks")
        busy_since, before, keeper_before = time.time(), cpu_seconds(worker), cpu_seconds(keeper)
        begin, own, servers = time.monotonic(), time.process_time(), cpu_seconds(*database_of(options.database))
        fleet = Fleet(askers, port, options.every)
        asyncio.run(fleet.ask(options.seconds))
        passed = time.monotonic() - begin
        spent, keeper_spent = cpu_seconds(worker) - before, cpu_seconds(keeper) - keeper_before
        own = time.process_time() - own
        servers = cpu_seconds(*database_of(options.database)) - servers
        busy = lags(place, busy_since)
        resident = memory_of(worker)
        orders = [execute(port) for _ in range(3)]
    return (
        *(options.database, options.workers, options.devices, f"{len(fleet.taken) / passed:.0f}", fleet.wrong),
        *(f"{percentile(fleet.taken, part) * 1000:.0f}" for part in (0.5, 0.99, 1)),
        *(f"{spent / passed * 100:.0f}", f"{resident:.0f}"),
        *(f"{one / passed * 100:.0f}" for one in (servers, own, keeper_spent)),
        *(f"{percentile(found, part):.0f}" for found in (quiet or [0.0], busy or [0.0]) for part in (0.5, 0.99)),
        f"{sorted(orders)[1]:.2f}",
    )


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("--workers", type=int, default=1, help="so many processes answer")
    parser.add_argument("--quiet", type=float, default=15, help="for so long nobody asks")
    options = parser.parse_args()
    say(f"{commit()}; {machine()}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with place_on(options.database, port) as place:
        row = measure(place, port, options)
    head = (
        *(
            "database",
            "web processes",
            "devices",
            "polls/s",
            "failed",
            "p50 ms",
            "p99 ms",
            "longest ms",
            "web CPU %",
            "web PSS MiB",
        ),
        *(
            "database CPU %",
            "asking CPU %",
            "scheduler CPU %",
            "lag quiet p50 ms",
            "p99 ms",
            "lag busy p50 ms",
            "p99 ms",
            "execute s",
        ),
    )
    table(f"A fleet that asks every {options.every:g} s, {options.seconds:g} s", head, [row])
    return 0


if __name__ == "__main__":
    sys.exit(main())
