"""How many runs a second two schedulers and two workers of the engine sustain, beside bare actors and tasks of the same broker.

    python -m benchmarks.engine [--count 1500] [--rounds 5] [--python PATH]

So many runs of /bin/true wait in the queue when those begin that carry them, who all have their own usual bounds; the rate is that
between a tenth and nineteen twentieths of them. Ours are over when their row says so, in a PostgreSQL that is asked to
keep what it has committed; a bare actor of Dramatiq and a bare task of Celery have run when they have left one byte in a file. All share
one RabbitMQ and take turns, several rounds, since a shared machine's speed drifts: ratios are of the same round. Then it is
measured what a claim and an end cost the database. ``--python`` names an environment that has Celery; without it the one of
`make compare` is made.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import text

from benchmarks.figures import commit, cpu_seconds, machine, median, say, table
from benchmarks.lab import START, Lab, lab_at, wait_for
from benchmarks.peers import install
from benchmarks.peers.peer import BROKER, DONE
from tests import postgres
from tests.database import NOW, add_task, run_row
from tests.process.brokers import Rabbit
from tests.unit.turning import result_of, started_on
from watchbell import clock
from watchbell.services import queues
from watchbell.services.tickets import Turn
from watchbell.services.turns import take_turn
from watchbell.store import ledger
from watchbell.store.models import Task

_HOSTS = ("east", "west")
_FROM, _TO, _ALL = 0.1, 0.95, 0.99
_PATIENCE = 180.0
_SIZES = (1, 16, 64)
_TURNS = 40
Counted = Callable[[], int]


@dataclasses.dataclass
class Ground:
    """What all share: one broker, and one database with a data directory for each host."""

    broker: str
    places: dict[str, Lab]
    tasks: dict[str, Task]
    folder: Path
    celery: Path

    def put(self, queue: str, count: int) -> Counted:
        """Let so many runs wait, and return what tells how many of them are over."""
        db, task, now = self.places["east"].db, self.tasks[queue], clock.now()
        rows = [
            run_row(task, may_overlap=True, key=f"{now.timestamp()}:{n}", due_at=now, created_at=now, queue=queue)
            for n in range(count)
        ]
        with db.write() as session:
            first = min(ledger.insert_runs(session, rows).values())

        def over() -> int:
            with db.read() as session:
                query = f"SELECT count(*) FROM run WHERE id >= {first} AND state = 'succeeded'"
                return int(session.scalar(text(query)) or 0)

        return over

    @contextlib.contextmanager
    def scheduler(self, host: str) -> Iterator[list[int]]:
        """Run the scheduler of a host."""
        with self._living([sys.executable, "-c", START], self.places[host].config.process_environment()) as pids:
            yield pids

    @contextlib.contextmanager
    def worker(self, host: str) -> Iterator[list[int]]:
        """Run a worker of the engine on a host."""
        argv = [sys.executable, "-m", "watchbell", "engine", "worker", "--queues", "heavy", "--drain", "0"]
        with self._living(argv, self.places[host].config.process_environment()) as pids:
            yield pids

    @contextlib.contextmanager
    def peer(self, module: str, count: int) -> Iterator[tuple[list[int], Counted]]:
        """Let so many messages of a peer wait, run its workers, and tell how many are done."""
        done = self.folder / f"{module}-{time.time()}"
        done.touch()
        environment = {**os.environ, BROKER: self.broker, DONE: str(done)}
        python = sys.executable if module == "dramatiq_actor" else str(self.celery)
        subprocess.run([python, "-m", f"benchmarks.peers.{module}", str(count)], env=environment, check=True)
        words = {
            "dramatiq_actor": ("dramatiq", "benchmarks.peers.dramatiq_actor"),
            "celery_task": ("celery", "-A", "benchmarks.peers.celery_task", "worker"),
        }[module]
        with self._living([python, "-m", *words], environment) as pids:
            yield pids, lambda: done.stat().st_size

    @contextlib.contextmanager
    def _living(self, argv: list[str], environment: dict[str, str]) -> Iterator[list[int]]:
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(argv, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            yield [process.pid]
        finally:
            process.terminate()
            process.wait(60)

    def beats(self, table_name: str) -> int:
        """Return how many schedulers, or workers, are at work."""
        with self.places["east"].db.read() as session:
            query = f"SELECT count(*) FROM {table_name} WHERE stopped_at IS NULL"
            return int(session.scalar(text(query)) or 0)


@contextlib.contextmanager
def ground(celery: Path, cluster: postgres.Cluster) -> Iterator[Ground]:
    """Give the ground with a broker that works and nobody who carries anything."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="watchbell-bench-")))
        rabbit = Rabbit()
        stack.callback(rabbit.close)
        given = {"database_url": cluster.url(cluster.create()), "broker": rabbit.url}
        places = {host: stack.enter_context(lab_at(folder / host, hostname=host, **given)) for host in _HOSTS}
        db = places["east"].db
        queues.set_bounds(db, "heavy", max_running=None, carrier="engine", now=NOW, actor="bench")
        fields = {"command": "/bin/true", "overlap": "allow", "host": ""}
        tasks = {queue: add_task(db, f"bench-{queue}", queue=queue, **fields) for queue in ("default", "heavy")}
        yield Ground(rabbit.url, places, tasks, folder, celery)


