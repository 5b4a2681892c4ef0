"""What an agent costs its device that has nothing to do, and what agents that ask cost the server.

    python -m benchmarks.agent [--minutes 3] [--devices 200] [--seconds 10]

A real agent joins a real server on this machine and asks it every 30 seconds; the baseline is a Python that sleeps. Then as many
devices as ``--devices`` says ask as fast as eight threads can, one request after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import commit, cpu_seconds, machine, percentile, say, table
from benchmarks.lab import Lab, lab, wait_for
from benchmarks.sockets import memory, web, worker_of
from watchbell import clock
from watchbell.services import devices, enrolment

THREADS = 8


def run_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, to the nanosecond."""
    return (
        sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
        / 1e9
    )


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextlib.contextmanager
def program(*argv: str) -> Iterator[int]:
    """Run a Python program for the length of the block and give its process id."""
    process = subprocess.Popen([sys.executable, *argv], stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def watch(pid: int, seconds: float) -> tuple[float, float, float]:
    """Return CPU percent, PSS and RSS in MiB of a process over some time."""
    before = run_seconds(pid)
    time.sleep(seconds)
    return (run_seconds(pid) - before) / seconds * 100, memory(pid), resident(pid)


def command(place: Lab, port: int, folder: Path) -> tuple[str, ...]:
    """Return the command line of an agent that can join."""
    code = enrolment.create(place.db, name="pi", now=clock.now(), actor="bench").secret
    url = f"http://127.0.0.1:{port}"
    return ("-m", "watchbell.agent", "--url", url, "--enroll", code, "--state", str(folder))


def is_seen(place: Lab) -> bool:
    """Return whether a device has told of itself."""
    found, _ = devices.list_page(place.db, now=clock.now(), is_active=True, is_online=None, page=1, limit=1)
    return bool(found) and found[0].device.facts_at is not None


class Asker:
    """A device that asks, as fast as it is answered."""

    def __init__(self, place: Lab, port: int) -> None:
        code = enrolment.create(place.db, now=clock.now(), actor="bench").secret
        self._key = enrolment.join(place.db, code, now=clock.now()).key
        self._url = f"http://127.0.0.1:{port}/agent/v1/poll"
        self._number, self._seq = os.urandom(16).hex(), 0

    def ask(self) -> float:
        """Ask once and return the seconds that it took."""
        self._seq += 1
        body = {"incarnation": self._number, "seq": self._seq, "nonce": f"{self._seq:032x}"}
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        begin = time.perf_counter()
        with urllib.request.urlopen(
            urllib.request.Request(self._url, json.dumps(body).encode(), headers), timeout=30
        ) as answer:
            answer.read()
        return time.perf_counter() - begin


def storm(askers: list[Asker], seconds: float) -> list[float]:
    """Let devices ask from several threads, each device from one of them, and return how long each request took."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def work(mine: list[Asker]) -> None:
        while time.monotonic() < end:
            taken.extend(one.ask() for one in mine)

    threads = [threading.Thread(target=work, args=(askers[number::THREADS],)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def main() -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    say(f"{commit()}; {machine()}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lab(port=port, sample_task="off") as place, web(place) as process:
        with program("-c", "import time; time.sleep(3600)") as pid:
            # Its start is not what is measured.
            wait_for(lambda: resident(pid) > 5, 10)
            rows: list[tuple[object, ...]] = [("python that sleeps", *watch(pid, 5))]
        with program(*command(place, port, place.config.home / "agent")) as pid:
            wait_for(lambda: is_seen(place), 30)
            rows.append(("agent with nothing to do", *watch(pid, options.minutes * 60)))
        table(f"An agent for {options.minutes:g} min", ("what", "CPU %", "PSS MiB", "RSS MiB"), rows)
        askers = [Asker(place, port) for _ in range(options.devices)]
        # The first request of each process is one that is written down.
        storm(askers, 0.001)
        worker = worker_of(process)
        before, begin = cpu_seconds(worker), time.monotonic()
        taken = storm(askers, options.seconds)
        spent, passed = cpu_seconds(worker) - before, time.monotonic() - begin
        row = (
            *(options.devices, f"{len(taken) / passed:.0f}", f"{percentile(taken, 0.5) * 1000:.0f}"),
            *(f"{percentile(taken, 0.99) * 1000:.0f}", f"{spent / len(taken) * 1000:.1f}"),
        )
        head = ("devices", "requests/s", "median ms", "p99 ms", "CPU ms of the server")
        table(f"{THREADS} threads that ask without a pause, {options.seconds:g} s", head, [row])
    return 0


if __name__ == "__main__":
    sys.exit(main())
