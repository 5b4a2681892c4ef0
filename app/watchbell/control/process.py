"""Starting, stopping and looking at the scheduler process of this data directory, whoever started it.

The lock tells whether one lives, the PID file which process it is, its row in the database whether it works.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from watchbell import clock
from watchbell.config import Config
from watchbell.control import logfile, pidfile, pulse
from watchbell.control.detached import spawn, why_it_ended
from watchbell.control.pidfile import Owner
from watchbell.control.pulse import Pulse
from watchbell.domain.presence import SchedulerState, is_stalled
from watchbell.errors import AlreadyRunning, NotRunning, Unavailable, WatchbellError
from watchbell.execution import current_boot_id
from watchbell.services import audit, heartbeats
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database

START_SECONDS = 60.0
#: Whoever starts it by a request is answered after this, however long it takes.
ANSWER_SECONDS = 10.0
STOP_SECONDS = 15.0
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """What can be said of the scheduler from outside; fields of which nothing is known are None or empty."""

    state: SchedulerState
    #: One sentence for people.
    message: str
    #: Since when it is so.
    since: datetime | None = None
    pid: int | None = None
    host: str = ""
    user: str = ""
    version: str = ""
    environment: str = ""
    session_id: str = ""
    incarnation: str = ""
    started_at: datetime | None = None
    beat_at: datetime | None = None
    #: Commands that are going on.
    running: int = 0
    #: Whether it ended, or is about to, because somebody stopped it; one that died is to be started again.
    was_stopped: bool = False
    #: Seconds since its loop turned last.
    tick_age: float | None = None
    #: What it has said last without the help of the database.
    pulse: Pulse | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether there is a process to stop."""
        return self.state not in {SchedulerState.STOPPED, SchedulerState.UNKNOWN}


@dataclasses.dataclass(frozen=True, slots=True)
class StopOutcome:
    """How a stop went."""

    pid: int
    #: Commands that go on under their keeper, to be adopted by the next scheduler.
    still_running: int

    @property
    def message(self) -> str:
        """Return one sentence for people."""
        if not self.still_running:
            return f"The scheduler (PID {self.pid}) has stopped; nothing is left running."
        what = "1 command goes on" if self.still_running == 1 else f"{self.still_running} commands go on"
        return f"The scheduler (PID {self.pid}) has stopped; {what} and will be looked after by the next start."


def status(config: Config, db: Database, *, now: datetime) -> SchedulerStatus:
    """Return what the scheduler of this data directory is doing."""
    held = pidfile.is_held(config)
    owner, damage = _find_owner(config)
    row = _find_row(config, db, owner if held else None)
    found = _living(config, owner, row, now) if held else _not_held(config, row, now)
    return dataclasses.replace(found, message=f"{found.message} {damage}.") if damage else found


def start(config: Config, db: Database, *, actor: str = "", timeout: float = START_SECONDS) -> SchedulerStatus:
    """Start a detached scheduler, wait for its first heartbeat and return its status.

    One that has not beaten in time goes on starting, which is its status then. Raises AlreadyRunning, ConfigError if the
    PID file holds garbage, and StartFailed with the last lines of its log.
    """
    _require_free(config)
    log_offset = logfile.size(config.log_path)
    deadline = clock.monotonic() + timeout
    pid = spawn(config)
    with _pidfd(pid) as descriptor:
        while not _has_beaten(config, db, pid):
            if descriptor is None or _ended(descriptor, _LOOK_SECONDS):
                _require_free(config)
                raise why_it_ended(config, pid, log_offset)
            if clock.monotonic() >= deadline:
                break
    _note(config, db, "scheduler.start", actor, pid=pid)
    if _has_beaten(config, db, pid):
        return status(config, db, now=clock.now())
    # Before it has taken the lock, the PID file may still be that of an earlier one.
    owner, _ = _find_owner(config)
    return dataclasses.replace(starting(config, owner if owner and owner.pid == pid else None), pid=pid)


def stop(
    config: Config, db: Database, *, actor: str = "", timeout: float = STOP_SECONDS, kill: bool = False
) -> StopOutcome:
    """Stop the scheduler, whoever started it, wait for its end and return what goes on without it.

    Nothing is signalled unless boot, PID and start time agree with what the holder of the lock has written down. Raises
    NotRunning, and WatchbellError if it does not end in time; with ``kill`` it is then ended by force, which loses no
    result of a command.
    """
    owner = _require_owner(config)
    descriptor = owner.open()
    if descriptor is None:
        _require_running(config)
        raise WatchbellError(
            f"the lock of {config.home} is held, but process {owner.pid} cannot be proven to be the scheduler that took "
            "it, so it is left alone"
        )
    with _closing(descriptor):
        incarnation = _note_stop(config, db, owner, actor)
        _signal(descriptor, signal.SIGTERM, owner)
        # A suspended process gets the signal only when it goes on.
        _signal(descriptor, signal.SIGCONT, owner)
        if not _ended(descriptor, timeout):
            if not kill:
                raise WatchbellError(
                    f"the scheduler (PID {owner.pid}) was told to stop and is still there after {timeout:g} s"
                )
            _signal(descriptor, signal.SIGKILL, owner)
            _ended(descriptor, _KILL_SECONDS)
    _note(config, db, "scheduler.stop", actor, pid=owner.pid, kill=kill)
    return StopOutcome(owner.pid, _still_running(db, incarnation))


