"""Program 2: the scheduler process, from its lock to its last row."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from types import FrameType

from watchbell import clock, logs
from watchbell.config import Config
from watchbell.control import calls, logfile, own_user, pidfile, pulse
from watchbell.domain.incidents import IncidentKind
from watchbell.engine.broker import require
from watchbell.errors import EXIT_FAILURE, EXIT_OK, ConfigError, Unavailable
from watchbell.execution import Bundles, Watcher
from watchbell.execution.limits import describe_limits
from watchbell.scheduler import recovery, start_checks
from watchbell.scheduler.abandoned import AbandonedWatch, take_abandoned
from watchbell.scheduler.beat import Beat
from watchbell.scheduler.chores import Chores
from watchbell.scheduler.fleet_watch import FleetWatch
from watchbell.scheduler.herald import Herald
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.leadership import Leadership
from watchbell.scheduler.loop import Loop, Tools
from watchbell.scheduler.people import People
from watchbell.scheduler.places import go_home, keep_collector_away, most_running, prepare_places
from watchbell.scheduler.plan import Plan
from watchbell.scheduler.sidework import Sidework
from watchbell.scheduler.vitals import Vitals
from watchbell.scheduler.watchdog import Watchdog
from watchbell.services import adoption, clock_changes, heartbeats, incidents, restores
from watchbell.services.retention import Rules
from watchbell.store import schema
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database, prepare_home

log = logging.getLogger(__name__)

#: To make a process blocks who makes it until it is its own program; while one keeper waits, the other one works.
_KEEPERS = 2
#: How long one statement waits for another writer. The loop tries again by itself and must hear a stop meanwhile.
_BUSY_SECONDS = 2.0
#: How long the last rows are tried to be written when the database does not answer at the end.
_FINISH_SECONDS = 5.0


def run(config: Config) -> int:
    """Be the scheduler until told to stop and return the exit code.

    Raises AlreadyRunning with the owner's PID for a second one, and ConfigError when a start is impossible.
    """
    said = pulse.read(config)
    start_checks.require_file(config, said)
    People(config.run_as).require()
    prepare_home(config.home, config.database_url)
    os.umask(0o077)
    with pidfile.hold(config) as owner:
        logfile.make_folder(config.log_path)
        logs.configure_file(config.log_path, config.log_level, config.zone)
        if sys.stderr.isatty():
            logs.configure_console(config.log_level, config.zone)
        db = Database.open(
            config.database_url,
            single_connection=True,
            busy_timeout_seconds=_BUSY_SECONDS,
            box=SecretBox.of(config),
        )
        vitals = Vitals(config, db, owner, said)
        try:
            vitals.patiently(lambda: start_checks.require_whole(db), lambda: False)
            is_upgraded = not vitals.patiently(lambda: schema.upgrade(db), lambda: False).is_current
            vitals.patiently(
                lambda: start_checks.require_rows(config, db, said, is_upgraded=is_upgraded), lambda: False
            )
            return _serve(config, db, owner, vitals)
        finally:
            db.close()


def _serve(config: Config, db: Database, owner: pidfile.Owner, vitals: Vitals) -> int:
    go_home()
    keep_collector_away()
    bundles = prepare_places(config)
    beat = Beat(db, config, owner)
    watcher = Watcher(bundles, config.output_path, keepers=_KEEPERS, tell=vitals.note_keeper)
    vitals.incarnation, vitals.beaten_at = beat.incarnation, lambda: beat.beaten_at
    plan = Plan(config.hostname, vitals.timekeeper)
    lead = Leadership(db, beat, plan, vitals)
    launcher = Launcher(db, config, bundles, watcher, plan, People(config.run_as))
    tools = Tools(
        db=db,
        bundles=bundles,
        watcher=watcher,
        launcher=launcher,
        plan=plan,
        beat=beat,
        lead=lead,
        chores=_sidework(db, config, lead),
        vitals=vitals,
        host=config.hostname,
        max_running=most_running(config),
        output_root=config.output_path,
    )
    loop = Loop(tools)
    _watch_others(loop, tools, config)
    watchdog = Watchdog(
        lambda: vitals.turned_at, {"the watcher of processes": watcher.is_alive, "the clock": loop.is_clock_alive}
    )
    watchdog.last_words = partial(_last_words, config, owner, beat.incarnation)
    with _signals(loop):
        watcher.start()
        try:
            _greet(db, vitals, lead, beat.incarnation, loop, config.hostname)
            log.info(
                "Scheduler started (PID %d, %s@%s, home %s)", os.getpid(), config.user, config.hostname, config.home
            )
            log.info("On this machine: %s", describe_limits())
            for words in own_user.warnings(config):
                log.log(logging.WARNING if words == own_user.AS_ROOT else logging.INFO, "Note: %s", words)
            _recover(loop, db, config, beat, vitals, bundles=bundles, watcher=watcher, launcher=launcher)
            loop.run(watchdog.watching())
            return _end(loop, db, beat, vitals)
        except Unavailable as error:
            # Only a stop lets the start give up waiting; what was taken over so far is taken over again.
            log.info("Scheduler stopped while it waited (%s): %s", loop.stop_reason, error)
            return EXIT_OK
        except ConfigError:
            # Whoever has started this says it, in one line.
            raise
        except Exception as error:
            log.exception("The scheduler has failed and ends; its commands run on")
            message = f"The scheduler has failed and ended: {type(error).__name__}. Its commands run on."
            vitals.tell_now(IncidentKind.FAILED, message)
            return EXIT_FAILURE
        finally:
            watcher.stop()
            bundles.leave()
            watchdog.stop()


def _sidework(db: Database, config: Config, lead: Leadership) -> Sidework:
    rules, actor = Rules.of(config), f"scheduler@{config.hostname}"
    chores = Chores(lead.database, rules, config.output_path, actor=actor, own=db, leads=lambda: lead.leads)
    return Sidework(chores, FleetWatch(lead.database), lead)


def _watch_others(loop: Loop, tools: Tools, config: Config) -> None:
    """Let runs come to the loop whose calls of ``watchbell exec`` are gone, and be announced to workers of the engine."""
    if config.broker:
        require(config.broker)
    tools.chores.herald = Herald(
        tools.db,
        config.broker,
        config.hostname,
        policies=lambda task_id, version: tools.launcher.job(task_id, version).policies,
        actor=f"scheduler@{config.hostname}",
        holder=tools.beat.incarnation,
    )
    take = partial(
        take_abandoned,
        tools.db,
        config,
        holder=tools.beat.incarnation,
        actor=f"scheduler@{config.hostname}",
        bundles=tools.bundles,
        watcher=tools.watcher,
        launcher=tools.launcher,
        flights=loop.flights,
    )
    tools.chores.abandoned = AbandonedWatch(take, loop.add_results)


def _greet(db: Database, vitals: Vitals, lead: Leadership, incarnation: str, loop: Loop, host: str) -> None:
    """Store the first beat, after having looked whether the clock shows an earlier time than the last life saw."""

    def look_at_clock() -> str:
        return clock_changes.notice(db, host=host, incarnation=incarnation, now=clock.now())

    words = vitals.patiently(look_at_clock, loop.is_stopping)
    if words:
        log.warning("%s", words)
    vitals.patiently(vitals.read_passes, loop.is_stopping)
    vitals.patiently(lead.begin, loop.is_stopping)
    vitals.make_reserve()


def _last_words(config: Config, owner: pidfile.Owner, incarnation: str, reason: str) -> None:
    """Write down why the watchdog ends this process, on a connection that nobody else holds."""
    db = Database.open(config.database_url, busy_timeout_seconds=1.0)
    try:
        message = f"The watchdog has ended the scheduler (PID {owner.pid}): {reason}. Its commands run on."
        kind = IncidentKind.WATCHDOG
        incidents.add(db, kind, message, at=clock.now(), host=config.hostname, incarnation=incarnation)
    except Unavailable as error:
        log.warning("That could not be written down: %s", error)
    finally:
        db.close()


def _recover(
    loop: Loop,
    db: Database,
    config: Config,
    beat: Beat,
    vitals: Vitals,
    *,
    bundles: Bundles,
    watcher: Watcher,
    launcher: Launcher,
) -> None:
    is_alive = partial(calls.is_alive, config)
    actor = f"scheduler@{config.hostname}"
    orphans = vitals.patiently(
        lambda: adoption.take_over(
            db,
            holder=beat.incarnation,
            host=config.hostname,
            now=clock.now(),
            actor=actor,
            owns_database=config.owns_database,
            is_alive=is_alive,
        ),
        loop.is_stopping,
    )
    loop.add_results(
        vitals.patiently(
            lambda: recovery.adopt(
                orphans,
                bundles=bundles,
                watcher=watcher,
                launcher=launcher,
                flights=loop.flights,
                now=clock.now(),
                held=lambda run_ids: adoption.list_held(db, run_ids, is_alive),
                avoid=lambda run_ids: restores.avoid_numbers(db, run_ids, now=clock.now(), actor=actor),
            ),
            loop.is_stopping,
        )
    )


def _end(loop: Loop, db: Database, beat: Beat, vitals: Vitals) -> int:
    """Write the last rows; commands that still run go on under their keeper and are taken over by the next start."""
    deadline = clock.monotonic() + _FINISH_SECONDS

    def is_over() -> bool:
        return clock.monotonic() > deadline

    try:
        vitals.patiently(
            lambda: heartbeats.begin_stop(db, beat.incarnation, now=clock.now(), reason=loop.stop_reason), is_over
        )
        vitals.patiently(loop.finish, is_over)
        running = len(loop.flights)
        vitals.patiently(lambda: heartbeats.end(db, beat.incarnation, now=clock.now(), running=running), is_over)
    except Unavailable as error:
        log.warning("The end could not be written down: %s", error)
        return EXIT_FAILURE
    log.info("Scheduler stopped (%s); %d command(s) run on", loop.stop_reason, len(loop.flights))
    return EXIT_OK


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
