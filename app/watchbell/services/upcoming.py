"""What is to come, and how much of it, without working out each moment of each task."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import marker
from watchbell.domain.schedule import Occurrence, Schedule
from watchbell.services import blackouts, tasks
from watchbell.store import due_tasks as store
from watchbell.store import tasks as task_store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: With more different schedules than this nobody waits until all of them have been looked at.
MOST_SCHEDULES = 2000
_MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)


def list_upcoming(
    db: Database, *, now: datetime, limit: int = 100, hours: int = 24, **filters: Any
) -> list[tuple[Task, Occurrence]]:
    """Return the next occurrences of all enabled tasks within some hours, in their order, as many as the limit."""
    until = now + timedelta(hours=hours)
    found = tasks.list_soonest(db, limit, **filters)
    # Each stream is in its order and computes its next moment only when the one before has been taken, so the cost is
    # that of the moments returned, not of all moments of all tasks.
    streams = [_upcoming_of(task, after=now, limit=limit, until=until) for task in found]
    merged = heapq.merge(*streams, key=lambda pair: (pair[1].due_at, pair[0].name))
    windows = blackouts.load(db)
    return [(task, marker(windows, task.id)(one)) for task, one in itertools.islice(merged, limit)]


def _upcoming_of(task: Task, *, after: datetime, limit: int, until: datetime) -> Iterator[tuple[Task, Occurrence]]:
    plan = schedules.from_json(task.schedule)
    for occurrence in schedules.occurrences(plan, max(after, task.cursor_at), limit, until):
        yield task, occurrence


def count(db: Database, *, now: datetime, at_most: int, hours: int = 24) -> int:
    """Return how many occurrences of all enabled tasks come within some hours, counting no further than a bound."""
    until = now + timedelta(hours=hours)
    with db.read() as session:
        # Most have at least one, and no moment has to be worked out to know that there are many.
        if store.count_due(session, after=now, until=until, at_most=at_most) == at_most:
            return at_most
        groups = store.list_schedules_due(session, now=now, until=until)
    total = 0
    for schedule, after, number in groups:
        plan = schedules.from_json(schedule)
        each = sum(1 for _ in schedules.occurrences(plan, after, -(-(at_most - total) // number), until))
        total = min(total + each * number, at_most)
        if total == at_most:
            break
    return total


def crowd(db: Database, moments: Sequence[datetime], *, now: datetime, but: int | None = None) -> list[int] | None:
    """Return for each moment how many enabled tasks, but for one, are due within the minute in which it lies.

    None if there are too many different schedules to say so at once. ``moments`` are in their order.
    """
    if not moments:
        return []
    minutes = [moment.replace(second=0, microsecond=0) for moment in moments]
    with db.read() as session:
        groups = store.list_schedules_due(session, now=now, until=minutes[-1] + _MINUTE)
        itself = task_store.find_task(session, but) if but is not None else None
    if len(groups) > MOST_SCHEDULES:
        return None
    found = [0] * len(minutes)
    for schedule, after, number in groups:
        for index in _due_in(schedules.from_json(schedule), minutes, after):
            found[index] += number
    if itself is not None and itself.enabled:
        for index in _due_in(schedules.from_json(itself.schedule), minutes, max(now, itself.cursor_at)):
            found[index] = max(0, found[index] - 1)
    return found


def _due_in(schedule: Schedule, minutes: Sequence[datetime], after: datetime) -> list[int]:
    """Return the places of the minutes in which a schedule is due after a moment."""
    found, index = [], 0
    while index < len(minutes):
        following = schedules.next_occurrence(schedule, max(after, minutes[index] - _MICROSECOND))
        if following is None:
            break
        # Minutes that end before it are passed over together.
        place = bisect_right(minutes, following.due_at) - 1
        if place >= index and following.due_at < minutes[place] + _MINUTE:
            found += [one for one in range(index, place + 1) if minutes[one] == minutes[place]]
        index = max(index, place) + 1
    return found
