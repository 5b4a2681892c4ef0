"""The minute stepper, fast enough for all zones and decades: one diary of a zone serves every cron text.

It has nothing in common with the product, which computes instants by looking up patterns in stretches of constant offset.
Here a zone's clock is looked at every quarter of an hour from 2000 to 2037; where it has changed in between, the days
around are stepped through minute by minute, and the diary notes at which minute each wall time was shown, whether it had
been shown before, and which ones were jumped over. On all other days a wall time is shown once, so a day is one line.
What a cron text says is read by tests/unit/brute_force_calendar.py: as minutes of the day, and a yes or no for each date.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.unit.brute_force_calendar import fields_of, is_fixed

FIRST_YEAR, LAST_YEAR = 2000, 2037
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WALL = datetime(1970, 1, 1)
_DAY = 1440
_QUARTER = 15
#: Days on both sides of a change that are looked at minute by minute; no clock ever changed by more than one.
_AROUND = 2
#: Ordinals of 1 January 1970, and of the first and last dates that any zone shows in these years.
_EPOCH_DATE = date(1970, 1, 1).toordinal()
_FIRST_DATE, _LAST_DATE = date(FIRST_YEAR - 1, 12, 20).toordinal(), date(LAST_YEAR + 1, 1, 12).toordinal()

#: (UTC minute, nominal wall minute, fold): minutes since 1970, the latter as if the wall clock were UTC.
Due = tuple[int, int, int]


def minute_of(moment: datetime) -> int:
    """Return whole minutes since 1970 of an aware moment, or of a naive wall time."""
    since = moment - (_EPOCH if moment.tzinfo else _EPOCH_WALL)
    return since.days * _DAY + since.seconds // 60


@dataclasses.dataclass
class Meaning:
    """What a cron text says: minutes of the day, and for each date whether it matches."""

    text: str
    minutes: list[int]
    dates: bytearray
    is_fixed: bool


@lru_cache(maxsize=1024)
def meaning_of(text: str) -> Meaning:
    minutes, hours, matches = fields_of(text)
    dates = bytearray(matches(date.fromordinal(number)) for number in range(_FIRST_DATE, _LAST_DATE))
    return Meaning(text, sorted(60 * h + m for h in hours for m in minutes), dates, is_fixed(text))


@dataclasses.dataclass
class Window:
    """Days around changes of a clock, minute by minute: by minute of the day, what was shown and what was jumped over."""

    start: int
    end: int
    #: minute of the day -> (UTC minute, date, shown before)
    shown: dict[int, list[tuple[int, int, int]]]
    #: minute of the day -> (UTC minute of the jump, date)
    jumped: dict[int, list[tuple[int, int]]]


class Diary:
    """What the clock of a zone shows in some years."""

    def __init__(
        self, zone: str, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR, *, steps: bool = True
    ) -> None:
        self._place = ZoneInfo(zone)
        self.start = minute_of(datetime(first_year, 1, 1, tzinfo=UTC))
        self.end = minute_of(datetime(last_year + 1, 1, 1, tzinfo=UTC))
        #: (minute from which on, offset in minutes)
        self.offsets: list[tuple[int, int]] = []
        self.changes: list[int] = []
        self._look()
        self.windows = [self._step(start, end) for start, end in self._spans()] if steps else []

    def due(self, text: str, rule: str) -> list[Due]:
        """Return all moments of a cron text, in order."""
        meaning = meaning_of(text)
        found = [due for window in self.windows for due in self.due_in(window, meaning, rule)]
        free = self.start
        for window in [*self.windows, Window(self.end, self.end, {}, {})]:
            found += self._due_on_plain_days(meaning, free, window.start)
            free = window.end
        return sorted(found)

    def due_in(self, window: Window, meaning: Meaning, rule: str) -> list[Due]:
        """Return the moments within a window."""
        twice = rule == "both" or (rule == "cron_like" and not meaning.is_fixed)
        names: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for minute in meaning.minutes:
            for at, day, again in window.shown.get(minute, ()):
                if meaning.dates[day - _FIRST_DATE] and (twice or not again):
                    names[at].append(((day - _EPOCH_DATE) * _DAY + minute, again))
            if meaning.is_fixed and rule != "skip":
                for at, day in window.jumped.get(minute, ()):
                    if meaning.dates[day - _FIRST_DATE]:
                        names[at].append(((day - _EPOCH_DATE) * _DAY + minute, 0))
        return sorted((at, *min(several)) for at, several in names.items())

    def _due_on_plain_days(self, meaning: Meaning, start: int, end: int) -> list[Due]:
        if start >= end:
            return []
        offset = self._offset_at(start)
        found = []
        for day in range((start + offset) // _DAY, (end + offset) // _DAY + 1):
            if meaning.dates[day + _EPOCH_DATE - _FIRST_DATE]:
                begin = day * _DAY
                here = [(begin + minute - offset, begin + minute, 0) for minute in meaning.minutes]
                is_whole = start <= begin - offset and begin + _DAY - offset <= end
                found += here if is_whole else [due for due in here if start <= due[0] < end]
        return found

    def _offset(self, minute: int) -> int:
        offset = datetime.fromtimestamp(60 * minute, self._place).utcoffset() or timedelta(0)
        # Since 1972 no clock differs from UTC by a part of a minute.
        return offset.days * _DAY + offset.seconds // 60

    def _offset_at(self, minute: int) -> int:
        return next(offset for since, offset in reversed(self.offsets) if since <= minute)

    def _look(self) -> None:
        """Find the minutes from which the clock shows another offset."""
        begin = self.start - _AROUND * _DAY
        before = self._offset(begin)
        self.offsets.append((begin, before))
        for quarter in range(begin, self.end + _AROUND * _DAY, _QUARTER):
            after = self._offset(quarter)
            if after != before:
                minute = next(m for m in range(quarter - _QUARTER + 1, quarter + 1) if self._offset(m) != before)
                self.offsets.append((minute, after))
                self.changes.append(minute)
                before = after

    def _spans(self) -> list[tuple[int, int]]:
        """Return the days around the changes; the years begin and end with plain days or with such a span."""
        spans: list[tuple[int, int]] = []
        for change in self.changes:
            start, end = max(change - _AROUND * _DAY, self.start), min(change + _AROUND * _DAY, self.end)
            if start >= end:
                continue
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans

    def _step(self, start: int, end: int) -> Window:
        """Step through a span and note what the clock shows, beginning early enough to know what it has shown."""
        window = Window(start, end, defaultdict(list), defaultdict(list))
        seen: set[int] = set()
        before = None
        for minute in range(start - 27 * 60, end):
            wall = minute + self._offset(minute)
            again = int(wall in seen)
            seen.add(wall)
            if minute >= start:
                window.shown[wall % _DAY].append((minute, wall // _DAY + _EPOCH_DATE, again))
                for missing in range(wall if before is None else before + 1, wall):
                    window.jumped[missing % _DAY].append((minute, missing // _DAY + _EPOCH_DATE))
            before = wall
        return window
