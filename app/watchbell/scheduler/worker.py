"""A worker of the engine: it carries runs of some queues on this machine, for schedulers that may be on others.

It is told of runs by the broker and claims them in the database, and from then on does as a scheduler does with its own:
the command goes on under a keeper that outlives it, and the next start on this data directory takes over what it left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from types import FrameType

from watchbell import clock, logs
from watchbell.config import Config
from watchbell.control import logfile, pidfile
from watchbell.domain.policies import build_policies
from watchbell.domain.run_state import RunState
from watchbell.engine.broker import place_of, require
from watchbell.engine.threads import Inbox, Listening
from watchbell.errors import EXIT_FAILURE, EXIT_OK, AlreadyRunning, ConfigError, Unavailable
from watchbell.execution import Watcher
from watchbell.execution.adoption import goes_on
from watchbell.execution.process import Census
from watchbell.scheduler import recovery
from watchbell.scheduler.carrying import Carrier, NoPlan, WorkerBeat, WorkerLead, WorkerLoop, WorkerSide
from watchbell.scheduler.loop import Tools
from watchbell.scheduler.people import People
from watchbell.scheduler.places import go_home, keep_collector_away, most_running, prepare_places
from watchbell.scheduler.vitals import Vitals
from watchbell.scheduler.watchdog import Watchdog
from watchbell.services import adoption, engine
from watchbell.services.adoption import Orphan
from watchbell.store import schema
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database, prepare_home

log = logging.getLogger(__name__)

_KEEPERS = 1
_BUSY_SECONDS = 2.0
_FINISH_SECONDS = 5.0
_LISTENERS_SECONDS = 2.0


def run(config: Config, *, queues: Sequence[str], name: str, drain_seconds: float) -> int:
    """Carry runs of some queues until told to stop and return the exit code.

    Raises AlreadyRunning for a second one of that name on a data directory, InputError for what cannot be a queue, and
    ConfigError when a start is impossible.
    """
    for queue in queues:
        build_policies({"queue": queue})
    if not config.broker:
        raise ConfigError("a worker of the engine is told of runs by a broker: set WATCHBELL_BROKER")
    require(config.broker)
    People(config.run_as).require()
    config = _own_place(config, name)
    prepare_home(config.home, config.database_url)
    os.umask(0o077)
    with _alone(config, name) as owner:
        logfile.make_folder(config.log_path)
        logs.configure_file(config.log_path, config.log_level, config.zone)
        if sys.stderr.isatty():
            logs.configure_console(config.log_level, config.zone)
        db = Database.open(
            config.database_url, single_connection=True, busy_timeout_seconds=_BUSY_SECONDS, box=SecretBox.of(config)
        )
        try:
            vitals = Vitals(config, db, owner)
            if not vitals.patiently(lambda: schema.serves(db), lambda: False):
                raise ConfigError(
                    "the database has not the schema of this version: start a scheduler or page of this version first"
                )
            return _Worker(config, db, owner, vitals, queues, drain_seconds).serve()
        finally:
            db.close()


def _own_place(config: Config, name: str) -> Config:
    """Return the settings of a worker, whose folders are its own and whose database and keys are the installation's."""
    return dataclasses.replace(
        config, home=config.home / name, encryption_key_file=str(config.encryption_key_path), log_dir=""
    )


@contextlib.contextmanager
def _alone(config: Config, name: str) -> Iterator[pidfile.Owner]:
    held = pidfile.hold(config)
    try:
        owner = held.__enter__()
    except AlreadyRunning:
        words = f"a worker named {name} works on this data directory already; give another one --name"
        raise AlreadyRunning(words) from None
    try:
        yield owner
    finally:
        held.__exit__(None, None, None)


