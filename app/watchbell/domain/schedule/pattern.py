"""Which local dates and times a calendar pattern matches, found by looking up and never by stepping."""

from __future__ import annotations

import calendar
import dataclasses
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol

#: A year of a given kind (leap or not, weekday of 1 January) comes again after at most 40 years, around a century year
#: that is no leap year.
_YEARS_TO_LOOK_AHEAD = 41
#: Where searching ends; Python's own calendar ends with the year 9999.
LAST_YEAR = 9990
_A_DAY = timedelta(days=1)


class Nominals(Protocol):
    """A source of nominal local times in rising order."""

    @property
    def is_fixed_time(self) -> bool:
        """Return whether these are times of day that a person named, as opposed to a wildcard."""

    def first_from(self, local: datetime) -> datetime | None:
        """Return the first nominal time that is not before this one; None if none comes."""


class Dates(Protocol):
    """Which days of a year are meant, whatever the year is."""

    def days_of(self, leap: bool, weekday: int) -> Sequence[int]:
        """Return the days of a year that begins on a weekday, counted from 0 for 1 January, rising."""


@dataclasses.dataclass(frozen=True, slots=True)
class DatePattern:
    """The three date fields of a cron text that was checked."""

    day_of_month: str
    month: str
    day_of_week: str

    def days_of(self, leap: bool, weekday: int) -> Sequence[int]:
        return _matching_days(self, leap, weekday)


#: What most schedules say of dates; to see that today matches takes no calendar.
_EVERY_DAY = DatePattern("*", "*", "*")


@dataclasses.dataclass(frozen=True, slots=True)
class CalendarPattern:
    """Times of day on the dates of a date pattern."""

    dates: Dates
    #: Seconds since midnight, rising.
    times: tuple[int, ...]
    is_fixed_time: bool

    def first_from(self, local: datetime) -> datetime | None:
        day = local.date()
        whole = local if not local.microsecond else local.replace(microsecond=0) + timedelta(seconds=1)
        if whole.date() != day:
            day, second = whole.date(), 0
        else:
            second = whole.hour * 3600 + whole.minute * 60 + whole.second
        found = first_date_from(self.dates, day)
        if found == day:
            index = bisect_left(self.times, second)
            if index < len(self.times):
                return _at(found, self.times[index])
            found = first_date_from(self.dates, day + _A_DAY)
        return None if found is None else _at(found, self.times[0])

    def days_from(self, local: datetime) -> Iterator[tuple[datetime, Sequence[int]]]:
        """Yield all nominal times that are not before this one: the midnight of each day, and seconds since then, rising."""
        first = self.first_from(local)
        if first is None:
            return
        midnight = datetime.combine(first.date(), time())
        yield midnight, self.times[bisect_left(self.times, (first - midnight).seconds) :]
        while (day := first_date_from(self.dates, midnight.date() + _A_DAY)) is not None:
            midnight = datetime.combine(day, time())
            yield midnight, self.times


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time(second // 3600, second // 60 % 60, second % 60))


def first_date_from(dates: Dates, day: date) -> date | None:
    """Return the first matching date that is not before this one."""
    if dates == _EVERY_DAY and day.year < LAST_YEAR:
        return day
    first_of_year = date(day.year, 1, 1)
    matching = dates.days_of(calendar.isleap(day.year), first_of_year.weekday())
    index = bisect_left(matching, day.toordinal() - first_of_year.toordinal())
    if index < len(matching):
        return first_of_year + timedelta(days=matching[index])
    for year in range(day.year + 1, min(day.year + _YEARS_TO_LOOK_AHEAD, LAST_YEAR)):
        first_of_year = date(year, 1, 1)
        matching = dates.days_of(calendar.isleap(year), first_of_year.weekday())
        if matching:
            return first_of_year + timedelta(days=matching[0])
    return None


def comes_ever(dates: DatePattern) -> bool:
    """Return whether any date matches. The 14 kinds of year are all there are, so this is a proof and no search."""
    return any(_matching_days(dates, leap, weekday) for leap in (True, False) for weekday in range(7))


@lru_cache(maxsize=8192)
def _matching_days(dates: DatePattern, leap: bool, weekday: int) -> tuple[int, ...]:
    """Return the days of a year of this kind that match, counted from 0 for 1 January."""
    # Only here, so that what knows its dates already, as an agent on a device does, needs nothing but Python.
    from cronsim import CronSim

    rule = CronSim(f"0 0 {dates.day_of_month} * {dates.day_of_week}", datetime(2000, 1, 1))  # noqa: DTZ001
    months = CronSim(f"0 0 * {dates.month} *", datetime(2000, 1, 1)).months  # noqa: DTZ001
    first = date(_example_year(leap, weekday), 1, 1)
    days = (first + timedelta(days=number) for number in range(366 if leap else 365))
    return tuple(number for number, day in enumerate(days) if day.month in months and rule.match_day(day))


@lru_cache(maxsize=14)
def _example_year(leap: bool, weekday: int) -> int:
    return next(
        year for year in range(2000, 2028) if calendar.isleap(year) is leap and date(year, 1, 1).weekday() == weekday
    )
