"""Huey on SQLite with eight worker threads; starts and ends are from its own results.

Idle workers look for work every 0.1 s here. By default they come to look only every 10 s, which would be most of the lag.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import threading
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from huey import SqliteHuey
from huey.signals import SIGNAL_COMPLETE

from benchmarks.figures import cpu_seconds
from benchmarks.peers.peer import choose_moment, cpu_just_before, run_command, tell, to_burst

_WORKERS = 8


def main() -> None:
    """Measure one burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    count: int = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="watchbell-peer-") as folder:
        huey = SqliteHuey("bench", filename=str(Path(folder) / "huey.db"), utc=True)
        task = huey.task()(run_command)
        ended = itertools.count(1)
        recorded_at = 0.0
        full = threading.Event()

        @huey.signal(SIGNAL_COMPLETE)
        def _count(*_arguments: object) -> None:
            # Sent after the result has been stored.
            nonlocal recorded_at
            recorded_at = time.time()
            if next(ended) == count:
                full.set()

        due = choose_moment(4 + count / 200)
        results = [task.schedule(eta=datetime.fromtimestamp(due)) for _ in range(count)]
        consumer = huey.create_consumer(workers=_WORKERS, worker_type="thread", periodic=False, max_delay=0.1)
        consumer.start()
        before = cpu_just_before(due, os.getpid())
        full.wait(30 + count / 20)
        cpu = cpu_seconds(os.getpid()) - before
        runs = [(found[0], found[2]) for found in (result.get() for result in results) if found]
        consumer.stop(graceful=True)
        tell(to_burst(due, count, runs, recorded_at, cpu, f"Huey {version('huey')}"))


if __name__ == "__main__":
    main()
