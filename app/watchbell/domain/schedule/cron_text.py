"""Reading cron text as Debian's cron does, plus @names, wrapped ranges, L, LW and #; the dates are found in `pattern`.

cronsim judges and evaluates the text. What stands here refuses hostile texts before they cost anything, names the field
that is wrong, and writes the text in the form that cronsim knows.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from functools import lru_cache

from watchbell.domain.schedule.pattern import CalendarPattern, DatePattern, comes_ever
from watchbell.errors import InputError

#: No honest cron text is longer; all sixty minutes written out take 170 characters.
LONGEST_TEXT = 400
MOST_ITEMS = 64
_EXAMPLE = "30 2 * * mon-fri"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMED_TEXTS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields: its name, its lowest and highest number, and the names of its numbers."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    example: str = ""

    @property
    def turn(self) -> int:
        """Return how many different values there are; weekday 7 is weekday 0 again."""
        return 7 if self.names is _WEEKDAYS else self.high - self.low + 1


_FIELDS = (
    _Field("minute", 0, 59, example="0,30"),
    _Field("hour", 0, 23, example="9-17"),
    _Field("day of month", 1, 31, example="1,15"),
    _Field("month", 1, 12, _MONTHS, example="jan-mar"),
    _Field("weekday", 0, 7, _WEEKDAYS, example="mon-fri"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class CronText:
    """A cron text that was understood."""

    #: Five fields in the spelling of cronsim.
    canonical: str
    pattern: CalendarPattern


@lru_cache(maxsize=16_384)
def read_cron(text: str) -> CronText:
    """Return what the text means; raise InputError on the field `cron` saying what is wrong with it."""
    # Only here, as in `pattern`.
    from cronsim import CronSim, CronSimError

    parts = _five_fields(text)
    canonical = [_canonical_field(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    joined = " ".join(canonical)
    dates = DatePattern(*canonical[2:])
    try:
        rule = CronSim(joined, datetime(2000, 1, 1))  # noqa: DTZ001 - nominal times have no zone
    except CronSimError as error:
        # After the checks above this is left for dates only, such as 30 February.
        raise _refusal(_never_comes(dates)) from error
    if not comes_ever(dates):
        raise _refusal(_never_comes(dates))
    times = _times(tuple(sorted(rule.hours)), tuple(sorted(rule.minutes)))
    is_fixed_time = "*" not in canonical[0] and "*" not in canonical[1]
    return CronText(joined, CalendarPattern(dates, times, is_fixed_time))


@lru_cache(maxsize=1024)
def _times(hours: tuple[int, ...], minutes: tuple[int, ...]) -> tuple[int, ...]:
    # Shared between texts: a task of every minute has 1,440 times, and ten thousand tasks must not each keep their own.
    return tuple(hour * 3600 + minute * 60 for hour in hours for minute in minutes)


def _refusal(message: str, example: str = _EXAMPLE) -> InputError:
    return InputError.of("cron", message, example)


def _never_comes(dates: DatePattern) -> str:
    return f"this date never comes: day of month {dates.day_of_month}, month {dates.month}, weekday {dates.day_of_week}"


def _five_fields(text: str) -> list[str]:
    if len(text) > LONGEST_TEXT:
        raise _refusal(f"a cron text has at most {LONGEST_TEXT} characters and this one has {len(text)}")
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise _refusal("a cron text holds only plain letters, digits and * , - / # @")
    words = text.lower().split()
    if not words:
        raise _refusal("the cron text is empty")
    if words[0].startswith("@"):
        return _named_fields(words)
    if len(words) != len(_FIELDS):
        raise _refusal(
            f"a cron text has five fields (minute, hour, day of month, month, weekday) and this one has {len(words)}"
            + ("; seconds, years and commands do not belong here" if len(words) > len(_FIELDS) else "")
        )
    return words


def _named_fields(words: list[str]) -> list[str]:
    if words == ["@reboot"]:
        raise _refusal(
            "@reboot is not a time: Watchbell decides by the clock, and has no moment at which a machine starts",
            "@daily",
        )
    if len(words) > 1 or words[0] not in NAMED_TEXTS:
        raise _refusal(f"{' '.join(words)[:40]!r} is not one of {', '.join(NAMED_TEXTS)}", "@daily")
    return NAMED_TEXTS[words[0]].split()


def _canonical_field(field: _Field, text: str) -> str:
    items = text.split(",")
    if len(items) > MOST_ITEMS:
        raise _refusal(f"{field.name}: a list has at most {MOST_ITEMS} items and this one has {len(items)}")
    return ",".join(_canonical_item(field, item) for item in items)


def _canonical_item(field: _Field, item: str) -> str:
    if special := _canonical_special(field, item):
        return special
    base, slash, step_text = item.partition("/")
    step = _step(field, step_text) if slash else 1
    if base == "*":
        return f"*/{step}" if slash else "*"
    low_text, dash, high_text = base.partition("-")
    low = _number(field, low_text, item)
    if not dash:
        return f"{low}/{step}" if slash else str(low)
    high = _number(field, high_text, item)
    if low == high:
        # cronsim takes 9-9/1 for 9/1, which is 9 to 23.
        return str(low)
    if low < high:
        return f"{low}-{high}/{step}" if slash else f"{low}-{high}"
    return _unwrapped(field, low, high, step)


def _canonical_special(field: _Field, item: str) -> str | None:
    """Return a form that counts from the end or within the month; None if the item is not such a form."""
    if field.name == "day of month" and item in {"l", "lw"}:
        return item.upper()
    if field.name != "weekday":
        return None
    if item.endswith("l") and item != "l":
        return f"{_number(field, item[:-1], item)}L"
    day, mark, count = item.partition("#")
    if not mark:
        return None
    if count not in {"1", "2", "3", "4", "5"}:
        raise _refusal(f"weekday: {item[:20]!r} counts beyond the five weeks of a month", "0 9 * * mon#1")
    return f"{_number(field, day, item)}#{count}"


def _number(field: _Field, text: str, item: str) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    # Three digits are enough for every field, and int() of a long text is slow.
    if not text.isdigit() or len(text) > 3:
        names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise _refusal(
            f"{field.name}: {item[:20]!r} is not understood; use *, {field.low} to {field.high}{names}, "
            f"lists (a,b), ranges (a-b) and steps (*/n)",
            _with_example(field),
        )
    number = int(text)
    if not field.low <= number <= field.high:
        raise _refusal(f"{field.name}: {number} is not between {field.low} and {field.high}", _with_example(field))
    return number


def _step(field: _Field, text: str) -> int:
    # A step of one whole turn (*/60) is written by many and means "at the first". A longer one means the same and is
    # never what its author wanted: */90 does not run every ninety minutes.
    if not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= field.turn:
        raise _refusal(
            f"{field.name}: a step is a whole number from 1 to {field.turn}, not {text[:20]!r}", _with_example(field)
        )
    return int(text)


def _unwrapped(field: _Field, low: int, high: int, step: int) -> str:
    """Return a range over the end of its field, such as 22-2 or fri-mon, in parts that do not wrap."""
    turn = field.turn
    values = [(value - field.low) % turn + field.low for value in range(low, high + turn + 1, step)]
    if step > 1:
        return ",".join(str(value) for value in dict.fromkeys(values))
    last = field.low + turn - 1
    return ",".join(f"{a}-{b}" if a < b else str(a) for a, b in ((low, last), (field.low, high)) if a <= b)


def _with_example(field: _Field) -> str:
    parts = ["0", "9", "*", "*", "*"]
    parts[_FIELDS.index(field)] = field.example
    return " ".join(parts)
