"""Celery with Redis as its broker and for its results, with a pool of processes; starts and ends are from its results.

There are two ways to have tasks run at a time. ``beat`` is Celery's scheduler, a process that sends each periodic task when it
is due. With ``eta`` every task is sent beforehand with its time, and the worker holds them all when they are due; that is
faster and no schedule. Redis is reached by a local socket and writes nothing to disk, which is its fastest way. The CPU time
is that of Redis, of beat, of the worker and of its pool.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from celery import Celery
from celery.schedules import crontab
from redis import Redis

from benchmarks.figures import cpu_seconds
from benchmarks.peers.peer import choose_moment, cpu_just_before, run_command, started, tell, to_burst, wait_for

_COUNT = "BENCH_PERIODIC_TASKS"
_QUEUE, _RESULTS = 0, 1
#: Beat and worker import this module by its name and are told the addresses on their command lines.
app = Celery("bench")
app.conf.update(broker_connection_retry_on_startup=True)


@app.task(name="bench.run")
def run() -> tuple[float, float, int]:
    """Run one command; what it returns is stored as the result."""
    return run_command()


app.conf.beat_schedule = {
    f"task {number}": {"task": "bench.run", "schedule": crontab(), "args": ()}
    for number in range(int(os.environ.get(_COUNT, "0")))
}


def main() -> None:
    """Measure one burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("beat", "eta"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbell-peer-") as folder, contextlib.ExitStack() as running:
        socket = Path(folder) / "redis.sock"
        broker, results = (f"redis+socket://{socket}?virtual_host={number}" for number in (_QUEUE, _RESULTS))
        app.conf.update(broker_url=broker, result_backend=results)
        server = ("redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no")
        program = (sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_redis")
        program += ("-b", broker, "--result-backend", results)
        redis = running.enter_context(started(*server, cwd=folder))
        if not wait_for(socket.exists, 10):
            raise TimeoutError("Redis did not start")
        work = ("worker", "--pool", "prefork", "-c", str(options.processes))
        worker = running.enter_context(started(*program, *work))
        if not wait_for(lambda: bool(app.control.ping(timeout=0.5)), 30):
            raise TimeoutError("the worker does not answer")
        pids = [redis.pid, worker.pid]
        if options.way == "eta":
            due = choose_moment(4 + options.count / 150)
            for _ in range(options.count):
                run.apply_async(eta=datetime.fromtimestamp(due, UTC))
        else:
            # Beat knows no seconds; it needs some to read its schedule.
            wait_for(lambda: time.time() % 60 < 50 - options.count / 500, 60)
            due = time.time() // 60 * 60 + 60
            environment = {**os.environ, _COUNT: str(options.count)}
            beat = running.enter_context(
                started(*program, "beat", "-s", f"{folder}/beat", env=environment, cwd=Path.cwd())
            )
            pids.append(beat.pid)
        measure(options.count, due, socket, pids)


def measure(count: int, due: float, socket: Path, pids: list[int]) -> None:
    """Wait for the results and tell what they say."""
    stored = Redis(unix_socket_path=str(socket), db=_RESULTS)
    before = cpu_just_before(due, *pids)
    # One key for each result and no other. A minute later all would be sent again.
    wait_for(lambda: stored.dbsize() >= count, min(58, 30 + count / 20))
    recorded = time.time()
    cpu = cpu_seconds(*pids) - before
    keys = [key.decode().removeprefix("celery-task-meta-") for key in stored.keys("celery-task-meta-*")]
    found = [task.result for task in map(app.AsyncResult, keys[:count]) if task.successful()]
    names = f"Celery {version('celery')}, {_redis_version()}"
    tell(to_burst(due, count, [(start, code) for start, _end, code in found], recorded, cpu, names))


def _redis_version() -> str:
    text = subprocess.run(("redis-server", "--version"), capture_output=True, text=True, check=True).stdout
    return f"Redis {text.partition('v=')[2].partition(' ')[0]}"


if __name__ == "__main__":
    main()
