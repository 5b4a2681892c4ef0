"""Why a task ran at a moment, or why it did not: the row if there is one, else what was in force then and says otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import marker
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind, Transition
from watchbell.domain.schedule.bounds import first_instant, last_instant
from watchbell.domain.schedule.moment import read_moment
from watchbell.domain.schedule.zones import zone_named
from watchbell.errors import InputError, NotFound
from watchbell.services import blackouts, pauses
from watchbell.store import runs as run_store
from watchbell.store import tasks as task_store
from watchbell.store import whys as store
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task, TaskRevision

_LEAST = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
#: A moved moment lies no farther from where it was.
_MOVED_BY = timedelta(days=33)
#: How far back the moment before is looked for, in steps that grow.
_STEPS = (1, 10, 60, 600, 3600, 86_400, 7 * 86_400, 62 * 86_400, 800 * 86_400)


class WhyKind(StrEnum):
    """What the answer is."""

    RUN = "run"
    """There is a row."""
    NOT_YET = "not_yet"
    """It is due, and its row is still to be made."""
    WILL_BE_LEFT_OUT = "will_be_left_out"
    """It is due, and its row will say that it is left out."""
    MADE_LATER = "made_later"
    DELETED = "deleted"
    DISABLED = "disabled"
    MOVED = "moved"
    """A calendar has moved it to another moment."""
    OUTSIDE_ITS_DAYS = "outside_its_days"
    """It lies before the first day of the task or after its last one."""
    CLOCK_CHANGE = "clock_change"
    """The clock left this time out."""
    EDITED = "edited"
    """The version of then was not due, the present one would have been."""
    MANUAL = "manual"
    """The task runs only by hand."""
    NOT_KEPT = "not_kept"
    """It was due, and its row is not kept any more."""
    UNKNOWN = "unknown"
    NOT_DUE = "not_due"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A moment that somebody asks about."""

    at: datetime
    #: How long it is: a minute if no seconds were said.
    length: timedelta = _MINUTE
    #: The clock change that left out the local time that was asked for, and that time, naive.
    gap: Transition | None = None
    local: datetime | None = None

    @property
    def until(self) -> datetime:
        """Return when it is over."""
        return self.at + self.length


@dataclasses.dataclass(frozen=True, slots=True)
class Why:
    """An answer."""

    task: Task
    at: datetime
    kind: WhyKind
    #: What is to be said, sentence by sentence, the answer first.
    sentences: Sequence[str]
    #: The rows of the moment, and of the moment to which it was moved.
    runs: Sequence[Run] = ()
    #: The version that was in force, and what its schedule was.
    version: int | None = None
    schedule: Schedule | None = None
    #: The nearest moments at which that version was due.
    before: Occurrence | None = None
    after: Occurrence | None = None


def read_asked(text: str, zone: str, now: datetime) -> Asked:
    """Return the moment of a text such as 2030-01-31 09:30, local time of a zone unless it has an offset; now for nothing.

    A local time that a clock change left out is understood as that change. Raises InputError on ``at``.
    """
    stripped = text.strip()
    if not stripped:
        return Asked(now.replace(second=0, microsecond=0))
    has_seconds = stripped.replace("T", " ").partition(" ")[2].count(":") > 1
    length = timedelta(seconds=1) if has_seconds else _MINUTE
    try:
        return Asked(read_moment(stripped, zone, now), length)
    except InputError:
        gap = _in_gap(stripped, zone)
        if gap is None:
            raise
        return gap


def _in_gap(text: str, zone: str) -> Asked | None:
    place = zone_named(zone)
    try:
        local = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        return None
    if local.tzinfo is not None or not 1971 < local.year < 9000:
        return None
    start = local.replace(tzinfo=place).astimezone(UTC) - timedelta(days=2)
    change = next(iter(schedules.next_transitions(zone, start, 1)), None)
    if change is None or change.kind != "gap" or not change.local_before <= local < change.local_after:
        return None
    return Asked(change.at, _MINUTE, change, local)


def told(answer: Why) -> dict[str, Any]:
    """Return an answer as programs read it."""
    return {
        "task_id": answer.task.id,
        "task_name": answer.task.name,
        "at": answer.at,
        "kind": answer.kind.value,
        "sentences": list(answer.sentences),
        "runs": [{name: getattr(run, name) for name in ("id", "state", "due_at", "reason")} for run in answer.runs],
        "version": answer.version,
        "schedule": schedules.describe(answer.schedule) if answer.schedule is not None else None,
        "before": answer.before.due_at if answer.before is not None else None,
        "after": answer.after.due_at if answer.after is not None else None,
    }


def why(db: Database, task_id: int, asked: Asked, *, now: datetime) -> Why:
    """Return why a task ran at a moment or did not; raises NotFound for no such task, deleted ones are answered for."""
    with db.read() as session:
        task = task_store.find_task(session, task_id, deleted=True)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        return _Looker(session, task, asked, now).answer()


