"""How much goes on at once before a change and after it, by what the runs of each task take, and what then starts together."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from watchbell.domain import load
from watchbell.domain.load import Stay
from watchbell.domain.run_changes import Moment
from watchbell.services.forecast import LEAST_SECONDS, UNKNOWN_SECONDS
from watchbell.store.timeline import TaskLine

#: So many runs, tasks and collisions are told one by one.
NAMED = 12
_MINUTE = 60
#: Longer than any time that is looked at.
ALWAYS = 366 * 24 * 60 * 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """When tasks of one schedule are due."""

    moments: Sequence[Moment]
    #: Seconds from the beginning of the time to each.
    starts: Sequence[float]
    zone: str
    #: The last moment that was worked out, if there are more.
    cut_at: datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Peak:
    """The most that goes on at once, and when first."""

    runs: int
    at: datetime
    #: What it is: the names of some tasks, and how many there are besides.
    tasks: Sequence[str] = ()
    others: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Collision:
    """A minute in which more tasks start together than usual, because of the change."""

    at: datetime
    zone: str
    #: On how many days this time of day is one.
    days: int
    #: How many start in it before and after.
    before: int
    after: int
    tasks: Sequence[str]
    others: int


@dataclasses.dataclass(frozen=True, slots=True)
class LoadChange:
    """What a change does to the load."""

    #: None where nothing is due.
    before: Peak | None
    after: Peak | None
    #: How many start together in a usual minute in which anything does.
    usual: float
    collisions: Sequence[Collision]


Dues = Sequence[tuple[TaskLine, Due]]


@dataclasses.dataclass(frozen=True, slots=True)
class Together:
    """All that starts by itself: what stays as it is, and what changes on both sides."""

    others: Dues
    before: Dues
    after: Dues


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """Tasks that are due at the same moments and take as long."""

    due: Due
    seconds: float
    names: list[str]


def load_change(
    together: Together,
    usual: Mapping[int, float],
    *,
    start: datetime,
    now: datetime,
    new: Mapping[datetime, str],
) -> LoadChange:
    """Return the load on both sides; ``usual`` are the seconds of tasks, ``new`` the moments that come and their zones."""
    since = (now - start).total_seconds()
    others = _grouped(together.others, usual)
    before, after = ([*others, *_grouped(dues, usual)] for dues in (together.before, together.after))
    counts = _starts(others, since)
    sides = [_starts(_grouped(dues, usual), since) + counts for dues in (together.before, together.after)]
    typical = statistics.median(sides[0].values()) if sides[0] else 0.0
    return LoadChange(
        before=_peak(before, start, since) if new or together.before else None,
        after=_peak(after, start, since) if new or together.after else None,
        usual=typical,
        collisions=_collisions(sides[0], sides[1], new, after, start, typical),
    )


def _grouped(dues: Dues, usual: Mapping[int, float]) -> list[_Group]:
    found: dict[tuple[int, float], _Group] = {}
    for line, due in dues:
        seconds = usual.get(line.id, UNKNOWN_SECONDS)
        seconds = max(round(seconds, 0 if seconds >= 1 else 1), LEAST_SECONDS)
        found.setdefault((id(due), seconds), _Group(due, seconds, [])).names.append(line.name)
    return list(found.values())


def _starts(groups: Iterable[_Group], since: float) -> collections.Counter[int]:
    """Return how many tasks start in each minute, but for those that start very often and so in any."""
    found: collections.Counter[int] = collections.Counter()
    for group in groups:
        if group.due.cut_at is None:
            for at in group.due.starts:
                if at > since:
                    found[int(at // _MINUTE)] += len(group.names)
    return found


def _peak(groups: Sequence[_Group], start: datetime, since: float) -> Peak | None:
    stays = [stay for number, group in enumerate(groups) for stay in _stays(number, group, since)]
    runs, at = load.peak_of(stays)
    if not runs:
        return None
    names = [name for number in load.at_once(stays, at) for name in groups[number].names]
    return Peak(runs, start + timedelta(seconds=at), names[:NAMED], max(len(names) - NAMED, 0))


def _stays(number: int, group: _Group, since: float) -> list[Stay]:
    starts, count = group.due.starts, len(group.names)
    if group.due.cut_at is None:
        return [Stay(number, at, group.seconds, count) for at in starts if at > since]
    # What is due every few minutes is taken to go on all the time: at a full hour it does, and peaks are there.
    return [Stay(number, since, ALWAYS, count)] if starts else []


def _collisions(
    before: Mapping[int, int],
    after: Mapping[int, int],
    new: Mapping[datetime, str],
    groups: Sequence[_Group],
    start: datetime,
    usual: float,
) -> list[Collision]:
    bound = max(load.LEAST_PILE, load.TIMES_USUAL * usual)
    # Those at one time of day are one finding, however many days it comes on.
    found: dict[tuple[str, int, int, int], list[int]] = {}
    zones = {int((at - start).total_seconds() // _MINUTE): zone for at, zone in sorted(new.items())}
    for minute, zone in zones.items():
        count, was = after.get(minute, 0), before.get(minute, 0)
        if count > was and count >= bound:
            local = (start + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
            found.setdefault((zone, local.hour, local.minute, count), []).append(minute)
    highest = sorted(found.items(), key=lambda one: (-one[0][3], one[1][0]))[:NAMED]
    return [_collision(minutes, zone, before, count, groups, start) for (zone, _h, _m, count), minutes in highest]


def _collision(
    minutes: Sequence[int], zone: str, before: Mapping[int, int], count: int, groups: Sequence[_Group], start: datetime
) -> Collision:
    first = minutes[0]
    names = [name for group in groups if _is_due(group.due, first) for name in group.names]
    return Collision(
        at=(start + timedelta(minutes=first)).astimezone(UTC),
        zone=zone,
        days=len(minutes),
        before=before.get(first, 0),
        after=count,
        tasks=names[:NAMED],
        others=max(len(names) - NAMED, 0),
    )


def _is_due(due: Due, minute: int) -> bool:
    place = bisect_left(due.starts, minute * _MINUTE)
    return due.cut_at is None and place < len(due.starts) and due.starts[place] < (minute + 1) * _MINUTE
