"""Days of calendars from elsewhere: an iCalendar file, or the public holidays of a country and region."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from watchbell.domain.day_calendar import MOST_LINES, Entry, clean_label, to_text, whole_days
from watchbell.errors import InputError

#: A calendar file of this length has more events than a calendar of ours takes.
LONGEST_FILE = 1_000_000
MOST_EVENTS = MOST_LINES
#: Reading each costs far more than its length.
MOST_ZONES = 100
#: How many years of holidays are taken if nobody says so, and at the most: from this year on.
YEARS, MOST_YEARS = 10, 30
#: How often an event that comes again each year is written out; others that come again are taken for their first time.
_EXAMPLE = "holidays.ics"
_FOLD = re.compile(r"\r?\n[ \t]")
_HALF = re.compile("[\ud800-\udfff]")
_A_DAY = timedelta(days=1)
_A_YEAR = timedelta(days=366)


def read_ical(text: str) -> str:
    """Return the events of an iCalendar file as the days of a calendar.

    An event of whole days is whole days, one with times is a window in the local time that it names, one that comes again
    each year on its day is a day of every year. Raises InputError on ``ical`` for what is no such file or holds too much.
    """
    if len(text) > LONGEST_FILE:
        raise InputError.of("ical", f"must be at most {LONGEST_FILE:,} characters", _EXAMPLE)
    if _HALF.search(text):
        raise InputError.of("ical", "this holds half a character, which no text may hold", _EXAMPLE)
    if _FOLD.sub("", text).upper().count("VTIMEZONE") > 2 * MOST_ZONES:
        raise InputError.of("ical", f"there are more than {MOST_ZONES} time zones in it", _EXAMPLE)
    # Loading it takes a tenth of a second, which nobody pays who reads no such file.
    import icalendar

    try:
        parsed = icalendar.Calendar.from_ical(text)
        events = parsed.walk("VEVENT")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise InputError.of("ical", f"this is no iCalendar file: {str(error)[:120]}", _EXAMPLE) from None
    finally:
        # It would keep the time zones of each file for good, thousands of them if somebody likes.
        icalendar.timezone.tzp.use_zoneinfo()
    if not events:
        raise InputError.of("ical", "there is no event in this file", _EXAMPLE)
    if len(events) > MOST_EVENTS:
        raise InputError.of("ical", f"there are {len(events):,} events in it, and at most {MOST_EVENTS:,} are possible")
    days: list[Entry] = []
    for number, event in enumerate(events, 1):
        days += _entries(event, number)
        if len(days) > MOST_LINES:
            raise InputError.of("ical", f"there are more days in it than the {MOST_LINES:,} that are possible")
    return to_text(days)


def _entries(event: Any, number: int) -> list[Entry]:
    """Return what an event comes to; raises InputError that names it."""
    said = event.get("SUMMARY", "")
    # It is a list where it stands there twice.
    label = clean_label(str(said[0] if isinstance(said, list) else said))
    where = f"event {number}{f' ({label})' if label else ''}"
    try:
        begin = event.decoded("DTSTART")
        end = event.decoded("DTEND", None)
        if end is None and (length := event.decoded("DURATION", None)) is not None:
            end = begin + length
        rule = event.get("RRULE")
        entry = _entry(begin, end, label)
        if entry.end <= entry.begin:
            raise InputError.of("ical", f"{where} ends before it begins", _EXAMPLE)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        raise InputError.of("ical", f"{where} has no beginning that can be read", _EXAMPLE) from None
    if rule is None:
        return [entry]
    return _repeated(entry, rule, where)


def _entry(begin: Any, end: Any, label: str) -> Entry:
    if isinstance(begin, datetime):
        first = begin.replace(tzinfo=None, second=0, microsecond=0)
        last = end.replace(tzinfo=None, second=0, microsecond=0) if isinstance(end, datetime) else first
        # An event without a length stands for its day.
        if last == first:
            return whole_days(first.date(), first.date(), label)
        return Entry(first, last, label)
    if not isinstance(begin, date):
        raise TypeError("no date")
    # The end of an event of whole days is the day after it.
    last_day = end - _A_DAY if isinstance(end, date) and end > begin else begin
    return whole_days(begin, last_day, label)


def _repeated(entry: Entry, rule: Any, where: str) -> list[Entry]:
    """Return the entry of an event that comes again, as far as it does so in a way that a calendar of ours knows."""
    try:
        is_plain = [str(word).upper() for word in rule.get("FREQ", [])] == ["YEARLY"] and not (
            {str(name).upper() for name in rule} - {"FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "WKST"}
        )
        is_plain = is_plain and rule.get("INTERVAL", [1]) == [1]
    except (AttributeError, ValueError, TypeError):
        # There are several rules, or one that the library could not read, which it says only when it is looked at.
        is_plain = False
    if not is_plain or not entry.is_whole_days:
        raise InputError.of(
            "ical", f"{where} comes again in a way that is not taken here; only whole days of every year are", _EXAMPLE
        )
    if entry.end - entry.begin > _A_YEAR:
        raise InputError.of("ical", f"{where} comes again each year and lasts longer than one", _EXAMPLE)
    day, days = entry.begin.date(), []
    while day < entry.end.date():
        # The year does not matter, but has to have a 29 February.
        begin = datetime.combine(day.replace(year=2000), time())
        days.append(Entry(begin, begin + _A_DAY, entry.label, is_yearly=True))
        day += _A_DAY
    return days


@dataclasses.dataclass(frozen=True, slots=True)
class Country:
    """A country whose holidays are known."""

    code: str
    regions: Sequence[str]


def is_possible() -> bool:
    """Return whether holidays are known here at all: the library is an extra, and may not be installed."""
    import importlib.util

    return importlib.util.find_spec("holidays") is not None


def list_countries() -> list[Country]:
    """Return the countries whose holidays are known, by their codes; none where the library is not installed."""
    if not is_possible():
        return []
    import holidays

    found = holidays.list_supported_countries(include_aliases=False)
    return [Country(code, tuple(regions)) for code, regions in sorted(found.items())]


def read_holidays(country: str, region: str, *, first_year: int, years: int) -> str:
    """Return the public holidays of a country, and of a region of it, as the days of a calendar.

    Raises InputError on ``country``, ``region`` and ``years``.
    """
    if not is_possible():
        raise InputError.of(
            "country", "the list of holidays is not installed here: pip install 'watchbell[holidays]'", None
        )
    if not 1 <= years <= MOST_YEARS:
        raise InputError.of("years", f"must be between 1 and {MOST_YEARS}", str(YEARS))
    import holidays

    known = {one.code: one.regions for one in list_countries()}
    code, part = country.strip().upper(), region.strip().upper()
    if code not in known:
        raise InputError.of("country", f"{country[:20]!r} is not the code of a country whose holidays are known", "DE")
    regions = {name.upper(): name for name in known[code]}
    if part and part not in regions:
        offered = ", ".join(list(regions.values())[:40]) or "none"
        raise InputError.of("region", f"{region[:20]!r} is not a region of {code}; there are: {offered}", None)
    span = range(first_year, first_year + years)
    found = holidays.country_holidays(code, subdiv=regions.get(part), years=span)
    return to_text(whole_days(day, day, clean_label(label)) for day, label in found.items() if day.year in span)