class _Looker:
    def __init__(self, session: Session, task: Task, asked: Asked, now: datetime) -> None:
        self._session, self._task, self._asked, self._now = session, task, asked, now
        self._revision: TaskRevision | None = store.find_revision_at(session, task.id, asked.at)
        # A revision of an installation that was filled by other means may say nothing of it.
        kept = self._revision.definition.get("schedule") if self._revision is not None else None
        self._plan = schedules.from_json(kept or task.schedule)
        self._place = ZoneInfo(self._plan.zone)

    def answer(self) -> Why:
        """Return the first of the answers that holds."""
        found = store.list_runs_due(self._session, self._task.id, self._asked.at, self._asked.until)
        if found and self._asked.gap is None:
            return self._of_runs(found)
        for look in (self._not_there, self._of_gap, self._due, self._moved, self._not_due):
            answer = look()
            if answer is not None:
                return answer
        raise AssertionError("the last look always answers")

    def _say(self, kind: WhyKind, *sentences: str, runs: Sequence[Run] = ()) -> Why:
        return Why(
            task=self._task,
            at=self._asked.at,
            kind=kind,
            sentences=[one for one in sentences if one],
            runs=runs,
            version=self._revision.version if self._revision is not None else None,
            schedule=self._plan,
            before=_before(self._plan, self._asked.at),
            after=schedules.next_occurrence(self._plan, self._asked.until - _LEAST),
        )

    def _of_runs(self, found: Sequence[Run]) -> Why:
        first = found[0]
        reason = f": {first.reason}" if first.reason else ""
        said = f"run #{first.id} is {first.state}{reason}"
        more = f"{len(found) - 1} more of its runs were due in the same minute" if len(found) > 1 else ""
        return self._say(WhyKind.RUN, said, more, runs=found)

    def _not_there(self) -> Why | None:
        task, at = self._task, self._asked.at
        if task.created_at > at:
            return self._say(
                WhyKind.MADE_LATER, f"the task was made later, {self._at(task.created_at)}, by {task.created_by}"
            )
        if task.deleted_at is not None and task.deleted_at <= at:
            return self._say(
                WhyKind.DELETED, f"the task is deleted since {self._at(task.deleted_at)}, by {task.updated_by}"
            )
        return None

    def _of_gap(self) -> Why | None:
        change, local = self._asked.gap, self._asked.local
        if change is None or local is None:
            return None
        said = f"{local:%H:%M} does not exist on {local:%Y-%m-%d}: the clock goes from {change.local_before:%H:%M} to {change.local_after:%H:%M}"
        found = store.list_runs_due(self._session, self._task.id, change.at, change.at + _MINUTE)
        due = schedules.next_occurrence(self._plan, change.at - _LEAST)
        is_due = due is not None and due.due_at == change.at and due.local != change.local_after
        instead = (
            f"what was due in between is due at {change.local_after:%H:%M}"
            if is_due
            else "by the rule of the task nothing takes its place"
        )
        return self._say(WhyKind.CLOCK_CHANGE, said, instead, runs=found)

    def _due(self) -> Why | None:
        due = self._occurrence(self._plan)
        if due is None:
            return None
        due = marker(blackouts.read(self._session), self._task.id)(due)
        if self._asked.at > self._task.cursor_at and not self._is_past_version():
            return self._still_to_come(due)
        disabled = self._disabled()
        if disabled:
            return self._say(WhyKind.DISABLED, disabled)
        covering = self._covering(due)
        if covering is not None:
            return self._of_runs([covering])
        oldest = store.find_oldest_run(self._session, self._task.id)
        if oldest is None or oldest.due_at > self._asked.at:
            return self._say(WhyKind.NOT_KEPT, "it was due then, and its row is not kept any more")
        note = f"by version {self._version()} it was due then, and no row was made of it; the task was changed or switched around that time"
        return self._say(WhyKind.UNKNOWN, note)

    def _still_to_come(self, due: Occurrence) -> Why:
        if not self._task.enabled:
            return self._say(WhyKind.DISABLED, self._disabled() or "the task is disabled")
        if due.is_left_out:
            return self._say(WhyKind.WILL_BE_LEFT_OUT, f"it is due and will be skipped: {due.note}")
        queue = Policies.from_json(self._task.policies).queue
        held = pauses.why_held(self._session, self._task.id, queue, self._asked.at)
        if self._asked.at <= self._now:
            late = f"it is due, and its row is not made yet: the scheduler has come as far as {self._at(self._task.cursor_at)}"
            return self._say(WhyKind.NOT_YET, late, *held)
        return self._say(
            WhyKind.NOT_YET, f"it is due {self._at(due.due_at)}, and its row is made then", due.note, *held
        )

    def _moved(self) -> Why | None:
        if self._plan.calendar is None:
            return None
        base = self._occurrence(dataclasses.replace(self._plan, calendar=None))
        if base is None:
            return None
        around = schedules.occurrences(self._plan, base.due_at - _MOVED_BY, 20_000, base.due_at + _MOVED_BY)
        moved = next((one for one in around if one.key == base.key), None)
        if moved is None:
            return None
        run = run_store.find_run_by_key(self._session, self._task.id, base.key)
        return self._say(
            WhyKind.MOVED, f"it is due {self._at(moved.due_at)} instead: {moved.note}", runs=[run] if run else []
        )

    def _not_due(self) -> Why:
        plan, at = self._plan, self._asked.at
        if plan.kind is ScheduleKind.MANUAL and self._task.after:
            names = ", ".join(one["task"] for one in self._task.after)
            words = f"it has no schedule and runs after other tasks: {names}"
            return self._say(WhyKind.MANUAL, words, "its turn did not come then")
        if plan.kind is ScheduleKind.MANUAL:
            return self._say(
                WhyKind.MANUAL, f"by version {self._version()} it runs only when somebody asks", self._since()
            )
        if plan.not_before is not None and at < first_instant(plan.not_before, plan.zone):
            return self._say(
                WhyKind.OUTSIDE_ITS_DAYS, f"the task begins {plan.not_before:%Y-%m-%d %H:%M}", self._since()
            )
        if plan.not_after is not None and at > last_instant(plan.not_after, plan.zone):
            return self._say(
                WhyKind.OUTSIDE_ITS_DAYS, f"the task has ended {plan.not_after:%Y-%m-%d %H:%M}", self._since()
            )
        said = f"by version {self._version()} it was not due then" if at <= self._now else "it is not due then"
        present = schedules.from_json(self._task.schedule)
        if self._is_past_version() and self._occurrence(present) is not None:
            return self._say(
                WhyKind.EDITED, said, self._since(), f"by the present version {self._task.version} it would have been"
            )
        return self._say(WhyKind.NOT_DUE, said, self._since())

    def _occurrence(self, plan: Schedule) -> Occurrence | None:
        found = schedules.next_occurrence(plan, self._asked.at - _LEAST)
        return found if found is not None and found.due_at < self._asked.until else None

    def _covering(self, due: Occurrence) -> Run | None:
        """Return the row that stands for a counted range in which a moment lies."""
        for run in store.list_ranges(self._session, self._task.id):
            first = run_first(run.occurrence_key, self._plan)
            if first is not None and first <= due.due_at <= run.due_at:
                return run
        return None

    def _disabled(self) -> str:
        """Return since when and by whom the task was disabled at the moment, nothing if it was not."""
        at = self._asked.at
        for entry in store.list_switches(self._session, self._task.id):
            if entry.at > at:
                continue
            changed = entry.detail.get("enabled") if entry.action == "task.change" else None
            if entry.action == "task.disable" or (isinstance(changed, list) and changed[-1:] == [False]):
                return f"the task was disabled {self._at(entry.at)} by {entry.actor}"
            if entry.action == "task.delete":
                return f"the task was deleted {self._at(entry.at)} by {entry.actor}"
            if entry.action in {"task.enable", "task.restore"} or isinstance(changed, list):
                return ""
        return ""

    def _is_past_version(self) -> bool:
        return self._revision is not None and self._revision.version != self._task.version

    def _version(self) -> int:
        return self._revision.version if self._revision is not None else self._task.version

    def _since(self) -> str:
        if self._revision is None or not self._is_past_version():
            return ""
        return f"version {self._revision.version} was in force, of {self._at(self._revision.at)} by {self._revision.by}"

    def _at(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._place):%Y-%m-%d %H:%M:%S %Z}"


def run_first(key: str, plan: Schedule) -> datetime | None:
    """Return when the first of the moments was due for which a row stands, as its key tells; None if it does not."""
    first = key.removeprefix("range:").partition("..")[0]
    try:
        if first.startswith("utc:"):
            return datetime.fromisoformat(first.removeprefix("utc:").split("+")[0].rstrip("Z")).replace(tzinfo=UTC)
        local = datetime.fromisoformat(first.removeprefix("cal:").partition("/")[0])
        return local.replace(tzinfo=ZoneInfo(plan.zone)).astimezone(UTC)
    except ValueError:
        return None


def _before(plan: Schedule, at: datetime) -> Occurrence | None:
    """Return the last moment before an instant, looking back in steps that grow."""
    for seconds in _STEPS:
        start = at - timedelta(seconds=seconds)
        found = schedules.next_occurrence(plan, start)
        if found is None or found.due_at >= at:
            continue
        while (following := schedules.next_occurrence(plan, found.due_at)) is not None and following.due_at < at:
            found = following
        return found
    return None
