"""Named calendars of days, such as the holidays of a country: what a line of one means, and which local times are its own.

A calendar has no zone: its days are those of whoever asks. It is kept as text, a line for each day or window, so that
a schedule can carry it and ten thousand tasks with the same one share one reading of it.
"""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, Problem

NAME_LIMIT = 60
LABEL_LIMIT = 80
MOST_LINES = 2000
#: What all ranges together may come to.
MOST_DAYS = 8000
NO_DAYS = "a calendar has at least one day or weekday"
_MOST_PROBLEMS = 10
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = rf"{_DAY}[T ][0-9]{{2}}:[0-9]{{2}}"
_LINE = re.compile(
    rf"(?:(?P<yearly>[0-9]{{2}}-[0-9]{{2}})|(?P<begin>{_TIME})\s*/\s*(?P<end>{_TIME})"
    rf"|(?P<first>{_DAY})(?:\s*/\s*(?P<last>{_DAY}))?)(?:\s+(?P<label>\S.*))?",
    re.ASCII,
)
_EXAMPLE = "2030-12-25 Christmas Day"
_A_DAY = timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One line: from a local time until before another one, every year if it has no year of its own."""

    begin: datetime
    end: datetime
    label: str = ""
    is_yearly: bool = False

    @property
    def is_whole_days(self) -> bool:
        """Return whether it begins and ends with a day."""
        return self.begin.time() == time() == self.end.time()

    def to_line(self) -> str:
        """Return the line that means this."""
        last = (self.end - _A_DAY).date()
        if self.is_yearly:
            shown = f"{self.begin:%m-%d}"
        elif not self.is_whole_days:
            shown = f"{self.begin:%Y-%m-%dT%H:%M}/{self.end:%Y-%m-%dT%H:%M}"
        elif last == self.begin.date():
            shown = f"{last}"
        else:
            shown = f"{self.begin.date()}/{last}"
        return f"{shown} {self.label}".strip()


@dataclasses.dataclass(frozen=True)
class DayCalendar:
    """A calendar as a schedule carries it. Those from outside come through ``build_calendar``, which checks them."""

    name: str
    #: Lines as ``Entry.to_line`` writes them.
    days: str = ""
    #: Names of weekdays that are its own in each week, with commas between them.
    weekdays: str = ""

    def find(self, local: datetime) -> str | None:
        """Return what the calendar calls the day or window in which a local time lies; None if it is not its own."""
        return _read(self.days, self.weekdays).find(local)

    def touches(self, day: date) -> bool:
        """Return whether any part of a day is its own."""
        return _read(self.days, self.weekdays).touches(day)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return its lines, in their order in time."""
        return _read(self.days, self.weekdays).entries


class _Read:
    """A calendar in the form in which it is asked."""

    def __init__(self, entries: Iterable[Entry], weekdays: frozenset[int]) -> None:
        self.entries = tuple(sorted(entries, key=lambda one: (not one.is_yearly, one.begin, one.end)))
        self._weekdays = weekdays
        self._yearly = {(one.begin.month, one.begin.day): one.label for one in self.entries if one.is_yearly}
        self._days = {
            day: one.label
            for one in reversed(self.entries)
            if one.is_whole_days and not one.is_yearly
            for day in _days_of(one)
        }
        self._windows = [one for one in self.entries if not one.is_whole_days]
        self._begins = [one.begin for one in self._windows]
        #: No window is longer, so none that began earlier than this before a time can hold it.
        self._longest = max((one.end - one.begin for one in self._windows), default=timedelta())

    def find(self, local: datetime) -> str | None:
        found = self._of_day(local.date())
        if found is not None or not self._windows:
            return found
        low = bisect_left(self._begins, local - self._longest)
        for window in self._windows[low : bisect_right(self._begins, local)]:
            if window.begin <= local < window.end:
                return window.label
        return None

    def touches(self, day: date) -> bool:
        if self._of_day(day) is not None:
            return True
        begin = datetime.combine(day, time())
        return any(one.begin < begin + _A_DAY and one.end > begin for one in self._windows)

    def _of_day(self, day: date) -> str | None:
        if day in self._days:
            return self._days[day]
        if (day.month, day.day) in self._yearly:
            return self._yearly[day.month, day.day]
        return "" if day.weekday() in self._weekdays else None


def _days_of(entry: Entry) -> Iterator[date]:
    day = entry.begin.date()
    while day < entry.end.date():
        yield day
        day += _A_DAY


# Up to 2 MiB each, and whoever looks at a preview chooses the text.
@lru_cache(maxsize=64)
def _read(days: str, weekdays: str) -> _Read:
    numbers = frozenset(WEEKDAYS.index(name) for name in weekdays.split(",") if name)
    return _Read((_entry(line) for line in days.split("\n") if line), numbers)


