"""The plan in memory: for each enabled task of this host its next moment, and a heap of all of them.

It is only a reading of the database: it can be thrown away and read again at any time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import heapq
import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.domain import parameters
from watchbell.domain.blackouts import Blackout, Marker, marker
from watchbell.domain.catch_up import Verdict, in_time, judge, latest_start, reason_for, withhold
from watchbell.domain.incidents import Gap
from watchbell.domain.line_checks import values_of_lines
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Occurrence, Schedule, from_json, next_occurrence
from watchbell.errors import WatchbellError
from watchbell.scheduler.long_past import leap
from watchbell.scheduler.timekeeper import Timekeeper
from watchbell.services.tickets import DueTask
from watchbell.store.tasks import PlannedTask, Task

log = logging.getLogger(__name__)

#: Occurrences of one task that are looked at in one turn; a longer past takes several turns.
STEP_LIMIT = 10_000
_A_DAY = timedelta(days=1)


# Tasks with the same schedule share one computed moment.
_next = functools.lru_cache(maxsize=8192)(next_occurrence)


@dataclasses.dataclass(slots=True)
class Entry:
    """One task of the plan."""

    task_id: int
    name: str
    version: int
    change: int
    zone: str
    schedule: Schedule
    policies: Policies
    offset: timedelta
    following: Occurrence | None
    #: What a revision keeps of the definition, as far as a start needs it.
    definition: Mapping[str, object]
    #: Whether it may run on any host.
    is_anywhere: bool
    #: All values of a run of each line of the schedule; None where no line gives any.
    given: Sequence[Mapping[str, str]] | None = None

    @property
    def at(self) -> datetime | None:
        """Return when it is to be started next, the task's spread included."""
        return self.following.due_at + self.offset if self.following else None


class Plan:
    """The next moments of all tasks that this scheduler works for."""

    def __init__(self, host: str, timekeeper: Timekeeper | None = None) -> None:
        self._timekeeper = timekeeper
        self._host = host.lower()
        self._entries: dict[int, Entry] = {}
        self._heap: list[tuple[datetime, int, Entry]] = []
        #: Those of the heap that have become due and still wait for room: the highest priority first, then the oldest.
        self._ready: list[tuple[int, datetime, int, Entry]] = []
        self._order = itertools.count()
        #: Whether the tasks that may run on any host are this scheduler's to look after; to be set before they are read.
        self.leads = True

    def __len__(self) -> int:
        return len(self._entries)

    def read(self, tasks: Iterable[PlannedTask | Task]) -> None:
        """Take over tasks as they are now in the database; those that are off, deleted or another host's are dropped."""
        for task in tasks:
            self._entries.pop(task.id, None)
            is_mine = task.host.lower() == self._host if task.host else self.leads
            if is_mine and task.enabled and task.deleted_at is None:
                self._add(task)

    def step_down(self) -> None:
        """Leave the tasks that may run on any host to another scheduler."""
        self.leads = False
        self._entries = {number: entry for number, entry in self._entries.items() if not entry.is_anywhere}

    def _add(self, task: PlannedTask | Task) -> None:
        try:
            self._put(_entry(task))
        except (ValueError, KeyError, TypeError, WatchbellError) as error:
            # Such as a zone that this machine's data has no more: one task must not keep the others from running.
            log.error("Task %r cannot be read and is left out: %s", task.name, error)

    def next_at(self) -> datetime | None:
        """Return when the next task is due, or None when none ever will be; one that waits for room is due already."""
        while self._ready:
            _priority, at, _order, entry = self._ready[0]
            if self._entries.get(entry.task_id) is entry:
                return at
            heapq.heappop(self._ready)
        return self._next_in_heap()

    def _next_in_heap(self) -> datetime | None:
        while self._heap:
            at, _order, entry = self._heap[0]
            if self._entries.get(entry.task_id) is entry:
                return at
            heapq.heappop(self._heap)
        return None

    def find_definition(self, task_id: int, version: int) -> Mapping[str, object] | None:
        """Return what a version of a task runs, if it is the present one of a task of this plan."""
        entry = self._entries.get(task_id)
        return entry.definition if entry is not None and entry.version == version else None

    def take_due(
        self, now: datetime, limit: int, up_since: datetime, blackouts: Sequence[Blackout] = ()
    ) -> list[DueTask]:
        """Take up to ``limit`` tasks that are due, of the highest priority first and then the longest due.

        Moments in a window of ``blackouts`` are left out. Give each back with ``settle`` or ``restore``.
        """
        while (at := self._next_in_heap()) is not None and at <= now:
            at, order, entry = heapq.heappop(self._heap)
            heapq.heappush(self._ready, (-entry.policies.priority, at, order, entry))
        taken: list[DueTask] = []
        steps = 0
        # A long past is walked through in several turns, so that beats and other tasks come in between.
        while self._ready and len(taken) < limit and steps < STEP_LIMIT:
            _priority, at, order, entry = heapq.heappop(self._ready)
            if self._entries.get(entry.task_id) is not entry:
                continue
            if at > now:
                # The clock has been set back since.
                heapq.heappush(self._heap, (at, order, entry))
                continue
            taken.append(_due(entry, now, up_since, self._timekeeper, marker(blackouts, entry.task_id)))
            steps += sum(verdict.stands_for for verdict in taken[-1].verdicts)
        return taken

    def settle(self, due: DueTask) -> None:
        """Go on with a task whose rows are in the ledger."""
        entry = self._entries.get(due.task_id)
        if entry is not None and entry.change == due.change:
            entry.following = _next(entry.schedule, due.cursor_at)
            self._put(entry)

    def restore(self, due: DueTask) -> None:
        """Put a task back as it was, because the turn could not be stored."""
        entry = self._entries.get(due.task_id)
        if entry is not None and entry.change == due.change:
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        self._entries[entry.task_id] = entry
        at = entry.at
        if at is not None:
            heapq.heappush(self._heap, (at, next(self._order), entry))


