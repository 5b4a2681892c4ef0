"""What is done about a database in whose place an older copy of itself was put.

Such a ledger does not know what has run since the copy was made. What it takes for not begun may have run, so nothing of
that is started without a person: what waits is missed, what it takes for running is lost unless its process or its result is
there, and moments that came between the copy and its restore are missed, each with a reason that names the copy. A task
that may be repeated (``uncertain`` is ``run_again``) goes on by its own policies. What was written since is told by marks
outside the database: the pulse of the scheduler beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from watchbell.domain.incidents import Gap, IncidentKind
from watchbell.domain.policies import Policies, Uncertain
from watchbell.domain.run_state import RunState
from watchbell.services import transitions
from watchbell.services.incidents import KEPT
from watchbell.services.lives import lives_of
from watchbell.store import heartbeats, numbers, runs
from watchbell.store import incidents as store
from watchbell.store import tasks as task_store
from watchbell.store.incidents import Incident
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session

#: Numbers that are left free behind the newest one that is known to have been given since the copy was made.
_SPARE = 1000
#: The same where nothing is known of that.
_SPARE_UNKNOWN = 100_000
#: Whoever follows events remembers the last number that it has seen.
_SPARE_EVENTS = 10_000_000
_LOOKED_AT = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """What is known outside the database about the rows that were in it."""

    #: Which life of the scheduler has written last, and its last beat that was durable.
    incarnation: str
    beat_at: datetime
    #: The highest number that a run had.
    newest_run: int


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What was found and done when a copy was accepted."""

    #: The newest that the copy knows of.
    copied_at: datetime
    #: Runs that waited and are not started.
    missed: int
    message: str


def is_older(db: Database, mark: Mark) -> bool:
    """Return whether rows are gone that were durable: the database is an older copy, or has lost its newest part."""
    with db.read() as session:
        life = heartbeats.find_scheduler(session, mark.incarnation)
        if life is None or life.beat_at < mark.beat_at:
            return True
        return numbers.newest_run(session) < mark.newest_run


def newest_run(db: Database) -> int:
    """Return the highest number that a run has had."""
    with db.read() as session:
        return numbers.newest_run(session)


def has_worked(db: Database, *, home: str, owns_database: bool) -> datetime | None:
    """Return the last beat in the database of a scheduler of this data directory, None if there never was one."""
    with db.read() as session:
        return _copied_at(session, home, owns_database=owns_database)


def is_accepted(db: Database, mark: Mark) -> bool:
    """Return whether a person has said that this copy is to be worked with, although those rows are gone."""
    with db.read() as session:
        return any(found.data.get("gone") == _name(mark) for found in _restores(session))


def accept(
    db: Database, mark: Mark | None, *, home: str, owns_database: bool, now: datetime, host: str, actor: str
) -> Accepted:
    """Go on with an older copy: give up what waits in it, and write down what is not known; raises Unavailable.

    No scheduler may work meanwhile. What the copy takes for running is looked at by the next start.
    """
    with db.write() as session:
        copied_at = _copied_at(session, home, owns_database=owns_database) or now
        words = _words(copied_at)
        waiting = [
            run
            for run in runs.list_in_state(session, [RunState.QUEUED, RunState.CLAIMED, RunState.RETRY_WAIT])
            if not _may_repeat(session, run)
        ]
        # A claimed one goes back first: no state but queued may end without a start.
        claimed = [run for run in waiting if run.state == RunState.CLAIMED.value]
        for run in claimed:
            transitions.move(session, run, [RunState.QUEUED], now=now, actor=actor, reason=words)
        missed = transitions.move_all(session, waiting, [RunState.MISSED], now=now, actor=actor, reason=_missed(words))
        known = numbers.newest_run(session)
        numbers.skip(session, mark.newest_run + _SPARE if mark else known + _SPARE_UNKNOWN, _SPARE_EVENTS)
        message = (
            f"An older copy of the database has taken its place, made {_show(copied_at)}. What has run since is not in it; "
            f"{len(missed)} run(s) that waited in it are missed instead of started, moments until now are not caught up, and "
            "what it takes for running is lost where nothing is left of it. Tasks that may be run again go on."
        )
        data = {"before": copied_at.isoformat(), "after": now.isoformat(), "gone": _name(mark) if mark else ""}
        kind = IncidentKind.DATABASE_RESTORED.value
        store.add_incident(session, Incident(at=now, kind=kind, message=message, host=host, data=data), KEPT)
    return Accepted(copied_at, len(missed), message)


def avoid_numbers(db: Database, run_ids: Sequence[int], *, now: datetime, actor: str) -> int:
    """Give these numbers to no run any more: commands of another database, which was here before, go on under them.

    A run that waits and has such a number already is missed; how many those are is returned.
    """
    reason = "a command that an earlier database had started goes on under its number"
    with db.write() as session:
        waiting = [
            run for run in runs.list_in_state(session, [RunState.QUEUED, RunState.RETRY_WAIT]) if run.id in set(run_ids)
        ]
        missed = transitions.move_all(session, waiting, [RunState.MISSED], now=now, actor=actor, reason=reason)
        numbers.skip(session, max(run_ids), 0)
        return len(missed)


def list_gaps(db: Database) -> list[Gap]:
    """Return the stretches of time of which it is not known what was run in them, the oldest first."""
    with db.read() as session:
        return gaps_in(session)


def gaps_in(session: Session) -> list[Gap]:
    """Return what ``list_gaps`` does, within a transaction."""
    return [_gap(found) for found in reversed(_restores(session))]


def explain(gaps: Sequence[Gap], began_at: datetime | None) -> str:
    """Return why it is not known what became of what a life that began then has left in flight; empty if it is known."""
    return next((gap.words for gap in reversed(gaps) if began_at is not None and began_at < gap.end), "")


def _restores(session: Session) -> Sequence[Incident]:
    return store.list_of_kind(session, IncidentKind.DATABASE_RESTORED.value, _LOOKED_AT)


def _gap(incident: Incident) -> Gap:
    before, after = (datetime.fromisoformat(incident.data[name]).astimezone(UTC) for name in ("before", "after"))
    return Gap(before, after, _words(before))


def _copied_at(session: Session, home: str, *, owns_database: bool) -> datetime | None:
    lives = heartbeats.list_newest(session, _LOOKED_AT)
    return max((life.beat_at for life in lives_of(lives, home, owns_database=owns_database)), default=None)


def _may_repeat(session: Session, run: Run) -> bool:
    revision = task_store.find_revision(session, run.task_id, run.task_version)
    return revision is not None and Policies.from_json(revision.definition["policies"]).uncertain is Uncertain.RUN_AGAIN


def _words(copied_at: datetime) -> str:
    return f"the database was restored from a copy of {_show(copied_at)}"


def _missed(words: str) -> str:
    return f"{words}; it may have been run since, and is not run again without being asked for"


def _show(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _name(mark: Mark) -> str:
    return f"{mark.incarnation} {mark.beat_at.isoformat()} {mark.newest_run}"
