"""The clock changes of a zone, and the rule that says what becomes of local times that a change removes or repeats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.model import DSTRule, Occurrence, calendar_key
from watchbell.domain.schedule.pattern import LAST_YEAR, CalendarPattern, Nominals
from watchbell.domain.schedule.zones import zone_named

#: Two changes of one zone are never nearer than 95 hours (Africa/Freetown, 1939), so that looking at the offset every
#: second day misses none.
_LOOK_EVERY = timedelta(days=2)
#: Longer than any two offsets of one zone ever differed; Manila and Apia changed the side of the date line.
_LONGEST_CHANGE = timedelta(hours=26)
_SECOND = timedelta(seconds=1)
_LEAST = timedelta(microseconds=1)
_NOTHING = timedelta(0)
_YEARS_TO_LOOK_AHEAD = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """One clock change of a zone."""

    at: datetime
    before_offset: timedelta
    after_offset: timedelta

    @property
    def kind(self) -> Literal["gap", "fold"]:
        """Return whether the clock is put forward (local times are missing) or back (they come twice)."""
        return "gap" if self.after_offset > self.before_offset else "fold"

    @property
    def local_before(self) -> datetime:
        """Return what the clock would have shown without the change, naive."""
        return self.at.replace(tzinfo=None) + self.before_offset

    @property
    def local_after(self) -> datetime:
        """Return what the clock shows instead, naive."""
        return self.at.replace(tzinfo=None) + self.after_offset


@dataclasses.dataclass(frozen=True, slots=True)
class _Stretch:
    """A piece of time without a clock change inside; stretches end with the UTC year too, so that they can be cached."""

    start: datetime
    end: datetime
    offset: timedelta
    #: The local time at which the gap begins that lies before this stretch, if one does.
    gap_from: datetime | None
    #: Up to here the local times of this stretch are second passes.
    second_pass_until: datetime | None


def next_transitions(zone: str, after: datetime, count: int = 2) -> list[Transition]:
    """Return the next clock changes, none for a zone that has none within the next five years."""
    zone_named(zone)
    moment = after.astimezone(UTC)
    years = range(moment.year, min(moment.year + _YEARS_TO_LOOK_AHEAD, LAST_YEAR) + 1)
    found = (change for year in years for change in _transitions_in(zone, year) if change.at > moment)
    return [change for change, _ in zip(found, range(count), strict=False)]


@lru_cache(maxsize=4096)
def _transitions_in(zone: str, year: int) -> tuple[Transition, ...]:
    """Return the clock changes of this UTC year."""
    place = ZoneInfo(zone)
    end = datetime(year + 1, 1, 1, tzinfo=UTC)
    # A second before the year begins, so that a change at its first instant belongs to it.
    low = datetime(year, 1, 1, tzinfo=UTC) - _SECOND
    before = _offset(place, low)
    found = []
    while low < end - _SECOND:
        high = min(low + _LOOK_EVERY, end - _SECOND)
        after = _offset(place, high)
        if after != before:
            found.append(Transition(_instant_of_change(place, low, high), before, after))
        low, before = high, after
    return tuple(found)


def _offset(place: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(place).utcoffset() or _NOTHING


def _instant_of_change(place: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first second at which the offset is not that of `low`."""
    before = _offset(place, low)
    seconds = int((high - low) / _SECOND)
    unchanged, changed = 0, seconds
    while changed - unchanged > 1:
        middle = (unchanged + changed) // 2
        if _offset(place, low + timedelta(seconds=middle)) == before:
            unchanged = middle
        else:
            changed = middle
    return low + timedelta(seconds=changed)


@lru_cache(maxsize=4096)
def _stretches_of(zone: str, year: int) -> tuple[_Stretch, ...]:
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    changes = _transitions_in(zone, year)
    first_repeats_until = _inherited_second_pass(zone, start)
    offset = changes[0].before_offset if changes else _offset(ZoneInfo(zone), start)
    ends = [change.at for change in changes] + [end]
    stretches = [_Stretch(start, ends[0], offset, None, first_repeats_until)]
    for change, its_end in zip(changes, ends[1:], strict=True):
        is_gap = change.kind == "gap"
        gap_from, repeats_until = (change.local_before, None) if is_gap else (None, change.local_before)
        stretches.append(_Stretch(change.at, its_end, change.after_offset, gap_from, repeats_until))
    return tuple(stretch for stretch in stretches if stretch.start < stretch.end)


def _inherited_second_pass(zone: str, start: datetime) -> datetime | None:
    """Return up to which local time a change in the last hours of the old year still repeats times in the new one."""
    eve, place = start - _LONGEST_CHANGE, ZoneInfo(zone)
    if _offset(place, eve) <= _offset(place, start - _SECOND):
        return None
    return _transitions_in(zone, eve.year)[-1].local_before


