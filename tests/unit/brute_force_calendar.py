"""A second, slow way to find due moments, to check the product's: look at every minute and at what the clock shows.

It shares no code and no idea with the product. It steps through UTC by minutes, asks zoneinfo what the wall clock shows,
and remembers what the clock has shown before, so that a repeated time is one seen twice and a missing time is one that
was jumped over.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()


def due_in(
    matches: Callable[[datetime], bool], *, fixed: bool, zone: str, rule: str, start: datetime, end: datetime
) -> list[tuple[datetime, datetime, int]]:
    """Return (due, nominal wall time, fold) for every moment with start < due <= end."""
    place = ZoneInfo(zone)
    twice = rule == "both" or (rule == "cron_like" and not fixed)
    gap_runs = fixed and rule != "skip"
    # Begin early enough to have seen every wall time that could come a second time.
    moment = start - timedelta(hours=27)
    shown: set[datetime] = set()
    before = None
    found = []
    while moment <= end:
        wall = moment.astimezone(place).replace(tzinfo=None, fold=0)
        again = wall in shown
        shown.add(wall)
        names = [(wall, int(again))] if matches(wall) and (twice or not again) else []
        if gap_runs and before is not None:
            missing = before + MINUTE
            while missing < wall:
                if matches(missing):
                    names.append((missing, 0))
                missing += MINUTE
        if names and start < moment:
            found.append((moment, *min(names)))
        before = wall
        moment += MINUTE
    return found


def is_fixed(text: str) -> bool:
    minute, hour = text.split()[:2]
    return "*" not in minute + hour


def matcher(text: str) -> Callable[[datetime], bool]:
    """Return whether a wall time matches five plain cron fields."""
    minutes, hours, date_matches = fields_of(text)
    return lambda wall: wall.minute in minutes and wall.hour in hours and date_matches(wall.date())


def fields_of(text: str) -> tuple[set[int], set[int], Callable[[date], bool]]:
    """Return the minutes and hours of a cron text, and whether a date matches its other three fields."""
    minute, hour, day, month, weekday = text.lower().split()
    minutes, hours = numbers(minute, 0, 59), numbers(hour, 0, 23)
    months = numbers(month, 1, 12, MONTHS)

    @cache
    def date_matches(when: date) -> bool:
        if when.month not in months:
            return False
        by_day = any(day_matches(item, when) for item in day.split(","))
        by_weekday = any(weekday_matches(item, when) for item in weekday.split(","))
        if day.startswith("*") or weekday.startswith("*"):
            return by_day and by_weekday
        return by_day or by_weekday

    return minutes, hours, date_matches


def day_matches(item: str, when: date) -> bool:
    last = calendar.monthrange(when.year, when.month)[1]
    if item == "l":
        return when.day == last
    if item == "lw":
        workdays = [number for number in range(1, last + 1) if when.replace(day=number).isoweekday() < 6]
        return when.day == workdays[-1]
    return when.day in numbers(item, 1, 31)


def weekday_matches(item: str, when: date) -> bool:
    today = when.isoweekday() % 7
    if item.endswith("l"):
        is_last = (when + timedelta(days=7)).month != when.month
        return is_last and today in numbers(item[:-1], 0, 7, DAYS)
    if "#" in item:
        name, nth = item.split("#")
        return today in numbers(name, 0, 7, DAYS) and (when.day - 1) // 7 + 1 == int(nth)
    return today in numbers(item, 0, 7, DAYS)


def numbers(field: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    """Return the numbers of a field; for weekdays 7 counts as 0."""
    result: set[int] = set()
    for item in field.split(","):
        base, _, step = item.partition("/")
        first, _, last = base.partition("-")
        if base == "*":
            begin, end = low, high
        else:
            begin = value(first, low, names)
            end = value(last, low, names) if last else high if step else begin
        if end < begin:
            circle = [*range(begin, 7 if high == 7 else high + 1), *range(low, end + 1)]
        else:
            circle = list(range(begin, end + 1))
        result.update(circle[:: int(step or 1)])
    return {number % 7 for number in result} if high == 7 else result


def value(text: str, low: int, names: list[str] | None) -> int:
    return names.index(text) + low if names and text in names else int(text)
