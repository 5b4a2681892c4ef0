"""The `Every` and `AtTime` words: which there are, what they mean, and what is refused."""

from __future__ import annotations

import dataclasses
import re

from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.interval import UNITS, checked_interval
from watchbell.domain.schedule.pattern import CalendarPattern, DatePattern
from watchbell.errors import InputError

_DAYS = {
    "day": "*",
    "weekday": "1-5",
    "monday": "1",
    "tuesday": "2",
    "wednesday": "3",
    "thursday": "4",
    "friday": "5",
    "saturday": "6",
    "sunday": "0",
}
_COUNTS = ("minutes", "hours", "seconds")
_FIXED = {"every_4_hour": "0 */4 * * *", "every_day_hour": "0 * * * *"}
#: All words in the order in which a form offers them.
EVERY_WORDS = (*_DAYS, *_COUNTS, *_FIXED)
_TIME = re.compile(r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?", re.ASCII)
_LONGEST_TEXT = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """Every N units, counted from the anchor of the schedule."""

    every: int
    unit: str


def read_words(every_word: str, at_time: str) -> CalendarPattern | Count:
    """Return what the two words mean; raise InputError on `every_word` or `at_time`."""
    if every_word in _DAYS:
        return CalendarPattern(DatePattern("*", "*", _DAYS[every_word]), (_second_of_day(at_time),), is_fixed_time=True)
    if every_word in UNITS and every_word in _COUNTS:
        return Count(*checked_interval(_count(every_word, at_time), every_word, "at_time"))
    if every_word in _FIXED:
        # These two words say everything; the time beside them has always been ignored.
        return read_cron(_FIXED[every_word]).pattern
    raise InputError.of("every_word", f"{every_word[:_LONGEST_TEXT]!r} is not one of {', '.join(EVERY_WORDS)}", "day")


def _second_of_day(at_time: str) -> int:
    match = _TIME.fullmatch(at_time)
    if match is None:
        raise InputError.of(
            "at_time",
            f"{at_time[:_LONGEST_TEXT]!r} is not a time from 00:00 to 23:59 with two digits for the hour",
            "09:30",
        )
    return int(match["hour"]) * 3600 + int(match["minute"]) * 60 + int(match["second"] or 0)


def _count(every_word: str, at_time: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", at_time, re.ASCII):
        raise InputError.of(
            "at_time", f"with {every_word!r} this is a whole number from 1, not {at_time[:_LONGEST_TEXT]!r}", "5"
        )
    return int(at_time)
