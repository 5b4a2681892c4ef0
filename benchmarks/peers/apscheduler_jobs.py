"""APScheduler 3 with its background scheduler and its pool of ten threads, no run given up for being late.

Its job stores hold what is to come and no history, so each run is recorded in SQLite besides, once it has ended: that is
what a program has to do whose user wants to know. Starts and ends are from these records.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.figures import cpu_seconds
from benchmarks.peers.peer import Ledger, choose_moment, cpu_just_before, run_command, tell, to_burst

ledger: Ledger


def job(number: int) -> None:
    """Run one command and write it down; a job store of SQLAlchemy finds this function by its name."""
    ledger.add(number, *run_command())


def main() -> None:
    """Measure one burst."""
    global ledger  # noqa: PLW0603 - what a job store can keep of a function is its name, so it can hold nothing itself
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=("memory", "sqlalchemy"))
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="watchbell-peer-") as folder:
        ledger = Ledger(Path(folder), options.count)
        store: BaseJobStore = MemoryJobStore()
        if options.store == "sqlalchemy":
            store = SQLAlchemyJobStore(f"sqlite:///{folder}/jobs.db")
        scheduler = BackgroundScheduler(
            jobstores={"default": store}, job_defaults={"misfire_grace_time": None}, timezone=UTC
        )
        scheduler.start(paused=True)
        due = choose_moment(3 + options.count / (2000 if options.store == "memory" else 100))
        moment = datetime.fromtimestamp(due, UTC)
        for number in range(options.count):
            scheduler.add_job(job, "date", (number,), run_date=moment, id=str(number))
        scheduler.resume()
        before = cpu_just_before(due, os.getpid())
        recorded = ledger.wait(30 + options.count / 20)
        cpu = cpu_seconds(os.getpid()) - before
        scheduler.shutdown()
        name = f"APScheduler {version('apscheduler')}"
        if options.store == "sqlalchemy":
            name += f", SQLAlchemy {version('sqlalchemy')}"
        tell(to_burst(due, options.count, ledger.runs(), recorded, cpu, name))


if __name__ == "__main__":
    main()
