"""How soon another scheduler leads when the one that leads is killed, and whether a moment is lost or doubled by that.

    python -m benchmarks.failover [100]

Two schedulers of two host names share a private PostgreSQL, and a task that may run on any host is due each second. So many
times the leader is killed with SIGKILL, at a moment between two of its signs that is drawn by lot, and started again as the one that
stands by. Times are those of the database's clock: from the leader's last sign, and from its kill, until the other has the lease. In
the last row one is asked to stop instead, which gives the lease back.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.figures import commit, machine, median, say, table
from benchmarks.lab import START, Lab, lab_at, wait_for
from tests import postgres
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.services.leadership import LEASE_SECONDS

_HOSTS = ("east", "west")
_BEAT_SECONDS = 5.0
#: Far more than any take-over may take.
_PATIENCE = 120.0


@dataclasses.dataclass
class Pair:
    """Two schedulers with one database."""

    places: dict[str, Lab]
    lives: dict[str, subprocess.Popen[bytes]] = dataclasses.field(default_factory=dict)

    def rows(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        with self.places["east"].db.read() as session:
            return list(session.execute(text(query)).all())

    def start(self, host: str) -> None:
        """Start a scheduler and return when it has beaten."""
        lives = self.count(host)
        environment = self.places[host].config.process_environment()
        self.lives[host] = subprocess.Popen(
            [sys.executable, "-c", START], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for(lambda: self.count(host) > lives, _PATIENCE)

    def count(self, host: str) -> int:
        """Return how many lives of a scheduler a host has had."""
        return int(self.rows(f"SELECT count(*) FROM scheduler WHERE host = '{host}'")[0][0])

    def leader(self) -> str:
        """Return the host that leads, empty if nobody does."""
        found = self.rows("SELECT host FROM lease JOIN scheduler ON incarnation = holder")
        return str(found[0][0]) if found else ""

    def end(self, host: str, *, kills: bool) -> tuple[float, float]:
        """End the leader; return the seconds from its last sign, and from then, until the other one has the lease."""
        query = "SELECT term, extract(epoch FROM until), extract(epoch FROM clock_timestamp()) FROM lease"
        process = self.lives[host]
        process.kill() if kills else process.terminate()
        term, until, ended = self.rows(query)[0]
        sign = float(until or ended) - LEASE_SECONDS if kills else float(ended)
        found: list[Any] = []

        def is_taken() -> bool:
            found[:] = self.rows(query)
            return bool(found[0][0] > term)

        wait_for(is_taken, _PATIENCE, 0.02)
        process.wait()
        # The lease was renewed by whoever took it at the moment from which it lasts.
        taken = float(found[0][1]) - LEASE_SECONDS
        return taken - sign, taken - float(ended)


@contextlib.contextmanager
def pair() -> Iterator[Pair]:
    """Give two schedulers that work, the first of which leads."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(postgres.running())
        url = cluster.url(cluster.create())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="watchbell-bench-")))
        places = {host: stack.enter_context(lab_at(root / host, database_url=url, hostname=host)) for host in _HOSTS}
        made = Pair(places)
        try:
            for host in _HOSTS:
                made.start(host)
            yield made
        finally:
            for process in made.lives.values():
                process.terminate()
                process.wait()


def measure(kills: int, seed: int) -> None:
    """Print one table, and what became of the moments meanwhile."""
    lots = random.Random(seed)
    killed: list[tuple[float, float]] = []
    with pair() as both:
        anchor = clock.now().replace(microsecond=0)
        schedule = Schedule(ScheduleKind.INTERVAL, every=1, unit="seconds", anchor_at=anchor)
        both.places["east"].add_tasks(1, "true", schedule)
        wait_for(lambda: both.rows("SELECT 1 FROM run LIMIT 1"), _PATIENCE)
        for number in range(kills):
            host = both.leader()
            time.sleep(lots.uniform(0.0, _BEAT_SECONDS))
            killed.append(both.end(host, kills=True))
            both.start(host)
            say(f"kill {number + 1}: {killed[-1][0]:.2f} s after the last sign")
        stopped = both.end(both.leader(), kills=False)
        moments = Counter(row[0] for row in both.rows("SELECT due_at FROM run"))
    first, last = min(moments), max(moments)
    due = int((last - first).total_seconds()) + 1
    rows = [
        (f"killed, {what}", str(kills), f"{median(times):.2f}", f"{max(times):.2f}")
        for what, times in zip(("from its last sign", "from the kill"), zip(*killed, strict=True), strict=True)
    ]
    rows.append(("asked to stop, from then", "1", f"{stopped[1]:.2f}", f"{stopped[1]:.2f}"))
    table("Until another scheduler leads", ("the leader was", "times", "median s", "longest s"), rows)
    doubled = sum(moments.values()) - len(moments)
    print(
        f"\nOf {due} moments of a task that may run anywhere {due - len(moments)} have no row and {doubled} have several."
    )


def main() -> None:
    """Measure with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measure(options.kills, options.seed)
    print(f"\n{commit()}; {machine()}")


if __name__ == "__main__":
    main()
