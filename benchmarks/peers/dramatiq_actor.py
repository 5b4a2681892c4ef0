"""A bare actor of Dramatiq: it runs the command and leaves one byte in a file, and nobody writes down anything else.

    dramatiq benchmarks.peers.dramatiq_actor                 its workers, as many as Dramatiq takes by itself
    python -m benchmarks.peers.dramatiq_actor COUNT          sends so many messages

The variables BENCH_BROKER and BENCH_DONE tell the address of the broker and the file.
"""

from __future__ import annotations

import os
import subprocess
import sys

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.peers.peer import BROKER, DONE, PROGRAM, leave_mark

broker = RabbitmqBroker(url=os.environ[BROKER])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench-dramatiq", max_retries=0)
def run() -> None:
    """Run one command."""
    subprocess.run(PROGRAM, check=True)
    leave_mark(os.environ[DONE])


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        run.send()
    # Else the last ones stay here.
    broker.close()
