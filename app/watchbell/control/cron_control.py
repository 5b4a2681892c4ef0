"""Starting, stopping and looking at the scheduler as the daemon of one task, for people who know a single pipeline.

The daemon is the scheduler itself. It counts as running while the scheduler does and the task is due by itself; a stop is
the stop of the scheduler, as from everywhere else. Every answer says what is so.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell import clock
from watchbell.config import Config
from watchbell.control import process
from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import SchedulerState
from watchbell.errors import AlreadyRunning, NotRunning
from watchbell.services import cron_log, cron_task
from watchbell.services.cron_log import CronLog
from watchbell.store.session import Database

NOTHING_YET = "No logs available yet"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Whether something was done, in a sentence; that it did not have to be done is no error."""

    success: bool
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class CronStatus:
    """Whether the daemon runs, and as which process."""

    is_running: bool
    pid: int | None
    message: str


def start(config: Config, db: Database, interval_seconds: int, *, now: datetime, actor: str) -> Answer:
    """Run the task every so many seconds, the first time at once, and start the scheduler if it does not run.

    One that runs already is left as it is. Raises InputError for an interval below ten seconds, NotFound without a task,
    and what ``process.start`` raises.
    """
    cron_task.check_interval(interval_seconds)
    before = status(config, db, now=now)
    if before.is_running:
        return Answer(success=False, message=f"Daemon is already running (PID: {before.pid})")
    cron_task.switch_on(db, config, interval_seconds, now=now, actor=actor)
    found = process.status(config, db, now=now)
    if not found.is_alive:
        try:
            found = process.start(config, db, actor=actor, timeout=process.ANSWER_SECONDS)
        except AlreadyRunning:
            # Somebody else has started it in between, which is as well.
            found = process.status(config, db, now=clock.now())
    words = f"Daemon started successfully with interval: {interval_seconds} seconds (PID: {found.pid})"
    if found.state is not SchedulerState.RUNNING:
        words += "; its first heartbeat is still to come"
    return Answer(success=True, message=f"{words}{_held(config, db, now)}")


def stop(config: Config, db: Database, *, now: datetime, actor: str) -> Answer:
    """Stop the scheduler, whoever started it; raises what ``process.stop`` raises."""
    before = status(config, db, now=now)
    if not before.is_running:
        return Answer(success=False, message=before.message)
    try:
        outcome = process.stop(config, db, actor=actor)
    except NotRunning:
        return Answer(success=False, message="Daemon is not running")
    rest = f"; {_commands(outcome.still_running)} and will be looked after by the next start"
    return Answer(success=True, message=f"Daemon stopped successfully{rest if outcome.still_running else ''}")


def status(config: Config, db: Database, *, now: datetime) -> CronStatus:
    """Return whether the daemon runs."""
    found = process.status(config, db, now=now)
    if not found.is_alive:
        return CronStatus(is_running=False, pid=None, message=_not_running(found))
    if not cron_task.is_on(cron_task.find(db, config)):
        return CronStatus(
            is_running=False,
            pid=None,
            message=f"Daemon is not running: the scheduler is (PID: {found.pid}), but it does not start task "
            f"{config.cron_task!r} by itself",
        )
    words = f"Daemon is running (PID: {found.pid})"
    if found.state in {SchedulerState.STALLED, SchedulerState.STOPPING}:
        words = f"{words}, but: {found.message}"
    return CronStatus(is_running=True, pid=found.pid, message=f"{words}{_held(config, db, now)}")


def logs(config: Config, db: Database, *, lines: int | None = None) -> CronLog:
    """Return the log of the task in the server's zone, only its last lines if a number above 0 is given; maybe empty."""
    task = cron_task.find(db, config)
    if task is None:
        return CronLog(())
    return cron_log.read(db, task, ZoneInfo(config.zone), config.output_path, lines=lines)


def clear_logs(config: Config, db: Database, *, now: datetime, actor: str) -> Answer:
    """Show nothing of the log from before now any more; nothing is deleted."""
    task = cron_task.find(db, config)
    zone = ZoneInfo(config.zone)
    if task is None or not cron_log.clear(db, task, zone, config.output_path, now=now, actor=actor):
        return Answer(success=False, message="No log file to clear")
    return Answer(success=True, message="Logs cleared successfully")


def _not_running(found: SchedulerStatus) -> str:
    if found.state is SchedulerState.UNKNOWN:
        return f"Nobody can tell whether the daemon is running: {found.message}"
    return f"Daemon is not running. {found.message}" if found.started_at is not None else "Daemon is not running"


def _held(config: Config, db: Database, now: datetime) -> str:
    """Return what keeps the task from starting although all is on."""
    task = cron_task.find(db, config)
    why = cron_task.why_held(db, task, now=now) if task is not None else ""
    return f", but it does not start: {why}" if why else ""


def _commands(count: int) -> str:
    return "1 command goes on" if count == 1 else f"{count} commands go on"
