"""How many requests a second page and API answer with 1, 2 and 4 processes of gunicorn, and what each costs.

    python -m benchmarks.web_workers [--at FOLDER] [--runs 10000] [--seconds 4] [--rounds 3] [1 2 4]

The list of tasks as a page is made anew for each request; the list of runs is answered from what was found before, since the
database stands still. The counts of workers are asked in turn, as a shared machine's speed drifts. Clients are a process of
their own and share the processors with the server.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.api import Served, gunicorn
from benchmarks.figures import commit, machine, median, table
from benchmarks.history import make
from benchmarks.lab import Lab, lab_at
from watchbell import clock
from watchbell.services import accounts, tokens

PATHS = {"page of tasks": "/tasks", "100 runs": "/api/v2/runs?limit=100", "whether it lives": "/health/live"}
_THREADS = 16
Found = dict[tuple[str, int], list[tuple[float, float]]]


def measure(place: Lab, options: argparse.Namespace) -> None:
    """Print one table."""
    now = clock.now()
    username = accounts.ensure_first(place.db, now=now).username
    name = f"bench-{now.timestamp()}"
    token = tokens.create(place.db, username, name, scope="read", lifetime=timedelta(days=1), now=now).secret
    found: Found = {(what, workers): [] for what in PATHS for workers in options.workers}
    with contextlib.ExitStack() as stack:
        environment = place.config.process_environment()
        servers = {
            workers: stack.enter_context(gunicorn("wsgi:app", environment, _THREADS, workers))
            for workers in options.workers
        }
        # The first round warms all of them up.
        for number in range(options.rounds + 1):
            for (what, workers), measured in found.items():
                asked = Served(*servers[workers], PATHS[what], token).ask(options.seconds, options.clients)
                measured.extend([asked] if number else [])
    rows = []
    for (what, workers), measured in found.items():
        rate, cpu = (median(values) for values in zip(*measured, strict=True))
        base = median([one for one, _cpu in found[what, options.workers[0]]])
        rows.append((what, str(workers), f"{rate:.0f}", f"{rate / base:.2f}", f"{cpu * 1000:.2f}"))
    head = ("what", "workers", "answers a second", "ratio", "CPU ms each")
    table(f"Answers of gunicorn, {_THREADS} threads each, {options.clients} clients", head, rows)


def main() -> None:
    """Fill a database unless it is there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workers", nargs="*", type=int, default=[1, 2, 4])
    parser.add_argument("--at", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
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