class _Worker:
    """One life of a worker."""

    def __init__(
        self, config: Config, db: Database, owner: pidfile.Owner, vitals: Vitals, queues: Sequence[str], drain: float
    ) -> None:
        go_home()
        keep_collector_away()
        self._config = config
        self._db = db
        self._vitals = vitals
        self._bundles = prepare_places(config)
        seats = most_running(config)
        self._beat = WorkerBeat(db, config, owner, queues, seats)
        self._watcher = Watcher(self._bundles, config.output_path, keepers=_KEEPERS, tell=vitals.note_keeper)
        plan = NoPlan(config.hostname)
        self._launcher = Carrier(db, config, self._bundles, self._watcher, plan, People(config.run_as))
        side = WorkerSide(db)
        tools = Tools(
            db=db,
            bundles=self._bundles,
            watcher=self._watcher,
            launcher=self._launcher,
            plan=plan,
            beat=self._beat,
            lead=WorkerLead(db, self._beat, plan, vitals),
            chores=side,
            vitals=vitals,
            host=config.hostname,
            max_running=seats,
            output_root=config.output_path,
            role="worker",
        )
        self._inbox = Inbox(seats)
        self._loop = WorkerLoop(tools, self._beat, self._inbox, drain)
        self._loop.draining = self._tell_draining
        self._inbox.ring = self._loop.ring
        side.flights = self._loop.flights.values
        places = [place_of(queue, host) for queue in queues for host in ("", config.hostname)]
        self._listeners = [Listening(config.broker, place, self._inbox) for place in places]
        self._beat.trouble = lambda: next((one.trouble for one in self._listeners if one.trouble), "")
        vitals.beaten_at = lambda: self._beat.beaten_at
        self._queues = queues

    def serve(self) -> int:
        watchdog = Watchdog(
            lambda: self._vitals.turned_at,
            {"the watcher of processes": self._watcher.is_alive, "the clock": self._loop.is_clock_alive},
        )
        with _signals(self._loop):
            self._watcher.start()
            try:
                self._vitals.patiently(self._beat.begin, self._loop.is_stopping)
                self._vitals.incarnation = self._beat.incarnation
                log.info("Worker started (PID %d, queues %s)", os.getpid(), ", ".join(self._queues))
                self._recover()
                for listener in self._listeners:
                    listener.start()
                self._loop.run(watchdog.watching())
                return self._end()
            except Unavailable as error:
                log.info("Worker stopped while it waited: %s", error)
                return EXIT_OK
            except ConfigError:
                raise
            except Exception:
                log.exception("The worker has failed and ends; its commands run on")
                return EXIT_FAILURE
            finally:
                self._inbox.close()
                for listener in self._listeners:
                    listener.join(_LISTENERS_SECONDS)
                self._watcher.stop()
                self._bundles.leave()
                watchdog.stop()

    def _recover(self) -> None:
        """Take over what an earlier life of this worker has left, if its lease has not ended meanwhile.

        Commands whose runs were judged meanwhile are ended; what those or their results say is reported late.
        """
        take = partial(
            adoption.take_over,
            self._db,
            holder=self._beat.incarnation,
            host=self._config.hostname,
            now=clock.now(),
            actor=f"worker@{self._config.hostname}",
        )
        orphans = self._vitals.patiently(take, self._loop.is_stopping)
        self._vitals.patiently(partial(self._end_strays, orphans), self._loop.is_stopping)
        adopt = partial(
            recovery.adopt,
            orphans,
            bundles=self._bundles,
            watcher=self._watcher,
            launcher=self._launcher,
            flights=self._loop.flights,
            now=clock.now(),
        )
        self._loop.add_results(self._vitals.patiently(adopt, self._loop.is_stopping))

    def _end_strays(self, orphans: Sequence[Orphan]) -> None:
        """Follow what was left of runs that were judged while no worker was here, and end what of it goes on."""
        own = {(orphan.ticket.run_id, orphan.ticket.number) for orphan in orphans}
        left = [bundle for bundle in self._bundles.list() if bundle.run_id.isdigit()]
        left = [bundle for bundle in left if (int(bundle.run_id), bundle.attempt) not in own]
        if not left:
            return
        tickets = engine.list_tickets(self._db, [(int(bundle.run_id), bundle.attempt) for bundle in left])
        census = Census()
        for bundle in left:
            key = (int(bundle.run_id), bundle.attempt)
            if key not in tickets or key in self._loop.flights:
                continue
            limits = self._launcher.limits(tickets[key])
            self._launcher.conceal(tickets[key], bundle)
            if goes_on(bundle, census):
                log.warning("Run %d goes on although it was given up; its command is ended", key[0])
            flight = recovery.follow(tickets[key], RunState.RUNNING, bundle, self._watcher, limits, None, census)
            self._loop.flights[key] = flight
            self._watcher.cancel(key, "its run was judged while its worker was gone")

    def _tell_draining(self) -> None:
        log.info("Worker takes no more runs; %d command(s) go on", len(self._loop.flights))
        engine.end(self._db, self._beat.incarnation, now=clock.now(), running=len(self._loop.flights), is_over=False)

    def _end(self) -> int:
        deadline = clock.monotonic() + _FINISH_SECONDS

        def is_late() -> bool:
            return clock.monotonic() > deadline

        try:
            self._vitals.patiently(self._loop.finish, is_late)
            left = len(self._loop.flights)
            end = partial(engine.end, self._db, self._beat.incarnation, now=clock.now(), running=left, is_over=True)
            self._vitals.patiently(end, is_late)
        except Unavailable as error:
            log.warning("The end could not be written down: %s", error)
            return EXIT_FAILURE
        log.info("Worker stopped (%s); %d command(s) run on", self._loop.stop_reason, left)
        return EXIT_OK


@contextlib.contextmanager
def _signals(loop: WorkerLoop) -> Iterator[None]:
    """Let TERM and INT begin a drain, and a second one end that."""

    def stop(number: int, _frame: FrameType | None) -> None:
        loop.drain(f"asked to stop by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
