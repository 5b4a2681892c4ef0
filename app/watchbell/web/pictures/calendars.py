"""Calendars as they are drawn: a year as columns of weeks, a month as rows of them, and a week as hours by days."""

from __future__ import annotations

import calendar
import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from watchbell.web.pictures import looks

SIZE = 13
GAP = 2
_LEVELS = 4
_LEFT, _TOP = 30, 18
_BAD = ("failed", "lost", "timed_out", "missed")


@dataclasses.dataclass(frozen=True, slots=True)
class DayCell:
    """One day of the year."""

    day: date
    x: int
    y: int
    counts: Mapping[str, int]
    #: 0 for nothing, up to 4 for the most.
    level: int
    #: The worst of what went wrong; empty if nothing did.
    bad: str

    @property
    def total(self) -> int:
        """Return how many runs there were."""
        return sum(self.counts.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Year:
    """The last twelve months, a column for each week that begins on Monday."""

    cells: Sequence[DayCell]
    #: Where each month begins: x and the month.
    months: Sequence[tuple[int, date]]
    #: Where the labels of weekdays stand: y and the weekday.
    weekdays: Sequence[tuple[int, int]]
    width: int
    height: int

    @property
    def total(self) -> int:
        """Return how many runs there were."""
        return sum(cell.total for cell in self.cells)

    @property
    def bad_days(self) -> int:
        """Return on how many days something went wrong."""
        return sum(bool(cell.bad) for cell in self.cells)


def first_day(last: date) -> date:
    """Return the first day of the twelve months that end with a day."""
    year_before = last.year - 1
    return date(year_before, last.month, min(last.day, calendar.monthrange(year_before, last.month)[1])) + timedelta(
        days=1
    )


def year(counts: Mapping[date, Mapping[str, int]], last: date) -> Year:
    """Return the year that ends with a day."""
    first = first_day(last)
    monday = first - timedelta(days=first.weekday())
    most = max((sum(of_day.values()) for of_day in counts.values()), default=0)
    cells, months = [], []
    day = first
    while day <= last:
        x = _LEFT + (day - monday).days // 7 * (SIZE + GAP)
        of_day = counts.get(day, {})
        worst = looks.worst_of({state: of_day.get(state, 0) for state in _BAD})
        bad = worst if worst in _BAD else ""
        y = _TOP + day.weekday() * (SIZE + GAP)
        cells.append(DayCell(day, x, y, of_day, level_of(sum(of_day.values()), most), bad))
        if day.day == 1:
            months.append((x, day))
        day += timedelta(days=1)
    weekdays = [(_TOP + n * (SIZE + GAP) + SIZE - 3, n) for n in (0, 2, 4, 6)]
    width = cells[-1].x + SIZE + GAP
    return Year(cells, months, weekdays, width, _TOP + 7 * (SIZE + GAP))


def level_of(number: int, most: int) -> int:
    """Return how dark a cell is: the square root spreads the small numbers, which are most of them."""
    if not number or not most:
        return 0
    return max(1, min(_LEVELS, round(math.sqrt(number / most) * _LEVELS)))


def month_weeks(first: date) -> list[list[date]]:
    """Return the weeks of a month from Monday to Sunday, with the days of the months before and after that belong to them."""
    return calendar.Calendar().monthdatescalendar(first.year, first.month)


def shifted(first: date, months: int) -> date:
    """Return the first day of another month."""
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