def _stretch_at(zone: str, moment: datetime) -> _Stretch:
    for stretch in _stretches_of(zone, moment.year):
        if moment < stretch.end:
            return stretch
    raise AssertionError(f"{moment} is in no stretch of its own year")


def next_in_zone(nominals: Nominals, zone: str, rule: DSTRule, after: datetime) -> Occurrence | None:
    """Return the first moment strictly after the given UTC time; None if none comes.

    Walks from one stretch of constant offset to the next. Within a stretch a nominal time is an instant by one addition;
    at its end a gap may give one moment, which is named by the first nominal time that the gap swallowed.
    """
    runs_in_gap = rule is not DSTRule.SKIP and nominals.is_fixed_time
    runs_twice = rule is DSTRule.BOTH or (rule is DSTRule.CRON_LIKE and not nominals.is_fixed_time)
    stretch = _stretch_at(zone, after)
    # Strictly after: datetimes have no finer step than a microsecond.
    local = after.replace(tzinfo=None) + stretch.offset + _LEAST
    while stretch.end.year < LAST_YEAR:
        if stretch.second_pass_until is not None and not runs_twice:
            local = max(local, stretch.second_pass_until)
        nominal = nominals.first_from(local)
        if nominal is None:
            return None
        due_at = nominal.replace(tzinfo=UTC) - stretch.offset
        if due_at < stretch.end:
            fold = int(stretch.second_pass_until is not None and nominal < stretch.second_pass_until)
            return Occurrence(due_at, calendar_key(nominal, fold, zone), nominal, fold, zone)
        stretch = _stretch_towards(zone, stretch, local, nominal)
        local = stretch.start.replace(tzinfo=None) + stretch.offset
        if stretch.gap_from is not None and runs_in_gap:
            swallowed = nominals.first_from(stretch.gap_from)
            if swallowed is not None and swallowed < local:
                return Occurrence(stretch.start, calendar_key(swallowed, 0, zone), swallowed, 0, zone)
    return None


def walk_zone(pattern: CalendarPattern, zone: str, rule: DSTRule, after: datetime) -> Iterator[Occurrence]:
    """Yield the moments that ``next_in_zone`` returns one after the other, for a third of the work where there are many."""
    runs_in_gap = rule is not DSTRule.SKIP and pattern.is_fixed_time
    runs_twice = rule is DSTRule.BOTH or (rule is DSTRule.CRON_LIKE and not pattern.is_fixed_time)
    stretch = _stretch_at(zone, after)
    local = after.replace(tzinfo=None) + stretch.offset + _LEAST
    while stretch.end.year < LAST_YEAR:
        repeated = stretch.second_pass_until
        if repeated is not None and not runs_twice:
            local = max(local, repeated)
        nominal = None
        for nominal, due_at in _instants(pattern, local, stretch.offset):
            if due_at >= stretch.end:
                break
            fold = int(repeated is not None and nominal < repeated)
            yield Occurrence(due_at, calendar_key(nominal, fold, zone), nominal, fold, zone)
            local = nominal
        else:
            return
        stretch = _stretch_towards(zone, stretch, local, nominal)
        local = stretch.start.replace(tzinfo=None) + stretch.offset
        if stretch.gap_from is not None and runs_in_gap:
            swallowed = pattern.first_from(stretch.gap_from)
            if swallowed is not None and swallowed < local:
                yield Occurrence(stretch.start, calendar_key(swallowed, 0, zone), swallowed, 0, zone)
                local += _LEAST


def _instants(pattern: CalendarPattern, local: datetime, offset: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield the nominal times from a local time on, each with its instant where the clock has an offset."""
    for midnight, seconds in pattern.days_from(local):
        begin = midnight.replace(tzinfo=UTC) - offset
        for second in seconds:
            since = timedelta(0, second)
            yield midnight + since, begin + since


def _stretch_towards(zone: str, stretch: _Stretch, local: datetime, nominal: datetime) -> _Stretch:
    """Return a later stretch before which nothing is due: the next one, or one far ahead when the next time is far.

    Between `local` and `nominal` there is no nominal time, so all stretches can be passed over that end well before
    `nominal`, unless the end of this stretch is so near that it could repeat times from before `local`.
    """
    reached = local.replace(tzinfo=UTC) - stretch.offset
    ahead = nominal.replace(tzinfo=UTC) - 2 * _LONGEST_CHANGE
    if stretch.end - reached > _LONGEST_CHANGE and ahead > stretch.end:
        return _stretch_at(zone, ahead)
    return _stretch_at(zone, stretch.end)
