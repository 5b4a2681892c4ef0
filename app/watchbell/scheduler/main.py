"""Program 2: the scheduler process, from its lock to its last row."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from watchbell import clock, logs
from watchbell.config import MIB, Config
from watchbell.control import pidfile
from watchbell.errors import EXIT_FAILURE, EXIT_OK, Unavailable
from watchbell.execution import Bundles, Watcher, runtime_root
from watchbell.scheduler import recovery
from watchbell.scheduler.beat import Beat
from watchbell.scheduler.chores import Chores
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.loop import Loop, Tools
from watchbell.scheduler.plan import Plan
from watchbell.services import adoption, heartbeats
from watchbell.services.retention import Rules
from watchbell.store import schema
from watchbell.store.session import Database, prepare_home

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Files that the scheduler holds open for itself, and for each command at the most.
_OWN_FILES = 32
_FILES_PER_RUN = 4

#: How long one statement waits for another writer. The loop tries again by itself and must hear a stop meanwhile.
_BUSY_SECONDS = 2.0
#: How long the last rows are tried to be written when the database does not answer at the end.
_FINISH_SECONDS = 5.0


def run(config: Config) -> int:
    """Be the scheduler until told to stop and return the exit code.

    Raises AlreadyRunning with the owner's PID for a second one, and ConfigError when a start is impossible.
    """
    prepare_home(config.home, config.database_url)
    os.umask(0o077)
    with pidfile.hold(config) as owner:
        logs.configure_file(config.log_path, config.log_level, config.zone)
        if sys.stderr.isatty():
            logs.configure_console(config.log_level, config.zone)
        db = Database.open(config.database_url, single_connection=True, busy_timeout_seconds=_BUSY_SECONDS)
        try:
            _patiently(lambda: schema.upgrade(db), lambda: False)
            return _serve(config, db, owner)
        finally:
            db.close()


def _serve(config: Config, db: Database, owner: pidfile.Owner) -> int:
    _go_home()
    bundles = Bundles(
        runtime_root(config.home, config.runtime_dir), config.home / "active", config.runtime_limit_mib * MIB
    )
    bundles.prepare()
    config.output_path.mkdir(mode=0o700, exist_ok=True)
    beat = Beat(db, config, owner)
    watcher = Watcher(bundles, config.output_path)
    plan = Plan(config.hostname)
    launcher = Launcher(db, config, bundles, watcher, plan)
    loop = Loop(
        Tools(
            db=db,
            bundles=bundles,
            watcher=watcher,
            launcher=launcher,
            plan=plan,
            beat=beat,
            chores=Chores(db, Rules.of(config), config.output_path, actor=f"scheduler@{config.hostname}"),
            host=config.hostname,
            max_running=_max_running(config),
            output_root=config.output_path,
        )
    )
    with _signals(loop):
        watcher.start()
        try:
            _patiently(beat.begin, loop.is_stopping)
            log.info(
                "Scheduler started (PID %d, %s@%s, home %s)", os.getpid(), config.user, config.hostname, config.home
            )
            _recover(loop, db, config, beat, bundles=bundles, watcher=watcher, launcher=launcher)
            loop.run()
            return _end(loop, db, beat)
        except Unavailable as error:
            # Only a stop lets the start give up waiting; what was taken over so far is taken over again.
            log.info("Scheduler stopped while it waited (%s): %s", loop.stop_reason, error)
            return EXIT_OK
        except Exception:
            log.exception("The scheduler has failed and ends; its commands run on")
            return EXIT_FAILURE
        finally:
            watcher.stop()
            bundles.leave()


def _max_running(config: Config) -> int:
    """Return how many commands may run at a time: what is wished, as far as this process may open files for them."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, (soft - _OWN_FILES) // _FILES_PER_RUN)
    if possible < config.max_running:
        log.warning(
            "Only %d commands run at a time instead of %d: no more files may be open", possible, config.max_running
        )
    return min(possible, config.max_running)


def _go_home() -> None:
    """Leave the directory that it was started in; commands without one of their own run in the user's home, as in cron."""
    try:
        os.chdir(Path.home())
    except (OSError, RuntimeError):
        os.chdir("/")


def _recover(
    loop: Loop, db: Database, config: Config, beat: Beat, *, bundles: Bundles, watcher: Watcher, launcher: Launcher
) -> None:
    orphans = _patiently(
        lambda: adoption.take_over(
            db,
            holder=beat.incarnation,
            host=config.hostname,
            now=clock.now(),
            actor=f"scheduler@{config.hostname}",
            owns_database=config.owns_database,
        ),
        loop.is_stopping,
    )
    loop.add_results(
        _patiently(
            lambda: recovery.adopt(
                orphans, bundles=bundles, watcher=watcher, launcher=launcher, flights=loop.flights, now=clock.now()
            ),
            loop.is_stopping,
        )
    )


def _end(loop: Loop, db: Database, beat: Beat) -> int:
    """Write the last rows; commands that still run go on under their shims and are taken over by the next start."""
    deadline = clock.monotonic() + _FINISH_SECONDS

    def is_over() -> bool:
        return clock.monotonic() > deadline

    try:
        _patiently(
            lambda: heartbeats.begin_stop(db, beat.incarnation, now=clock.now(), reason=loop.stop_reason), is_over
        )
        _patiently(loop.finish, is_over)
        running = len(loop.flights)
        _patiently(lambda: heartbeats.end(db, beat.incarnation, now=clock.now(), running=running), is_over)
    except Unavailable as error:
        log.warning("The end could not be written down: %s", error)
        return EXIT_FAILURE
    log.info("Scheduler stopped (%s); %d command(s) run on", loop.stop_reason, len(loop.flights))
    return EXIT_OK


def _patiently(call: Callable[[], T], is_enough: Callable[[], bool]) -> T:
    """Return what a call returns, trying again while the database does not answer, until it is enough."""
    told = False
    while True:
        try:
            return call()
        except Unavailable as error:
            if is_enough():
                raise
            if not told:
                log.warning("Waiting: %s", error)
                told = True
            clock.pause(0.5)


@contextlib.contextmanager
def _signals(loop: Loop) -> Iterator[None]:
    """Let TERM and INT end the loop in good order; a second one changes nothing, since the end is short already."""

    def stop(number: int, _frame: FrameType | None) -> None:
        loop.stop(f"asked to stop by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
