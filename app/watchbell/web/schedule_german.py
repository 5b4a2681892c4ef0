"""What a schedule means, as one German sentence: the counterpart of ``domain.schedule.describe``, with its own word order.

A cron text is taken apart into the numbers of its fields, and a sentence is made of what these numbers are: all of them, a
stretch, every n-th or a few.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.bounds import bound_text
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.model import CalendarRule, Schedule, ScheduleKind
from watchbell.domain.schedule.words import Count, read_words

#: Monday first, as the week goes in German.
_DAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
           "Dezember")  # fmt: skip
_WHICH = {"1": "erst", "2": "zweit", "3": "dritt", "4": "viert", "5": "fünft", "L": "letzt"}
_UNITS = {
    "seconds": ("Jede Sekunde", "Sekunden"),
    "minutes": ("Jede Minute", "Minuten"),
    "hours": ("Jede Stunde", "Stunden"),
    "days": ("Jeden Tag", "Tage"),
}
_WORDS = {
    "day": "Jeden Tag",
    "weekday": "Von Montag bis Freitag",
    "every_4_hour": "Alle vier Stunden ab Mitternacht (00:00, 04:00, 08:00, 12:00, 16:00, 20:00)",
    "every_day_hour": "Zu jeder vollen Stunde",
    **{
        english: f"Jeden {german}"
        for english, german in zip(
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), _DAYS, strict=True
        )
    },
}
_RULES = {
    CalendarRule.LEAVE_OUT: "nicht an Tagen von {}",
    CalendarRule.ONLY: "nur an Tagen von {}",
    CalendarRule.NEXT: "an Tagen von {} auf den nächsten freien Tag verschoben",
    CalendarRule.PREVIOUS: "an Tagen von {} auf den letzten freien Tag davor verschoben",
}
_MOST_MOMENTS = 3
_MOST_EXPRESSIONS = 4
#: So many times of a day are listed one by one.
_LISTED_TIMES = 4
#: From so many numbers on, a stretch is told by its ends and not number by number.
_STRETCH = 3
_PROGRESSION = 4


def describe(schedule: Schedule) -> str:
    """Return one German sentence without a full stop, such as "Jeden Tag um 02:30, Europe/Berlin"."""
    return "; ".join([_moment_words(schedule), *_limits(schedule)])


def _limits(schedule: Schedule) -> list[str]:
    said = []
    if schedule.not_before is not None:
        said.append(f"ab {bound_text(schedule.not_before, 'not_before')}")
    if schedule.not_after is not None:
        said.append(f"bis {bound_text(schedule.not_after, 'not_after')}")
    words = [" ".join(said)] if said else []
    if schedule.calendar is not None:
        words.append(_RULES[schedule.calendar_rule].format(schedule.calendar.name))
    return words


def _moment_words(schedule: Schedule) -> str:
    match schedule.kind:
        case ScheduleKind.CRON:
            return f"{_expressions(schedule.expressions)}, {schedule.zone}"
        case ScheduleKind.INTERVAL:
            return _interval(Count(schedule.every, schedule.unit), schedule)
        case ScheduleKind.MOMENT:
            return _moments(schedule)
        case ScheduleKind.WORDS:
            return _words(schedule)
        case ScheduleKind.MANUAL:
            return "Nur von Hand"


def _interval(count: Count, schedule: Schedule) -> str:
    one, many = _UNITS[count.unit]
    shown = f"{count.every:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    amount = one if count.every == 1 else f"Alle {shown} {many}"
    if count.unit != "days" or schedule.anchor_at is None:
        return amount
    local = schedule.anchor_at.astimezone(ZoneInfo(schedule.zone))
    return (
        f"{amount} um {local:%H:%M:%S}, {schedule.zone}"
        if local.second
        else f"{amount} um {local:%H:%M}, {schedule.zone}"
    )


def _moments(schedule: Schedule) -> str:
    place = ZoneInfo(schedule.zone)
    shown = [_moment(moment.astimezone(place)) for moment in sorted(schedule.moments)[:_MOST_MOMENTS]]
    left = len(schedule.moments) - _MOST_MOMENTS
    if left > 0:
        shown.append("einem weiteren Zeitpunkt" if left == 1 else f"{left} weiteren Zeitpunkten")
    return f"{'Einmal am' if len(schedule.moments) == 1 else 'Am'} {_listed(shown)}, {schedule.zone}"


def _moment(local: datetime) -> str:
    return f"{local:%Y-%m-%d} um {local:%H:%M:%S}"


def _words(schedule: Schedule) -> str:
    meaning = read_words(schedule.every_word, schedule.at_time)
    if isinstance(meaning, Count):
        return _interval(meaning, schedule)
    at_time = "" if schedule.every_word.startswith("every_") else f" um {schedule.at_time}"
    return f"{_WORDS[schedule.every_word]}{at_time}, {schedule.zone}"


def _expressions(texts: Sequence[str]) -> str:
    told = [_expression(text) for text in texts[:_MOST_EXPRESSIONS]]
    left = len(texts) - _MOST_EXPRESSIONS
    if left > 0:
        told.append(f"und {left} weitere" if left > 1 else "und eine weitere Angabe")
    sentence = "; ".join(told)
    return sentence[0].upper() + sentence[1:]


def _expression(text: str) -> str:
    minute, hour, day, month, weekday = read_cron(text).canonical.split()
    times, is_listed = _times(_numbers(minute, 0, 59), _numbers(hour, 0, 23))
    dates = _dates(day, month, weekday)
    if is_listed:
        return f"{dates}{',' if ' ist' in dates else ''} {times}"
    return times if dates == _EVERY_DAY else f"{times}, {dates}"


def _numbers(field: str, low: int, high: int) -> list[int]:
    """Return the numbers that a field in the spelling of cronsim stands for, rising; forms that are no numbers are left out."""
    found: set[int] = set()
    for item in field.split(","):
        base, _slash, step = item.partition("/")
        if base == "*":
            first, last = low, high
        elif not base.replace("-", "").isdigit():
            continue
        else:
            start, dash, end = base.partition("-")
            first = int(start)
            last = int(end) if dash else high if step else first
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)


def _step(numbers: Sequence[int]) -> int:
    """Return the distance of numbers that are equally far from each other; 0 if they are not, or if there is only one."""
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else 0


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} und {texts[-1]}"


def _with_stretches(numbers: Sequence[int]) -> str:
    """Return numbers as a list in which neighbours are one entry: 0, 5 bis 10 und 17."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and stretches[-1][-1] == number - 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    told: list[str] = []
    for stretch in stretches:
        told += [f"{stretch[0]} bis {stretch[-1]}"] if len(stretch) >= _STRETCH else map(str, stretch)
    return _listed(told)


