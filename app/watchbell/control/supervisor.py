"""Keeping a scheduler going: one that died is started again, one that somebody stopped is not.

A step takes milliseconds and never waits, so that a web server can take one between its own duties.
"""

from __future__ import annotations

import logging
import os
import select
import shlex
import signal
from collections.abc import Callable
from datetime import datetime

from watchbell import clock
from watchbell.config import Config
from watchbell.control import logfile, pidfile, process
from watchbell.control.detached import spawn, why_it_ended
from watchbell.control.process import SchedulerStatus
from watchbell.errors import DatabaseDamaged, NotRunning, Unavailable, WatchbellError
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: A scheduler that lived so long did not die of how it was started.
_SETTLED_SECONDS = 60.0
_LONGEST_DELAY_SECONDS = 60.0
_BUSY_SECONDS = 1.0
_END_SECONDS = 10.0


class Supervisor:
    """Watches over the scheduler of one data directory."""

    def __init__(self, config: Config, tell: Callable[[str], None]) -> None:
        self._config = config
        self._tell = tell
        self._child: _Child | None = None
        self._has_begun = False
        #: The scheduler that ran before, which is left as it was found.
        self._found: pidfile.Owner | None = None
        self._started_at = 0.0
        self._delay = 0.0
        #: When to start again; None while nothing has to be started.
        self._due_at: float | None = None

    @property
    def has_found(self) -> bool:
        """Return whether a scheduler ran already at the beginning."""
        return self._found is not None

    def begin(self) -> None:
        """Start a scheduler unless one runs already; raises ConfigError if the PID file holds garbage."""
        owner = pidfile.find_owner(self._config)
        self._has_begun = True
        if pidfile.is_held(self._config):
            status = self._status()
            self._found = owner
            self._tell(
                f"The scheduler runs already (PID {status.pid if status else 'unknown'}) and is left running at the end."
            )
        else:
            self._spawn()

    def step(self) -> None:
        """Look once and start the scheduler again if it died and its time has come."""
        try:
            self._look()
        except Exception:
            # Whatever is wrong with the scheduler must not take the page down that would show it.
            log.exception("Looking after the scheduler has failed")

    def _look(self) -> None:
        if pidfile.is_held(self._config) or (self._child is not None and self._child.is_alive()):
            self._due_at = None
            return
        if self._due_at is None:
            reason = self._why_dead()
            if reason is None:
                return
            self._plan(reason)
        if self._due_at is not None and clock.monotonic() >= self._due_at:
            self._spawn()

    def end(self) -> None:
        """Stop the scheduler, unless it ran before, and say what is still running."""
        if not self._has_begun:
            return
        if self._is_found():
            self._tell(f"The scheduler ran before and goes on; to stop it, too: {self._how_to_stop()}")
            return
        db = self._open()
        try:
            outcome = process.stop(self._config, db, actor=self._config.user)
            self._tell(outcome.message)
        except WatchbellError as error:
            if self._child is not None and self._child.is_alive():
                # It has not come as far as its PID file, so there is nothing yet that it could leave undone.
                self._child.end(_END_SECONDS)
            if self._child is not None and self._child.is_alive():
                self._tell(f"The scheduler is left behind: {error.message}.")
            elif not isinstance(error, NotRunning):
                self._tell(f"The scheduler: {error.message}.")
        finally:
            db.close()

    def _is_found(self) -> bool:
        """Return whether the scheduler that runs is the one that was found at the beginning."""
        if self._found is None or not pidfile.is_held(self._config):
            return False
        try:
            return pidfile.find_owner(self._config) == self._found
        except WatchbellError:
            # Whoever has written over the PID file since was not there then.
            return False

    def _how_to_stop(self) -> str:
        return f"watchbell --home {shlex.quote(str(self._config.home))} scheduler stop"

    def _spawn(self) -> None:
        self._due_at = None
        self._started_at = clock.monotonic()
        if self._child is not None:
            self._child.close()
        self._child = None
        log_offset, spawned_at = logfile.size(self._config.log_path), clock.now()
        try:
            self._child = _Child(spawn(self._config), log_offset, spawned_at)
        except WatchbellError as error:
            self._plan(error.message)

    def _plan(self, reason: str) -> None:
        """Decide when to start again: at once, but with ever longer pauses if it keeps dying young."""
        now = clock.monotonic()
        settled = now - self._started_at >= _SETTLED_SECONDS
        self._delay = 0.0 if settled else min(_LONGEST_DELAY_SECONDS, max(1.0, self._delay * 2))
        self._due_at = now + self._delay
        when = f"in {self._delay:g} s" if self._delay else "now"
        self._tell(f"The scheduler is down: {reason.rstrip('.')}. It is started again {when}.")

    def _why_dead(self) -> str | None:
        """Return why nothing runs although something should; None if somebody stopped it or nobody can tell."""
        status = self._status()
        if status is None or status.is_alive:
            return None
        child = self._child
        if child is not None and (status.started_at is None or status.started_at < child.spawned_at):
            # Ours has ended without having come as far as a row.
            return why_it_ended(self._config, child.pid, child.log_offset).message
        if status.was_stopped:
            return None
        return status.message

    def _status(self) -> SchedulerStatus | None:
        db = self._open()
        try:
            return process.status(self._config, db, now=clock.now())
        except (Unavailable, DatabaseDamaged):
            # Such a database says nothing about the scheduler; the next step asks again, and a backup may be there by then.
            return None
        finally:
            # Nothing may be open when a web server forks its next worker.
            db.close()

    def _open(self) -> Database:
        return Database.open(self._config.database_url, busy_timeout_seconds=_BUSY_SECONDS)


class _Child:
    """A scheduler that we have started, known by a descriptor that cannot come to mean another process."""

    def __init__(self, pid: int, log_offset: int, spawned_at: datetime) -> None:
        self.pid = pid
        self.log_offset = log_offset
        self.spawned_at = spawned_at
        try:
            self._descriptor: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = None

    def is_alive(self) -> bool:
        return self._descriptor is not None and not self._wait(0)

    def end(self, timeout: float) -> None:
        if self._descriptor is None:
            return
        try:
            signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
        except ProcessLookupError:
            # It has just ended by itself.
            return
        self._wait(timeout)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait(self, timeout: float) -> bool:
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