def meter(count: int, over: Counted, pids: list[int]) -> tuple[float, float]:
    """Return the rate and the milliseconds of CPU for each, between two parts of the whole."""
    marks = []
    for part in (_FROM, _TO):
        wait_for(lambda part=part: over() >= part * count, _PATIENCE, 0.02)  # type: ignore[misc]
        marks.append((over(), time.monotonic(), cpu_seconds(*pids)))
    (before, begun, spent), (after, ended, used) = marks
    # A peer that has lost a message is not asked for it.
    wait_for(lambda: over() >= _ALL * count, _PATIENCE, 0.02)
    return (after - before) / (ended - begun), (used - spent) / (after - before) * 1000


def ours(place: Ground, count: int, schedulers: int, workers: int) -> tuple[float, float]:
    """Measure so many schedulers, or workers with one scheduler."""
    with contextlib.ExitStack() as stack:
        pids = [pid for host in _HOSTS[:schedulers] for pid in stack.enter_context(place.scheduler(host))]
        wait_for(lambda: place.beats("scheduler") == schedulers, _PATIENCE)
        pids += [pid for host in _HOSTS[:workers] for pid in stack.enter_context(place.worker(host))]
        wait_for(lambda: place.beats("engine_worker") == workers, _PATIENCE)
        return meter(count, place.put("heavy" if workers else "default", count), pids)


def peers(place: Ground, count: int, module: str) -> tuple[float, float]:
    """Measure the bare actor or task of a peer."""
    with place.peer(module, count) as (pids, over):
        return meter(count, over, pids)


KINDS: dict[str, Callable[[Ground, int], tuple[float, float]]] = {
    "bare actor of Dramatiq": lambda place, count: peers(place, count, "dramatiq_actor"),
    "the engine, 2 workers and a scheduler": lambda place, count: ours(place, count, 1, 2),
    "bare task of Celery": lambda place, count: peers(place, count, "celery_task"),
    "1 scheduler": lambda place, count: ours(place, count, 1, 0),
    "2 schedulers": lambda place, count: ours(place, count, 2, 0),
}


def rates(place: Ground, count: int, rounds: int) -> None:
    """Print the table of rates."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in KINDS}
    for number in range(rounds):
        for name, measure in KINDS.items():
            found[name].append(measure(place, count))
            say(f"round {number + 1}: {name}: {found[name][-1][0]:.0f} a second; load {os.getloadavg()[0]:.1f}")
    actor, task = found["bare actor of Dramatiq"], found["bare task of Celery"]
    rows = []
    for name, measured in found.items():
        ratios = [
            f"{median(one[0] / other[0] for one, other in zip(measured, base, strict=True)):.2f}"
            for base in (actor, task)
        ]
        spread = f"{min(rate for rate, _ in measured):.0f} to {max(rate for rate, _ in measured):.0f}"
        rate, cpu = (median(values) for values in zip(*measured, strict=True))
        rows.append((name, f"{rate:.0f}", spread, f"{cpu:.2f}", *ratios))
    head = ("who runs /bin/true", "runs/s", "of all rounds", "CPU ms each", "by the actor", "by the task")
    table(f"Sustained runs, {count} at a time, {rounds} rounds", head, rows)


def costs(place: Ground, cluster: postgres.Cluster) -> None:
    """Print what claims and ends cost, by the database's own count and by the clock of whoever asks."""
    db, task = place.places["east"].db, place.tasks["default"]
    base = (
        db.url.database
        if hasattr(db, "url")
        else str(place.places["east"].config.database_url).split("@/")[1].split("?")[0]
    )
    cluster.tell("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", database=str(base))
    rows = []
    for size in _SIZES:
        found: dict[str, list[tuple[float, float]]] = {"claim": [], "end": []}
        for _ in range(_TURNS):
            with db.write() as session:
                ledger.insert_runs(session, [run_row(task, may_overlap=True) for _ in range(size)])

            def measured(name: str, turn: Turn, size: int = size, found: dict = found) -> list:  # type: ignore[type-arg]
                cluster.tell("SELECT pg_stat_statements_reset()", database=str(base))
                begun = time.perf_counter()
                tickets = list(take_turn(db, turn).tickets)
                took = time.perf_counter() - begun
                query = "SELECT sum(total_exec_time)::float8 FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%'"
                spent = float(str(cluster.tell(query, database=str(base))[0][0]))
                found[name].append((spent / size, took * 1000 / size))
                return tickets

            tickets = measured("claim", Turn(NOW, "bench", "bench", room=size))
            assert len(tickets) == size
            started, results = [started_on(one) for one in tickets], [result_of(one) for one in tickets]
            measured("end", Turn(NOW, "bench", "bench", room=0, started=started, results=results, claims=False))
        for name, values in found.items():
            database, clocked = (median(column) for column in zip(*values, strict=True))
            rows.append((name, str(size), f"{database:.2f}", f"{clocked:.2f}"))
    head = ("what", "runs in one transaction", "ms of the database each", "ms of the clock each")
    table(f"What a run costs the database, {_TURNS} transactions", head, rows)


def main() -> None:
    """Measure with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path)
    options = parser.parse_args()
    if options.python is None:
        install.install()
    print(f"\n{commit()}; {machine()}")
    with (
        postgres.running(shared_preload_libraries="pg_stat_statements") as cluster,
        ground(options.python or install.PYTHON, cluster) as place,
    ):
        costs(place, cluster)
        rates(place, options.count, options.rounds)
    print(f"\nload after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
