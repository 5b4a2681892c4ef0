"""How fast the page answers while very many commands run: a real web server, probed like a person with several tabs.

    python -m benchmarks.page_under_load [--tasks 10000] [--readers 2] [--command TEXT]

The same pages are read before the burst, from the same database with the same tasks: that is the baseline. Each reader asks
for one page after the other and rests 100 ms after each answer.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.figures import commit, machine, percentile, say, table
from benchmarks.lab import Lab, lab, parse, wait_for
from benchmarks.save_to_start import PASSWORD, Browser
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.services import accounts

PAGES = ("/", "/tasks", "/tasks/1", "/runs", "/next-runs", "/heartbeats", "/health")
_REST = 0.1
_BEFORE_SECONDS = 12


class Reader(threading.Thread):
    """Somebody who reads one page after the other."""

    def __init__(self, base: str, until: threading.Event) -> None:
        super().__init__()
        self._browser = Browser(base)
        self._until = until
        #: Page, when it was asked for, seconds until it was whole.
        self.answers: list[tuple[str, float, float]] = []
        self.failures: list[str] = []

    def log_in(self) -> None:
        """Log in as a person does."""
        self._browser.post("/login", {"csrf_token": self._browser.token("/login"), "password": PASSWORD})
        if 'name="password"' in self._browser.get(PAGES[0]):
            raise RuntimeError("the login did not work, so no page would be what it is for a person")

    def run(self) -> None:
        number = 0
        while not self._until.is_set():
            page = PAGES[number % len(PAGES)]
            number += 1
            at, begin = time.time(), time.perf_counter()
            try:
                self._browser.get(page)
            except OSError as error:
                # An answer that is an error, or none at all: counted, and shown in the table.
                self.failures.append(f"{page}: {error}")
            self.answers.append((page, at, time.perf_counter() - begin))
            self._until.wait(_REST)


@contextlib.contextmanager
def web(place: Lab) -> Iterator[str]:
    """Serve the pages for the length of the block."""
    accounts.ensure_first(place.db, now=parse("2026-01-01T00:00:00+00:00"))
    environment = {**place.config.process_environment(), "WATCHBELL_PASSWORD": PASSWORD}
    process = subprocess.Popen(
        [sys.executable, "-m", "watchbell", "dashboard"], env=environment, stdout=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{place.config.port}"
    try:
        wait_for(lambda: _answers(base), 30)
        yield base
    finally:
        process.terminate()
        process.wait(20)


def _answers(base: str) -> bool:
    try:
        return bool(Browser(base).get("/login"))
    except OSError:
        return False


def measure(count: int, readers: int, command: str) -> tuple[list[Reader], float, float, int]:
    """Return the readers, when the burst began and when it was over, and how many runs had no success."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lab(port=port, password=PASSWORD, sample_task="off") as place:
        done = threading.Event()
        with web(place) as base, place.scheduler():
            people = [Reader(base, done) for _ in range(readers)]
            for person in people:
                person.log_in()
            lead = 5 + count / 1200 + _BEFORE_SECONDS
            due = (clock.now() + timedelta(seconds=lead)).replace(microsecond=0)
            place.add_tasks(count, command, Schedule(ScheduleKind.MOMENT, moments=(due,)))
            if (left := due.timestamp() - time.time()) < _BEFORE_SECONDS / 2:
                raise TimeoutError(f"only {left:.0f} s were left to read before the burst")
            for person in people:
                person.start()
            try:
                over = place.wait_until_recorded(count, 120 + count / 10)
            finally:
                done.set()
                for person in people:
                    person.join()
        failed = place.value("SELECT count(*) FROM run WHERE state != 'succeeded'")
    return people, due.timestamp(), over, int(failed)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--command", default="true")
    options = parser.parse_args()
    print(f"\n{commit()}; {machine()}")
    people, begin, over, failed = measure(options.tasks, options.readers, options.command)
    answers = [answer for person in people for answer in person.answers]
    rows: list[tuple[object, ...]] = []
    for page in ("all pages", *PAGES):
        mine = [(at, seconds) for name, at, seconds in answers if page in {name, "all pages"}]
        before = [seconds * 1000 for at, seconds in mine if at + seconds < begin]
        meanwhile = [seconds * 1000 for at, seconds in mine if begin <= at + seconds and at <= over]
        rows.append(
            (page, len(before), *_milliseconds(before), len(meanwhile), *_milliseconds(meanwhile)),
        )
    failures = [failure for person in people for failure in person.failures]
    say("\n".join(failures))
    title = (
        f"Pages while {options.tasks} commands run ({over - begin:.1f} s, {failed} without success, "
        f"{options.readers} readers, {len(failures)} answers failed)"
    )
    head = ("page", "n before", "p50 ms", "p95 ms", "longest", "n meanwhile", "p50 ms", "p95 ms", "longest")
    table(title, head, rows)


def _milliseconds(values: list[float]) -> tuple[object, ...]:
    if not values:
        return ("-", "-", "-")
    return tuple(f"{value:.0f}" for value in (percentile(values, 0.5), percentile(values, 0.95), max(values)))


if __name__ == "__main__":
    main()