def restart(config: Config, db: Database, *, actor: str = "", timeout: float = START_SECONDS) -> SchedulerStatus:
    """Stop the scheduler if it runs, start it and return its status."""
    # One that does not run has not to be stopped.
    with contextlib.suppress(NotRunning):
        stop(config, db, actor=actor)
    return start(config, db, actor=actor, timeout=timeout)


def _note(config: Config, db: Database, action: str, actor: str, **detail: Any) -> None:
    """Write down who has started or stopped the scheduler; a program that watches over it is nobody."""
    if actor:
        audit.note_alone(db, action, f"scheduler:{config.hostname}", now=clock.now(), actor=actor, **detail)


def _find_owner(config: Config) -> tuple[Owner | None, str]:
    try:
        return pidfile.find_owner(config), ""
    except pidfile.DamagedPIDFile as error:
        return None, error.message


def _find_row(config: Config, db: Database, owner: Owner | None) -> Scheduler | None:
    """Return the row of the owner of the lock if it has one, else the newest of this machine, else the newest of all."""
    here = heartbeats.newest(db, config.hostname)
    if here is not None and (owner is None or _is_of(here, owner)):
        return here
    newest = heartbeats.newest(db)
    # It may go by another name of this machine than we do.
    is_wanted = here is None or (newest is not None and _is_of(newest, owner))
    return newest if is_wanted else here


def _living(config: Config, owner: Owner | None, row: Scheduler | None, now: datetime) -> SchedulerStatus:
    """Return the status while the lock is held."""
    if row is None or not _is_of(row, owner):
        return starting(config, owner)
    if row.stopping_at is not None or row.stopped_at is not None:
        since = row.stopping_at or row.stopped_at
        message = f"Stopping: {row.stop_reason}." if row.stop_reason else "Stopping."
        return _of_row(row, SchedulerState.STOPPING, message, since, was_stopped=True)
    return _working(config, row, now)


def starting(config: Config, owner: Owner | None) -> SchedulerStatus:
    """Return the status of a process that holds the lock and of which the database says nothing, or cannot be asked."""
    said = _pulse_of(config, owner.pid if owner else None, owner.boot_id if owner else "")
    age = said.age(current_boot_id(), clock.boot_time()) if said else None
    found = SchedulerStatus(
        SchedulerState.STARTING,
        "Starting: the first heartbeat is still to come.",
        pid=owner.pid if owner else None,
        host=config.hostname,
        tick_age=age,
        pulse=said,
    )
    if age is not None and pulse.is_silent(age):
        return dataclasses.replace(found, state=SchedulerState.STALLED, message=f"No tick for {_span(int(age))}.")
    if said is not None and said.words:
        return dataclasses.replace(found, message=f"Waiting: {said.words}.")
    return found


def _working(config: Config, row: Scheduler, now: datetime) -> SchedulerStatus:
    said = _pulse_of(config, row.pid, row.boot_id) if row.host == config.hostname else None
    age = said.age(current_boot_id(), clock.boot_time()) if said else None
    if age is None:
        # On another machine the row is all there is to go by.
        age, is_silent = (now - row.beat_at).total_seconds(), is_stalled(row.beat_at, now)
    else:
        is_silent = pulse.is_silent(age)
    if is_silent:
        found = _of_row(row, SchedulerState.STALLED, f"No tick for {_span(int(age))}.", row.beat_at)
        return dataclasses.replace(found, tick_age=age, pulse=said)
    where = "" if row.host == config.hostname else f" on {row.host}"
    late = f", but late: {said.words}" if said is not None and said.words else ""
    message = f"Running{where} since {_time(config, row.started_at)}{late}."
    found = _of_row(row, SchedulerState.RUNNING, message, row.started_at)
    return dataclasses.replace(found, tick_age=max(age, 0.0), pulse=said)


def _pulse_of(config: Config, pid: int | None, boot_id: str) -> Pulse | None:
    """Return what the process with that number has said last, None if this user may not read it or it has said nothing."""
    said = pulse.read(config)
    return said if said is not None and (said.pid, said.boot_id) == (pid, boot_id) else None


