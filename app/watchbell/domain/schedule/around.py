"""What a schedule does at a change of the clock: the moments around it, and the local times that do not run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from watchbell.domain.schedule.dst import Transition, next_transitions
from watchbell.domain.schedule.model import DSTRule, Occurrence, Schedule, ScheduleKind
from watchbell.domain.schedule.plan import occurrences

#: How many moments around a change are told at most.
_MOST = 4
_MICROSECOND = timedelta(microseconds=1)
#: So long before a change of the clock it is told of the schedules that it touches.
SOON = timedelta(days=14)


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What a schedule does at one change."""

    change: Transition
    moments: Sequence[Occurrence]
    #: Whether further moments lie around it.
    more: bool
    #: Moments that the rule of the schedule leaves out.
    left_out: Sequence[Occurrence]

    @property
    def is_touched(self) -> bool:
        """Return whether a moment is left out or displaced, or lies in the hour that comes twice.

        What is due again and again all through that hour follows real time, and nothing of it is touched.
        """
        if self.change.kind == "gap":
            moved = (one for one in self.moments if one.local < self.change.local_after)
            return bool(self.left_out) or any(moved)
        return bool(self.moments) and not self.more


def follows_the_clock(schedule: Schedule) -> bool:
    """Return whether changes of the clock move the moments of a schedule at all."""
    if schedule.kind is ScheduleKind.INTERVAL:
        return schedule.unit == "days"
    if schedule.kind is ScheduleKind.WORDS:
        return schedule.every_word not in {"seconds", "minutes", "hours"}
    return schedule.kind is ScheduleKind.CRON


def around_changes(schedule: Schedule, after: datetime, count: int = 2) -> list[Around]:
    """Return what a schedule does at the next changes of its clock; none where they do not move it."""
    if not follows_the_clock(schedule):
        return []
    return [_around_one(schedule, change) for change in next_transitions(schedule.zone, after, count)]


def touched_soon(schedule: Schedule, now: datetime) -> Around | None:
    """Return what the next change of the clock does to a schedule, if it is near and does anything to it."""
    change = near_change(schedule.zone, now)
    if change is None or not follows_the_clock(schedule):
        return None
    found = _around_one(schedule, change)
    return found if found.is_touched else None


def near_change(zone: str, now: datetime) -> Transition | None:
    """Return the next change of a zone's clock, if it is near."""
    change = _next_of(zone, now.astimezone(UTC).date())
    if change is not None and change.at <= now:
        # It was earlier on this day, and the next one is far away.
        return None
    return change if change is not None and change.at <= now + SOON else None


@functools.lru_cache(maxsize=1024)
def _next_of(zone: str, day: date) -> Transition | None:
    """Return the first change of a zone's clock from a day on; lists ask for each of their rows."""
    return next(iter(next_transitions(zone, datetime(day.year, day.month, day.day, tzinfo=UTC), 1)), None)


def _around_one(schedule: Schedule, change: Transition) -> Around:
    found = _around(schedule, change)
    left_out: list[Occurrence] = []
    if schedule.dst is DSTRule.SKIP and change.kind == "gap":
        runs = {occurrence.key for occurrence in found}
        usual = _around(dataclasses.replace(schedule, dst=DSTRule.CRON_LIKE), change)
        left_out = [occurrence for occurrence in usual if occurrence.key not in runs]
    return Around(change, found[:_MOST], len(found) > _MOST, left_out)


def _around(schedule: Schedule, change: Transition) -> list[Occurrence]:
    if change.kind == "gap":
        # The hour before is as on any day; what was to come inside the gap comes at its end.
        return list(occurrences(schedule, change.at - _MICROSECOND, _MOST + 1, change.at))
    width = change.before_offset - change.after_offset
    start, until = change.at - width - _MICROSECOND, change.at + width - _MICROSECOND
    return list(occurrences(schedule, start, _MOST + 1, until))
