"""Taking over what an earlier life of the scheduler has left: its commands run on, or have left their results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from watchbell.domain.run_state import RunState
from watchbell.execution import Bundle, Bundles, Limits, Process, cgroups, current_boot_id
from watchbell.execution.adoption import goes_on, refuse
from watchbell.execution.process import Census
from watchbell.execution.watcher import Watcher
from watchbell.scheduler.flights import Flight, Flights
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.reap import gone
from watchbell.services.adoption import Orphan
from watchbell.services.tickets import Result, Started, Ticket

log = logging.getLogger(__name__)


#: Tells which of some runs are held by calls of ``watchbell exec`` that live.
Held = Callable[[list[int]], Collection[int]]
#: Is told of runs whose commands go on but are none of this database's: their numbers are taken.
Avoid = Callable[[list[int]], object]


def adopt(
    orphans: list[Orphan],
    *,
    bundles: Bundles,
    watcher: Watcher,
    launcher: Launcher,
    flights: Flights,
    now: datetime,
    held: Held = lambda _run_ids: (),
    avoid: Avoid = lambda _run_ids: None,
) -> list[Result]:
    """Watch every run in flight that can still be followed and return the results of those that cannot.

    Files that belong to no run in flight hold results that were stored already, and are removed; those of runs in the
    foreground, of which ``held`` tells, are their calls' own. Raises Unavailable; called again, it goes on where it stood.
    """
    # First all marks, so that nothing starts any more; then one look at all processes does for all runs.
    census = Census()
    results = take_up(
        orphans, bundles=bundles, watcher=watcher, launcher=launcher, flights=flights, now=now, census=census
    )
    kept = {flight.bundle.name for flight in flights.values()}
    left = [bundle for bundle in bundles.list() if bundle.name not in kept]
    # Their rows were there before their files, so a look now misses none.
    foreign = set(held([int(bundle.run_id) for bundle in left if bundle.run_id.isdigit()])) if left else set()
    taken: list[int] = []
    for bundle in left:
        if bundle.run_id.isdigit() and int(bundle.run_id) in foreign:
            continue
        if goes_on(bundle, census):
            log.warning("Run %s goes on but is not in this database; its files are left alone", bundle.name)
            taken += [int(bundle.run_id)] if bundle.run_id.isdigit() else []
        else:
            bundles.remove(bundle)
    if taken:
        # Before anything is started: a run of that number would be taken for the command that goes on under it.
        avoid(taken)
    cgroups.remove_left_over(bundles.prefix, {bundle.name for bundle in bundles.list()})
    if orphans:
        log.info("Took over %d run(s) in flight from an earlier life", len(orphans))
    return results


def take_up(
    orphans: list[Orphan],
    *,
    bundles: Bundles,
    watcher: Watcher,
    launcher: Launcher,
    flights: Flights,
    now: datetime,
    census: Census | None = None,
) -> list[Result]:
    """Watch those of some runs in flight that can still be followed and return the results of the others."""
    results: list[Result] = []
    places = {orphan.ticket: _find_bundle(orphan, bundles) for orphan in orphans}
    census = census or Census()
    for orphan in orphans:
        key = (orphan.ticket.run_id, orphan.ticket.number)
        if key in flights:
            continue
        limits = launcher.limits(orphan.ticket)
        bundle = places[orphan.ticket]
        if bundle is None:
            job = launcher.job(orphan.ticket.task_id, orphan.ticket.task_version)
            started = _started(orphan, None)
            words = orphan.stale_words or "host rebooted"
            results.append(gone(orphan.ticket, orphan.state, started, words, job.policies, now))
            continue
        launcher.conceal(orphan.ticket, bundle)
        flights[key] = follow(orphan.ticket, orphan.state, bundle, watcher, limits, _process(orphan), census)
        if flights[key].started is None or orphan.attempt.started_at is not None:
            flights[key].started = _started(orphan, bundle)
        if orphan.state is RunState.CANCELLING:
            # Whoever had been asked to end it is gone, maybe before it could tell the command.
            watcher.cancel(key, "ended on request")
    return results


def follow(
    ticket: Ticket,
    state: RunState,
    bundle: Bundle,
    watcher: Watcher,
    limits: Limits,
    process: Process | None,
    census: Census,
) -> Flight:
    """Let the watcher take over an attempt, and return its flight with what is known of its start."""
    found = watcher.adopt((ticket.run_id, ticket.number), bundle, process, limits, census)
    meta = bundle.read_meta()
    started = None
    if found is not None and meta is not None and meta.started:
        at = datetime.fromtimestamp(meta.started, UTC)
        started = Started(ticket, bundle.path, found.pid, found.start_ticks, found.boot_id, at)
    return Flight(ticket, bundle, state, started, is_adopted=True)


def _find_bundle(orphan: Orphan, bundles: Bundles) -> Bundle | None:
    """Return where a run in flight was started; one that was not is kept from starting.

    An attempt whose row says "starting" without a mark was not launched, because the mark comes first; unless its files
    lay on tmpfs and were taken away, which its processes tell, or the host was rebooted since: then None. None as well of
    a row that is older than what has become of it: its mark may have been removed because its result was stored.
    """
    bundle = bundles.find(str(orphan.ticket.run_id), orphan.ticket.number)
    if bundle is None and not _was_reboot(orphan) and not orphan.stale_words:
        bundle = refuse(bundles, str(orphan.ticket.run_id), orphan.ticket.number)
    return bundle


def _was_reboot(orphan: Orphan) -> bool:
    before = orphan.attempt.boot_id or orphan.boot_id
    return before is not None and before != current_boot_id()


def _process(orphan: Orphan) -> Process | None:
    attempt = orphan.attempt
    if attempt.pid is None or attempt.start_ticks is None or attempt.boot_id is None:
        return None
    return Process(attempt.pid, attempt.start_ticks, attempt.boot_id)


def _started(orphan: Orphan, bundle: Bundle | None) -> Started | None:
    """Return what is known of the start: from the row, else from what was written into the folder before it."""
    attempt, process = orphan.attempt, _process(orphan)
    if attempt.started_at is not None and process is not None:
        return Started(
            orphan.ticket, attempt.folder, process.pid, process.start_ticks, process.boot_id, attempt.started_at
        )
    meta = bundle.read_meta() if bundle is not None else None
    if bundle is None or meta is None or not meta.started:
        return None
    return Started(orphan.ticket, bundle.path, None, None, meta.boot_id, datetime.fromtimestamp(meta.started, UTC))
