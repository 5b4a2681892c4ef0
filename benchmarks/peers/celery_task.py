"""A bare task of Celery: it runs the command and leaves one byte in a file, and keeps no result.

    celery -A benchmarks.peers.celery_task worker            its workers, as many as Celery takes by itself
    python -m benchmarks.peers.celery_task COUNT             sends so many messages

The variables BENCH_BROKER and BENCH_DONE tell the address of the broker and the file.
"""

from __future__ import annotations

import os
import subprocess
import sys

from celery import Celery

from benchmarks.peers.peer import BROKER, DONE, PROGRAM, leave_mark

app = Celery("bench", broker=os.environ[BROKER])
app.conf.update(task_default_queue="bench-celery", task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="bench.run")
def run() -> None:
    """Run one command."""
    subprocess.run(PROGRAM, check=True)
    leave_mark(os.environ[DONE])


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        run.delay()
    # Else the last ones stay here.
    app.close()