def _times(minutes: list[int], hours: list[int]) -> tuple[str, bool]:
    """Return the times of a day in words, and whether they are single ones."""
    if len(minutes) * len(hours) <= _LISTED_TIMES:
        return f"um {_listed([f'{hour:02d}:{minute:02d}' for hour in hours for minute in minutes])}", True
    if len(minutes) == 1:
        return _hourly(minutes[0], hours)
    words, is_of_hour = _minutes(minutes)
    if len(hours) == 24:
        return (f"{words} jeder Stunde" if is_of_hour else words), False
    step, begin, end = _step(hours), f"{hours[0]:02d}:00", f"{hours[-1]:02d}:59"
    if len(hours) == 1 and _step(minutes) == 1:
        return f"jede Minute von {hours[0]:02d}:{minutes[0]:02d} bis {hours[0]:02d}:{minutes[-1]:02d}", False
    if len(hours) == 1 or (step == 1 and len(hours) >= _STRETCH):
        return f"{words}{' jeder Stunde' if is_of_hour and len(hours) > 1 else ''} von {begin} bis {end}", False
    if step > 1 and len(hours) > _PROGRESSION:
        return f"{words} {'' if is_of_hour else 'in '}jeder {step}. Stunde von {begin} bis {end}", False
    return f"{words} {'der' if is_of_hour else 'in den'} Stunden {_with_stretches(hours)}", False


def _hourly(minute: int, hours: list[int]) -> tuple[str, bool]:
    """Return the times that come once in each of these hours."""
    step, begin, end = _step(hours), f"{hours[0]:02d}:{minute:02d}", f"{hours[-1]:02d}:{minute:02d}"
    if len(hours) == 24:
        return (f"jede Stunde zur Minute {minute}" if minute else "zu jeder vollen Stunde"), False
    if step == 1:
        return f"stündlich von {begin} bis {end}", False
    if step and hours == list(range(0, 24, step)) and 24 % step == 0:
        return f"alle {step} Stunden ab {begin}", False
    if step:
        return f"alle {step} Stunden von {begin} bis {end}", False
    return f"um {_listed([f'{hour:02d}:{minute:02d}' for hour in hours])}", True


