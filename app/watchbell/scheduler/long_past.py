"""A past that is too long to be walked through, as after a clock was set forward by years: one row stands for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Occurrence, Schedule, ScheduleKind, next_occurrence
from watchbell.domain.schedule.interval import UNITS

#: Steps of an interval are counted by arithmetic once there are more than this.
_COUNTED = 10_000
#: Moments of a calendar are walked through one by one, up to a past of this length.
_WALKED = timedelta(days=400)
_WALKED_THEN = 1000
#: What lies so close is left to be judged in the usual way, as far as the policies let it be caught up.
_CLOSE = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Leap:
    """A row for a long stretch of occurrences, and from where to go on."""

    verdict: Verdict
    cursor_at: datetime
    following: Occurrence | None


def leap(
    schedule: Schedule, first: Occurrence, policies: Policies, *, now: datetime, reason_of: Callable[[Occurrence], str]
) -> Leap | None:
    """Return what stands for the long past that begins with an occurrence, or None if it is not that long."""
    if schedule.kind is ScheduleKind.INTERVAL and schedule.unit != "days":
        return _leap_by_counting(schedule, first, policies, now, reason_of)
    close = now - min(timedelta(seconds=policies.catch_up_window_seconds), _CLOSE)
    if now - first.due_at <= _WALKED:
        return None
    number, last = 1, first
    while number < _WALKED_THEN:
        following = next_occurrence(schedule, last.due_at)
        if following is None or following.due_at > close:
            break
        number, last = number + 1, following
    reason = f"at least {number} occurrences until {close:%Y-%m-%d %H:%M} UTC; {reason_of(first)}"
    return Leap(_range(first, last, number, reason), close, next_occurrence(schedule, close))


def _leap_by_counting(
    schedule: Schedule, first: Occurrence, policies: Policies, now: datetime, reason_of: Callable[[Occurrence], str]
) -> Leap | None:
    step = timedelta(seconds=schedule.every * UNITS[schedule.unit])
    # The newest are left: by policy they may still be run.
    number = (now - first.due_at) // step + 1 - (policies.catch_up_limit + 1)
    if number <= _COUNTED:
        return None
    before = first.due_at + (number - 1) * step
    last = next_occurrence(schedule, before - timedelta(microseconds=1))
    if last is None or last.due_at != before:
        return None
    reason = f"{number} occurrences; {reason_of(last)}"
    return Leap(_range(first, last, number, reason), before, next_occurrence(schedule, before))


def _range(first: Occurrence, last: Occurrence, number: int, reason: str) -> Verdict:
    return Verdict(last, is_missed=True, trigger=Trigger.SCHEDULE, reason=reason, stands_for=number, first=first)