def build_calendar(name: object, days: object, weekdays: object = "") -> DayCalendar:
    """Return a calendar from what a person gave; raises InputError on ``name``, ``days`` and ``weekdays``.

    ``days`` is text with a line for each: a day, two days with / between them, two local times with / between them, or a
    month and a day for every year; what follows is a label. ``weekdays`` are names such as sat, sun.
    """
    problems: list[Problem] = []
    values = []
    for reader, value in ((_name, name), (_lines, days), (_weekdays, weekdays)):
        try:
            values.append(reader(value))
        except InputError as error:
            problems += error.problems
    if not problems and not values[1] and not values[2]:
        problems.append(Problem("days", NO_DAYS, _EXAMPLE))
    if problems:
        raise InputError(*problems)
    return DayCalendar(*values)


def to_text(entries: Iterable[Entry]) -> str:
    """Return entries as the text of a calendar, each once and in their order."""
    ordered = sorted(entries, key=lambda one: (not one.is_yearly, one.begin, one.end))
    return "\n".join(dict.fromkeys(one.to_line() for one in ordered))


def whole_days(first: date, last: date, label: str = "") -> Entry:
    """Return an entry of whole days, both included."""
    return Entry(datetime.combine(first, time()), datetime.combine(last + _A_DAY, time()), clean_label(label))


def clean_label(label: str) -> str:
    """Return what a calendar from elsewhere calls a day, in a form that can be kept."""
    # A semicolon stands between the clauses of a reason.
    words = " ".join("".join(char if is_visible(char) else " " for char in label.replace(";", ",")).split())
    return words[:LABEL_LIMIT].strip()


def _name(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise InputError.of("name", "must not be empty", "holidays-de")
    if len(text) > NAME_LIMIT or not is_visible(text) or "/" in text:
        raise InputError.of("name", f"must be at most {NAME_LIMIT} printable characters without a /", "holidays-de")
    return text


def _weekdays(value: object) -> str:
    parts = value if isinstance(value, list | tuple) else str(value or "").replace(",", " ").split()
    names = {str(part).strip().lower()[:3] for part in parts if str(part).strip()}
    if unknown := sorted(names - set(WEEKDAYS)):
        raise InputError.of("weekdays", f"{unknown[0]!r} is not one of {', '.join(WEEKDAYS)}", "sat, sun")
    return ",".join(name for name in WEEKDAYS if name in names)


def _lines(value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise InputError.of("days", "must be a text", _EXAMPLE)
    lines = [line.strip() for line in (value or "").replace("\r", "\n").split("\n") if line.strip()]
    if len(lines) > MOST_LINES:
        raise InputError.of("days", f"must be at most {MOST_LINES} lines", _EXAMPLE)
    problems: list[Problem] = []
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(_entry(line))
        except ValueError as error:
            problems.append(Problem("days", f"line {number} is not understood: {error}", _EXAMPLE))
    if problems:
        raise InputError(*problems[:_MOST_PROBLEMS])
    if sum((one.end - one.begin).days for one in entries) > MOST_DAYS:
        raise InputError.of("days", f"must be at most {MOST_DAYS} days in all", _EXAMPLE)
    return to_text(entries)


def _entry(line: str) -> Entry:
    """Return what a line means; raises ValueError in words."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:40]!r} does not begin with a day")
    label = match["label"] or ""
    if len(label) > LABEL_LIMIT or not is_visible(label):
        raise ValueError(f"what follows the day must be at most {LABEL_LIMIT} printable characters")
    if match["yearly"]:
        # A leap year, so that 29 February is a day.
        first = _day(f"2000-{match['yearly']}")
        return dataclasses.replace(whole_days(first, first, label), is_yearly=True)
    if match["begin"]:
        begin, end = (_local(match[part]) for part in ("begin", "end"))
    else:
        first, last = _day(match["first"]), _day(match["last"] or match["first"])
        _require_years(first, last)
        begin, end = datetime.combine(first, time()), datetime.combine(last + _A_DAY, time())
    if end <= begin:
        raise ValueError("it ends before it begins")
    _require_years(begin, end)
    return Entry(begin, end, label)


def _require_years(begin: date, end: date) -> None:
    if not (_FIRST_YEAR <= begin.year <= _LAST_YEAR and _FIRST_YEAR <= end.year <= _LAST_YEAR):
        raise ValueError(f"its years are not between {_FIRST_YEAR} and {_LAST_YEAR}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text.removeprefix('2000-')} does not exist") from None


def _local(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        raise ValueError(f"{text} does not exist") from None