def _entry(task: PlannedTask | Task) -> Entry:
    schedule = from_json(task.schedule)
    policies = Policies.from_json(task.policies)
    return Entry(
        task_id=task.id,
        name=task.name,
        version=task.version,
        change=task.change,
        zone=task.zone,
        schedule=schedule,
        policies=policies,
        offset=_spread(task.id, policies.spread_seconds),
        following=_next(schedule, task.cursor_at),
        definition={
            "name": task.name,
            "command": task.command,
            "directory": task.directory,
            "environment": task.environment,
            "environment_sets": task.environment_sets,
            "set_variables": task.set_variables,
            "policies": task.policies,
            "steps": task.steps,
            "parameters": task.parameters,
        },
        is_anywhere=not task.host,
        given=values_of_lines(schedule, parameters.from_json(task.parameters)) if schedule.line_values else None,
    )


def _spread(task_id: int, seconds: int) -> timedelta:
    """Return a task's own offset: always the same one, anywhere between nothing and the given seconds."""
    if not seconds:
        return timedelta()
    digest = hashlib.sha256(f"spread {task_id}".encode()).digest()
    return timedelta(milliseconds=int.from_bytes(digest[:8]) % (seconds * 1000 + 1))


def _due(entry: Entry, now: datetime, up_since: datetime, timekeeper: Timekeeper | None, mark: Marker) -> DueTask:
    planned_now = now - entry.offset
    following = entry.following
    assert following is not None, "a task without a next moment is not due"
    after = _next(entry.schedule, following.due_at)
    is_only = after is None or after.due_at > planned_now
    if is_only and planned_now - following.due_at <= min(latest_start(entry.policies, following, after), _A_DAY):
        # The usual case, in time; what stands below would come to the same.
        return _due_task(entry, [in_time(mark(following))], following, following.due_at, after, timekeeper)
    gaps: Sequence[Gap] = ()
    if timekeeper is not None:
        up_since = min(up_since, timekeeper.up_since)
        gaps = [gap.moved(-entry.offset) for gap in timekeeper.gaps]
    up_since -= entry.offset

    def reason_of(occurrence: Occurrence) -> str:
        return reason_for(occurrence, entry.policies, planned_now, up_since, gaps)

    far = leap(entry.schedule, following, entry.policies, now=planned_now, reason_of=reason_of)
    if far is not None:
        return _due_task(entry, [far.verdict], far.verdict.occurrence, far.cursor_at, far.following, timekeeper)
    found: list[Occurrence] = []
    while following is not None and following.due_at <= planned_now and len(found) < STEP_LIMIT:
        found.append(mark(following))
        following = _next(entry.schedule, following.due_at)
    is_complete = following is None or following.due_at > planned_now
    if not is_complete:
        # Those that may still be caught up are left to the last step, which alone knows that they are the newest.
        following = found[-entry.policies.catch_up_limit]
        del found[-entry.policies.catch_up_limit :]
    verdicts = judge(
        found, following, entry.policies, now=planned_now, up_since=up_since, is_complete=is_complete, gaps=gaps
    )
    return _due_task(entry, verdicts, found[-1], found[-1].due_at, following, timekeeper)


def _due_task(
    entry: Entry,
    verdicts: Sequence[Verdict],
    newest: Occurrence,
    cursor_at: datetime,
    following: Occurrence | None,
    timekeeper: Timekeeper | None,
) -> DueTask:
    if timekeeper is not None and timekeeper.unknown:
        verdicts = withhold(verdicts, entry.policies, [gap.moved(-entry.offset) for gap in timekeeper.unknown])
    if timekeeper is not None and timekeeper.passes:
        verdicts = timekeeper.name_passes(verdicts)
    return DueTask(
        task_id=entry.task_id,
        name=entry.name,
        version=entry.version,
        change=entry.change,
        zone=entry.zone,
        overlap=entry.policies.overlap,
        verdicts=verdicts,
        cursor_at=cursor_at,
        next_due_at=following.due_at if following else None,
        overlap_limit=entry.policies.overlap_limit,
        queue=entry.policies.queue,
        priority=entry.policies.priority,
        start_by=newest.due_at + entry.offset + latest_start(entry.policies, newest, following),
        is_anywhere=entry.is_anywhere,
        given=entry.given,
    )
