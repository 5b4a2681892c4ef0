"""What pages and their JSON twins show of rows: local times, words for durations, sizes, ages and states."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import SchedulerState
from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.store.newest_runs import RunLine
from watchbell.store.runs import Run
from watchbell.web.i18n import _, grouped, lazy
from watchbell.web.told import told

#: States whose own name is not the best word for them.
_PLAIN_WORDS = {
    RunState.CANCELLING: "stopping",
    RunState.RETRY_WAIT: "waiting to retry",
    RunState.TIMED_OUT: "timed out",
}
_WORDS = {
    RunState.QUEUED: lazy("queued"),
    RunState.CLAIMED: lazy("claimed"),
    RunState.STARTING: lazy("starting"),
    RunState.RUNNING: lazy("running"),
    RunState.CANCELLING: lazy("stopping"),
    RunState.RETRY_WAIT: lazy("waiting to retry"),
    RunState.SUCCEEDED: lazy("succeeded"),
    RunState.FAILED: lazy("failed"),
    RunState.TIMED_OUT: lazy("timed out"),
    RunState.CANCELLED: lazy("cancelled"),
    RunState.LOST: lazy("lost"),
    RunState.SKIPPED: lazy("skipped"),
    RunState.MISSED: lazy("missed"),
}
_SCHEDULER_WORDS = {
    SchedulerState.RUNNING: lazy("running"),
    SchedulerState.STARTING: lazy("starting"),
    SchedulerState.STOPPING: lazy("stopping"),
    SchedulerState.STOPPED: lazy("stopped"),
    SchedulerState.STALLED: lazy("stalled"),
    SchedulerState.UNKNOWN: lazy("unknown"),
}
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def state_word(state: str) -> str:
    """Return a run's state as people read it."""
    return str(_WORDS[RunState(state)])


def scheduler_word(state: str) -> str:
    """Return the scheduler's state as people read it."""
    return str(_SCHEDULER_WORDS[SchedulerState(state)])


