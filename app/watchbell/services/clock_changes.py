"""What a clock that was set back does to tasks: their times come a second time.

The rule is cron's. By up to three hours, a task of fixed times is not repeated: it goes on with the first time that has no row
yet. One that counts or has wildcards goes on at once, in real time. By more than that the clock is believed to have been
wrong before, and every task goes on by the new time at once; only single moments never come again. What comes a second time
is an occurrence of its own, with a key that tells the pass, so that each has its one row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from watchbell.domain import schedule as schedules
from watchbell.domain.incidents import IncidentKind, span_words
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.words import Count, read_words
from watchbell.errors import WatchbellError
from watchbell.services.incidents import KEPT
from watchbell.store import heartbeats, runs
from watchbell.store import incidents as store
from watchbell.store import tasks as task_store
from watchbell.store.incidents import Incident
from watchbell.store.session import Database, Session

#: A clock that was set back by more than this was wrong before.
CORRECTION = timedelta(hours=3)
_LEAST = timedelta(seconds=2)
_LOOKED_AT = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """Times up to a moment that come once more, because the clock was set back."""

    before: datetime
    after: datetime

    def name(self, occurrence: Occurrence) -> Occurrence:
        """Return an occurrence under the key that it has in this pass."""
        mark = f"{self.after.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
        return dataclasses.replace(occurrence, key=f"{occurrence.key}+{mark}")


def named(passes: Sequence[Pass], occurrence: Occurrence) -> Occurrence:
    """Return an occurrence as the newest pass that it belongs to names it, itself if it comes for the first time."""
    for found in passes:
        if found.after < occurrence.due_at <= found.before:
            return found.name(occurrence)
    return occurrence


def list_passes(db: Database, *, now: datetime) -> list[Pass]:
    """Return the passes that are going on, the newest first."""
    with db.read() as session:
        listed = store.list_of_kind(session, IncidentKind.CLOCK_SET_BACK.value, _LOOKED_AT)
    return [found for found in map(_pass, listed) if found.before > now]


def set_back(db: Database, incident: Incident) -> None:
    """Write down that the clock was set back and let the tasks go on; raises Unavailable with nothing changed."""
    with db.write() as session:
        _set_back(session, incident)


def notice(db: Database, *, host: str, incarnation: str, now: datetime) -> str:
    """Look whether the clock was set back while no scheduler ran, and return what is to be said of it, or nothing."""
    with db.write() as session:
        lives = [life for life in heartbeats.list_newest(session, _LOOKED_AT) if life.host == host]
        before = max((life.beat_at for life in lives), default=now)
        if before - now < _LEAST:
            return ""
        known = store.list_of_kind(session, IncidentKind.CLOCK_SET_BACK.value, _LOOKED_AT)
        if any(found.before >= before for found in map(_pass, known)):
            return ""
        span = (before - now).total_seconds()
        message = f"The clock was set back by at least {span_words(span)} while no scheduler was running."
        data = {"before": before.isoformat(), "after": now.isoformat(), "seconds": -span}
        kind = IncidentKind.CLOCK_SET_BACK.value
        _set_back(session, Incident(at=now, kind=kind, message=message, host=host, incarnation=incarnation, data=data))
        return message


def _set_back(session: Session, incident: Incident) -> None:
    store.add_incident(session, incident, KEPT)
    found = _pass(incident)
    is_correction = found.before - found.after > CORRECTION
    change = None
    for task in task_store.list_ahead(session, found.after):
        try:
            schedule = schedules.from_json(task.schedule)
            goes_on = _goes_on(schedule, is_correction=is_correction)
        except (ValueError, KeyError, TypeError, WatchbellError):
            # One that cannot be read is left alone here as in the plan.
            continue
        if goes_on:
            change = change or task_store.next_change(session)
            task.cursor_at = found.after
            task.change = change
            following = schedules.next_occurrence(schedule, found.after)
            task.next_due_at = following.due_at if following else None
    _bring_forward(session, found)


def _goes_on(schedule: Schedule, *, is_correction: bool) -> bool:
    """Return whether a schedule starts anew from the time that the clock was set back to."""
    if schedule.kind in {ScheduleKind.MOMENT, ScheduleKind.MANUAL}:
        return False
    return is_correction or not _is_fixed(schedule)


def _is_fixed(schedule: Schedule) -> bool:
    """Return whether a person named times of day, as opposed to a wildcard or a length of time."""
    if schedule.kind is ScheduleKind.CRON:
        return all(read_cron(text).pattern.is_fixed_time for text in schedule.expressions)
    if schedule.kind is ScheduleKind.WORDS:
        return not isinstance(read_words(schedule.every_word, schedule.at_time), Count)
    return schedule.unit == "days"


def _bring_forward(session: Session, found: Pass) -> None:
    """Let what waits for a time wait no longer than before."""
    back = found.before - found.after
    for run in runs.list_in_state(session, [RunState.RETRY_WAIT, RunState.QUEUED]):
        if run.retry_at is not None and run.retry_at > found.after:
            run.retry_at -= back
        if run.start_by is not None and run.start_by > found.after:
            run.start_by -= back


def _pass(incident: Incident) -> Pass:
    before, after = (datetime.fromisoformat(incident.data[name]).astimezone(UTC) for name in ("before", "after"))
    return Pass(before, after)
