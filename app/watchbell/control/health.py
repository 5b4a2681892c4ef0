"""Whether all is well, in one picture for the page, monitors and the command line: the scheduler, its loop and its database."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchbell.config import Config
from watchbell.control import pidfile, process
from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import STALL_SECONDS, SchedulerState
from watchbell.errors import DatabaseDamaged, DatabaseTrouble, Unavailable, WatchbellError
from watchbell.services import engine, incidents
from watchbell.store import hearing
from watchbell.store.hearing import Way
from watchbell.store.incidents import Incident
from watchbell.store.session import Database

#: Incidents that are younger than this belong to the picture of now.
RECENT = timedelta(hours=24)
_LISTED = 5
#: A server tells of a change within milliseconds; whoever asks for the picture does not wait longer for it than this.
_HEARING_SECONDS = 0.25
#: A lock passes, as a rule before anybody looks; a full or missing disk does not.
_PATIENCE = {DatabaseTrouble.LOCKED: timedelta(seconds=10), DatabaseTrouble.SILENT: timedelta(seconds=5)}


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """The state of an installation at one moment."""

    #: False as soon as somebody should look.
    is_well: bool
    scheduler: SchedulerStatus
    #: What is wrong with the database, as this program or the scheduler sees it; None if nothing is.
    trouble: DatabaseTrouble | None = None
    #: Each thing that is wrong, in a sentence for people.
    sentences: Sequence[str] = ()
    #: Since when the database does not do its work, where that is known.
    troubled_since: datetime | None = None
    #: How changes that others make are heard of, None while the database does not answer.
    changes: Way | None = None
    #: What has happened lately, the newest first.
    incidents: Sequence[Incident] = ()
    #: What is wrong with the engine, in sentences; None while it carries no queue.
    engine: Sequence[str] | None = None

    @property
    def engine_word(self) -> str:
        """Return one word for machines: ``ok``, ``late``, or ``unused`` while it carries no queue."""
        return "unused" if self.engine is None else "late" if self.engine else "ok"

    @property
    def database(self) -> str:
        """Return one word for machines: ``ok`` or the trouble."""
        return str(self.trouble or "ok")

    @property
    def tick_age(self) -> float | None:
        """Return the seconds since the scheduler's loop turned last, None if nothing is known of it."""
        return self.scheduler.tick_age


def look(config: Config, db: Database, *, now: datetime, status: SchedulerStatus | None = None) -> Health:
    """Return the picture; a database that does not answer is a part of it and no error."""
    listed: list[Incident] = []
    trouble: DatabaseTrouble | None = None
    words, since, changes = "", None, None
    carried: Sequence[str] | None = None
    try:
        status = status or process.status(config, db, now=now)
        listed = incidents.list_newest(db, _LISTED, since=now - RECENT)
        carried = engine.find_trouble(db, now=now)
        changes = hearing.way(db, patience_seconds=_HEARING_SECONDS)
    except Unavailable as error:
        trouble, words = error.trouble, error.message
    except DatabaseDamaged:
        # Its own words name the file, which is for the log and not for whoever looks at a page.
        trouble, words = DatabaseTrouble.DAMAGED, "the database is damaged; the scheduler's log tells what to do"
    status = status or without_database(config)
    said = status.pulse
    if trouble is None and said is not None and said.kind is not None and status.is_alive:
        trouble, words, since = said.kind, said.words, said.troubled_since
    sentences = []
    is_serious = trouble is not None and _is_serious(trouble, since, now)
    if trouble is not None:
        sentences.append(f"{words[:1].upper()}{words[1:].rstrip('.')}.")
    has_failed = _has_failed(status)
    if has_failed:
        sentences.append(status.message)
    sentences += carried or ()
    return Health(
        is_well=not (is_serious or has_failed or carried),
        scheduler=status,
        trouble=trouble,
        sentences=tuple(dict.fromkeys(sentences)),
        troubled_since=since,
        changes=changes,
        incidents=listed,
        engine=carried,
    )


def without_database(config: Config) -> SchedulerStatus:
    """Return what can be said of the scheduler while the database cannot be asked."""
    owner = None
    # A damaged PID file only leaves open who it is.
    with contextlib.suppress(WatchbellError):
        owner = pidfile.find_owner(config)
    if not pidfile.is_held(config):
        return SchedulerStatus(SchedulerState.UNKNOWN, "Nobody can tell without the database.")
    found = process.starting(config, owner)
    if found.state is not SchedulerState.STARTING:
        return found
    message = f"Its process lives, and turned its loop {found.tick_age or 0:.0f} s ago."
    return dataclasses.replace(found, state=SchedulerState.RUNNING, message=message)


def _is_serious(trouble: DatabaseTrouble, since: datetime | None, now: datetime) -> bool:
    """Return whether a trouble is more than a short wait; one that this program has met itself always is."""
    return since is None or now - since >= _PATIENCE.get(trouble, timedelta())


def _has_failed(status: SchedulerStatus) -> bool:
    """Return whether the scheduler is in a state that nobody wanted: it hangs, or it is gone without having ended."""
    if status.state is SchedulerState.STOPPED:
        return status.started_at is not None and not status.was_stopped
    if status.state is SchedulerState.STARTING:
        return status.tick_age is not None and status.tick_age > STALL_SECONDS
    return status.state in {SchedulerState.STALLED, SchedulerState.UNKNOWN}
