"""What a schedule does at a change of the clock: the moments around it, and the local times that do not run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchbell.domain.schedule.dst import Transition, next_transitions
from watchbell.domain.schedule.model import DSTRule, Occurrence, Schedule, ScheduleKind
from watchbell.domain.schedule.plan import occurrences

#: How many moments around a change are told at most.
_MOST = 4
_MICROSECOND = timedelta(microseconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What a schedule does at one change."""

    change: Transition
    moments: Sequence[Occurrence]
    #: Whether further moments lie around it.
    more: bool
    #: Moments that the rule of the schedule leaves out.
    left_out: Sequence[Occurrence]


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
