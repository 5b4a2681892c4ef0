"""How much is to come, without working out each moment of each task."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchbell.domain import schedule as schedules
from watchbell.store import tasks as store
from watchbell.store.session import Database


def count(db: Database, *, now: datetime, at_most: int, hours: int = 24) -> int:
    """Return how many occurrences of all enabled tasks come within some hours, counting no further than a bound."""
    until = now + timedelta(hours=hours)
    with db.read() as session:
        # Most have at least one, and no moment has to be worked out to know that there are many.
        if store.count_due(session, after=now, until=until, at_most=at_most) == at_most:
            return at_most
        groups = store.list_schedules_due(session, now=now, until=until)
    total = 0
    for schedule, after, tasks in groups:
        plan = schedules.from_json(schedule)
        each = sum(1 for _ in schedules.occurrences(plan, after, -(-(at_most - total) // tasks), until))
        total = min(total + each * tasks, at_most)
        if total == at_most:
            break
    return total