def _not_held(config: Config, row: Scheduler | None, now: datetime) -> SchedulerStatus:
    """Return the status while nobody holds the lock of this directory, or while this user may not know."""
    if row is None:
        return SchedulerStatus(SchedulerState.STOPPED, "Not started yet.")
    if row.stopped_at is not None:
        reason = row.stop_reason[:1].upper() + row.stop_reason[1:] or "Stopped"
        message = f"{reason} at {_time(config, row.stopped_at)}."
        return _of_row(row, SchedulerState.STOPPED, message, row.stopped_at, was_stopped=True)
    if row.host != config.hostname:
        if not is_stalled(row.beat_at, now):
            return _working(config, row, now)
        message = f"Not heard of since {_time(config, row.beat_at)}; it ran on {row.host}."
        return _of_row(row, SchedulerState.UNKNOWN, message, row.beat_at)
    if pidfile.is_alive(Owner(row.pid, row.start_ticks, row.boot_id)):
        # Another data directory on the same database, or a lock file that somebody has removed.
        return _working(config, row, now)
    message = f"Ended without a word: killed or crashed; last heartbeat {_time(config, row.beat_at)}."
    was_stopped = row.stopping_at is not None
    return _of_row(row, SchedulerState.STOPPED, message, row.beat_at, was_stopped=was_stopped)


def _of_row(
    row: Scheduler, state: SchedulerState, message: str, since: datetime | None, *, was_stopped: bool = False
) -> SchedulerStatus:
    return SchedulerStatus(
        state=state,
        message=message,
        since=since,
        pid=row.pid,
        host=row.host,
        user=row.user,
        version=row.version,
        environment=row.environment,
        session_id=row.session_id,
        incarnation=row.incarnation,
        started_at=row.started_at,
        beat_at=row.beat_at,
        running=row.running,
        was_stopped=was_stopped,
    )


def _is_of(row: Scheduler, owner: Owner | None) -> bool:
    """Return whether a row was written by the process that holds the lock."""
    if owner is None:
        # Nothing tells who holds it; the newest life that has not ended is the best guess.
        return row.stopped_at is None
    same_start = owner.start_ticks is None or (row.start_ticks, row.boot_id) == (owner.start_ticks, owner.boot_id)
    return row.pid == owner.pid and same_start


def _require_free(config: Config) -> None:
    """Raise AlreadyRunning or DamagedPIDFile if a scheduler could not start here."""
    owner = pidfile.find_owner(config)
    if pidfile.is_held(config):
        who = f" (PID {owner.pid})" if owner else ""
        raise AlreadyRunning(f"the scheduler is running already{who}")


def _require_running(config: Config) -> None:
    if pidfile.is_held(config) is False:
        raise NotRunning("the scheduler is not running")


def _require_owner(config: Config) -> Owner:
    _require_running(config)
    owner = pidfile.find_owner(config)
    if owner is None:
        # It may have ended, or started, between the two looks.
        _require_running(config)
        raise WatchbellError(f"the lock of {config.home} is held, but no PID file says by whom; try again in a moment")
    return owner


def _has_beaten(config: Config, db: Database, pid: int) -> bool:
    try:
        owner, _ = _find_owner(config)
        row = _find_row(config, db, owner)
    except Unavailable:
        # A database that is busy makes things late, not wrong.
        return False
    return row is not None and row.pid == pid and _is_of(row, owner)


def _note_stop(config: Config, db: Database, owner: Owner, actor: str) -> str | None:
    """Store who stops the scheduler and return its incarnation, None if it has no row yet."""
    try:
        row = _find_row(config, db, owner)
        if row is None or not _is_of(row, owner):
            return None
        reason = f"stopped by {actor}" if actor else "stopped"
        heartbeats.begin_stop(db, row.incarnation, now=clock.now(), reason=reason)
    except Unavailable:
        # The stop itself must not depend on the database; the scheduler stores it, too.
        return None
    return row.incarnation


def _still_running(db: Database, incarnation: str | None) -> int:
    try:
        row = heartbeats.find(db, incarnation) if incarnation else None
    except Unavailable:
        return 0
    return row.running if row else 0


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int | None]:
    """Give a pidfd of a process that was alive a moment ago, None if it has ended since."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    with _closing(descriptor):
        yield descriptor


def _ended(descriptor: int, timeout: float) -> bool:
    """Wait for the end of a process, at most so long; return whether it has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _signal(descriptor: int, number: signal.Signals, owner: Owner) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        # It has ended by itself meanwhile, which is what was wanted.
        return
    except PermissionError:
        raise WatchbellError(f"the scheduler (PID {owner.pid}) belongs to another user, who has to stop it") from None


def _time(config: Config, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(config.zone)):%Y-%m-%d %H:%M:%S %Z}"


def _span(seconds: int) -> str:
    """Return a length of time with one unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // (60 if unit == 'min' else size)} {unit}"
    return f"{seconds} s"