def duration_words(seconds: float | None) -> str:
    """Return ``-``, ``<1s``, ``Ns``, ``Mm Ss`` or ``Hh Mm``."""
    if seconds is None:
        return "-"
    whole = int(max(0.0, seconds))
    if whole < 1:
        return "<1s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def age_words(moment: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """Return ``just now``, ``Nm ago``, ``Nh ago``, ``Nd ago`` or a date; of what is to come ``in <1m``, ``in Nm``, ``in Nh``."""
    if moment is None:
        return "-"
    seconds = (now - moment).total_seconds()
    minutes = int(abs(seconds) // 60)
    if abs(seconds) >= 7 * 86400:
        return moment.astimezone(zone).strftime("%Y-%m-%d")
    if minutes < 1:
        return _("in <1m") if seconds < 0 else _("just now")
    amount = f"{minutes}m" if minutes < 60 else f"{minutes // 60}h" if minutes < 1440 else f"{minutes // 1440}d"
    return _("in %(amount)s", amount=amount) if seconds < 0 else _("%(amount)s ago", amount=amount)


def size_words(size_bytes: int | None) -> str:
    """Return a size in the unit that keeps the number short."""
    if size_bytes is None:
        return "-"
    if size_bytes < 1024:
        return f"{size_bytes} B"
    power = min(int(math.log(size_bytes, 1024)), len(_UNITS))
    amount = size_bytes / 1024**power
    return f"{grouped(amount, 1 if amount < 100 else 0)} {_UNITS[power - 1]}"


def local_text(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """Return a time as ISO 8601 in a zone, with its offset."""
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else None


def count_words(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 task, 2 tasks, 1,200 tasks."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


@dataclasses.dataclass(frozen=True, slots=True)
class SchedulerView:
    """The scheduler as the frame shows it."""

    state: str
    pid: int | None
    host: str
    user: str
    version: str
    environment: str
    session_id: str
    started_at: datetime | None
    last_beat_at: datetime | None
    #: Since when it has been in this state, where that is known.
    since: datetime | None
    running: int
    message: str
    #: Seconds since its loop turned last, where that is known.
    tick_age: float | None


def scheduler_view(status: SchedulerStatus) -> SchedulerView:
    """Return the view of a scheduler's status."""
    return SchedulerView(
        state=str(status.state),
        pid=status.pid,
        host=status.host or "",
        user=status.user or "",
        version=status.version or "",
        environment=status.environment or "",
        session_id=status.session_id or "",
        started_at=status.started_at,
        last_beat_at=status.beat_at,
        since=status.since,
        running=status.running or 0,
        message=told(status.message or ""),
        tick_age=status.tick_age,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class RunView:
    """One run as a row of a table or a mark of a strip."""

    id: int
    task_id: int
    task_name: str
    trigger: str
    state: str
    #: For programs; pages ask ``state_word``, which knows the reader's language.
    state_word: str
    reason: str
    due_at: datetime
    #: The zone in which the task counts its times.
    zone: str
    started_at: datetime | None
    ended_at: datetime | None
    #: From its start to its end, or to now while it goes on.
    duration_seconds: float | None
    delay_seconds: float | None
    exit_code: int | None
    attempts: int
    stands_for: int
    is_active: bool
    queue: str
    priority: int
    #: When it is given up if it has not been started, and when its next attempt is made.
    start_by: datetime | None
    retry_at: datetime | None
    #: What a person decided, or is to decide, about a run whose end nobody knows.
    decision: str | None
    rerun_of: int | None
    #: Whether a process of it may exist.
    is_in_flight: bool
    #: What it was given of the parameters of its task; nothing for the defaults of its version.
    parameters: Mapping[str, str]


def run_view(run: Run, now: datetime) -> RunView:
    """Return the view of a run."""
    until = run.ended_at or now
    return RunView(
        id=run.id,
        task_id=run.task_id,
        task_name=run.task_name,
        trigger=run.trigger,
        state=run.state,
        state_word=_PLAIN_WORDS.get(RunState(run.state), run.state),
        reason=run.reason,
        due_at=run.due_at,
        zone=run.zone or "",
        started_at=run.started_at,
        ended_at=run.ended_at,
        duration_seconds=max(0.0, (until - run.started_at).total_seconds()) if run.started_at else None,
        delay_seconds=(run.started_at - run.due_at).total_seconds() if run.started_at else None,
        exit_code=run.exit_code,
        attempts=run.attempts,
        stands_for=run.stands_for,
        is_active=run.ended_at is None,
        queue=run.queue,
        priority=run.priority,
        start_by=run.start_by,
        retry_at=run.retry_at,
        decision=run.decision,
        rerun_of=run.rerun_of,
        is_in_flight=RunState(run.state) in IN_FLIGHT and run.started_at is not None,
        parameters=run.parameters or {},
    )


class Outcome(NamedTuple):
    """What became of a run, as its mark in a strip shows it."""

    id: int
    state: str
    reason: str
    due_at: datetime
    #: From its start to its end, or to now while it goes on.
    duration_seconds: float | None


def outcome(run: Run | RunLine, now: datetime) -> Outcome:
    """Return what became of a run."""
    start, end = run.started_at, run.ended_at or now
    return Outcome(
        run.id, run.state, run.reason, run.due_at, max(0.0, (end - start).total_seconds()) if start else None
    )


def run_json(view: RunView, zone: ZoneInfo) -> dict[str, object]:
    """Return a run as the JSON twin of a page shows it."""
    fields = dataclasses.asdict(view)
    for name in ("due_at", "started_at", "ended_at", "start_by", "retry_at"):
        fields[name] = local_text(fields[name], zone)
    return fields


def scheduler_json(view: SchedulerView, zone: ZoneInfo) -> dict[str, object]:
    """Return the scheduler as JSON shows it."""
    fields = dataclasses.asdict(view)
    for name in ("started_at", "last_beat_at", "since"):
        fields[name] = local_text(fields[name], zone)
    return fields
