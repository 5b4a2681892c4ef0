"""The days of a named calendar in a year, as its page shows them."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, time, timedelta

from watchbell.domain.day_calendar import DayCalendar

_A_DAY = timedelta(days=1)


def days_of_year(calendar: DayCalendar, year: int, *, weekdays: bool = True) -> list[tuple[date, str]]:
    """Return the days of a year that a calendar touches and what it calls them, with or without its weekdays."""
    asked = calendar if weekdays else dataclasses.replace(calendar, weekdays="")
    found = []
    day = date(year, 1, 1)
    while day.year == year:
        if asked.touches(day):
            found.append((day, _label(asked, day)))
        day += _A_DAY
    return found


def _label(calendar: DayCalendar, day: date) -> str:
    label = calendar.find(datetime.combine(day, time()))
    if label is not None:
        return label
    begin = datetime.combine(day, time())
    windows = [one for one in calendar.entries if one.begin < begin + _A_DAY and one.end > begin and not one.is_yearly]
    return ", ".join(
        f"{max(one.begin, begin):%H:%M}-{min(one.end, begin + _A_DAY):%H:%M} {one.label}".strip() for one in windows
    )