def _minutes(minutes: list[int]) -> tuple[str, bool]:
    """Return several minutes in words, and whether it has to be said of which hour they are."""
    step = _step(minutes)
    if len(minutes) == 60:
        return "jede Minute", False
    if step > 1 and 60 % step == 0 and minutes == list(range(0, 60, step)):
        return f"alle {step} Minuten", False
    if step == 1 and len(minutes) >= _STRETCH:
        return f"jede Minute von {minutes[0]} bis {minutes[-1]}", True
    if step > 1 and len(minutes) > _PROGRESSION:
        return f"jede {step}. Minute von {minutes[0]} bis {minutes[-1]}", True
    return f"zu den Minuten {_with_stretches(minutes)}", True


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """What one of the two fields of days says."""

    #: When, such as "am 1. und 15." or "jeden Montag"; empty for any day.
    words: str
    #: What the day is then, such as "ein Montag oder Freitag".
    condition: str
    #: Whether the words have to say of which month.
    is_of_month: bool


_ANY = _Part("", "", is_of_month=False)
_EVERY_DAY = "jeden Tag"


def _dates(day: str, month: str, weekday: str) -> str:
    months = _numbers(month, 1, 12)
    of_month, of_week = _month_days(day), _weekdays(weekday)
    in_months = "" if len(months) == 12 else _in_months(months)
    # As in cron: two fields that both name days are met by either, and a field with a star has to be met, too.
    if not (day.startswith("*") or weekday.startswith("*")):
        if of_month is _ANY or of_week is _ANY:
            return _EVERY_DAY + in_months
        either = f"{of_month.words}{'' if in_months else ' jedes Monats'} und zusätzlich {_when(of_week, in_months)}"
        return f"{either}, jeweils{in_months}" if in_months else either
    if of_month is _ANY:
        return _when(of_week, in_months) + in_months if of_week is not _ANY else _EVERY_DAY + in_months
    if len(months) == 1 and day.isdigit():
        when = f"jedes Jahr am {day}. {_MONTHS[months[0] - 1]}"
    else:
        when = _when(of_month, in_months) + in_months
    return when if of_week is _ANY else f"{when}, sofern es {of_week.condition} ist"


def _when(part: _Part, in_months: str) -> str:
    return f"{part.words} jedes Monats" if part.is_of_month and not in_months else part.words


def _in_months(months: list[int]) -> str:
    names = [_MONTHS[month - 1] for month in months]
    if len(months) >= _STRETCH and _step(months) == 1:
        return f" von {names[0]} bis {names[-1]}"
    return f" im {_listed(names)}"


def _month_days(field: str) -> _Part:
    days, items = _numbers(field, 1, 31), field.split(",")
    if len(days) == 31:
        return _ANY
    told = []
    step = _step(days)
    if step == 1 and len(days) >= _STRETCH:
        told.append(f"vom {days[0]}. bis {days[-1]}.")
    elif step > 1 and len(days) > _PROGRESSION:
        told.append(f"an jedem {step}. Tag vom {days[0]}. bis {days[-1]}.")
    elif days:
        told.append(f"am {_listed([f'{day}.' for day in days])}")
    told += ["am letzten Tag"] if "L" in items else []
    told += ["am letzten Arbeitstag (Montag bis Freitag)"] if "LW" in items else []
    return _Part(_listed(told), "", is_of_month=True)


def _weekdays(field: str) -> _Part:
    # Sunday is 0 and 7 in cron, and the last day here.
    days = sorted({(number - 1) % 7 for number in _numbers(field, 0, 6)})
    if len(days) == 7:
        return _ANY
    words, conditions = [], [f"ein {_DAYS[day]}" for day in days]
    if len(days) >= _STRETCH and _step(days) == 1:
        words.append(f"von {_DAYS[days[0]]} bis {_DAYS[days[-1]]}")
    elif days:
        words.append(f"jeden {_listed([_DAYS[day] for day in days])}")
    special = [item for item in dict.fromkeys(field.split(",")) if item.endswith("L") or "#" in item]
    for item in special:
        number, _mark, count = item.partition("#")
        which, name = _WHICH[count or "L"], _DAYS[(int(number.removesuffix("L")) - 1) % 7]
        words.append(f"am {which}en {name}")
        conditions.append(f"der {which}e {name}")
    return _Part(_listed(words), _listed(conditions).replace(" und ", " oder "), is_of_month=bool(special))
