"""Sentences that say what a schedule means."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.bounds import bound_text
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.model import CalendarRule, Schedule, ScheduleKind
from watchbell.domain.schedule.words import Count, read_words

_WORD_SENTENCES = {
    "day": "Every day",
    "weekday": "Monday to Friday",
    "every_4_hour": "Every four hours from midnight (00:00, 04:00, 08:00, 12:00, 16:00, 20:00)",
    "every_day_hour": "Every hour, on the hour",
}
_RULE_WORDS = {
    CalendarRule.LEAVE_OUT: "not on days of {}",
    CalendarRule.ONLY: "only on days of {}",
    CalendarRule.NEXT: "on days of {} moved to the next day that is free",
    CalendarRule.PREVIOUS: "on days of {} moved to the last free day before",
}
_MOST_MOMENTS = 3
_MOST_EXPRESSIONS = 4


def describe(schedule: Schedule) -> str:
    """Return one sentence without a full stop, such as "At 02:30 every day, Europe/Berlin"."""
    return "; ".join([_when(schedule), *_limits(schedule)])


def _limits(schedule: Schedule) -> list[str]:
    said = []
    if schedule.not_before is not None:
        said.append(f"from {bound_text(schedule.not_before, 'not_before')}")
    if schedule.not_after is not None:
        said.append(f"until {bound_text(schedule.not_after, 'not_after')}")
    words = [" ".join(said)] if said else []
    if schedule.calendar is not None:
        words.append(_RULE_WORDS[schedule.calendar_rule].format(schedule.calendar.name))
    return words


def _when(schedule: Schedule) -> str:
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
            return "Only when run by hand"


def _expressions(texts: tuple[str, ...]) -> str:
    first, *others = (_expression(text) for text in texts[:_MOST_EXPRESSIONS])
    sentences = [first, *(other[0].lower() + other[1:] for other in others)]
    if len(texts) > _MOST_EXPRESSIONS:
        sentences.append(f"and {len(texts) - _MOST_EXPRESSIONS} more")
    return "; ".join(sentences)


def _expression(text: str) -> str:
    # Only here, as in `pattern`.
    from cronsim.explain import explain

    minute, hour, *dates = read_cron(text).canonical.split()
    # A step of one whole turn is only ever the first value, and "every 60th minute" would say something else.
    times = ["0" if minute == "*/60" else minute, "0" if hour == "*/24" else hour]
    if _is_any_day(*dates):
        dates[0] = dates[2] = "*"
    # When both are restricted, either the day of the month or the weekday is enough; a bare "and" reads as both.
    sentence = explain(" ".join([*times, *dates])).replace(" and on ", " and also on ")
    # cronsim writes 22th.
    return re.sub(r"\b(\d*)([123])th\b", _ordinal, sentence)


def _is_any_day(day: str, _month: str, weekday: str) -> bool:
    """Return whether two fields of days without a star, either of which is enough, leave no day out: 1-31 and Monday."""
    if day.startswith("*") or weekday.startswith("*"):
        return False
    # As above.
    from cronsim import CronSim

    rule = CronSim(f"0 0 {day} * {weekday}", datetime(2000, 1, 1))  # noqa: DTZ001 - nominal times have no zone
    return rule.days.issuperset(range(1, 32)) or rule.weekdays.issuperset(range(7))


def _ordinal(match: re.Match[str]) -> str:
    tens, last = match.groups()
    ending = "th" if tens.endswith("1") else {"1": "st", "2": "nd", "3": "rd"}[last]
    return f"{tens}{last}{ending}"


def _interval(count: Count, schedule: Schedule) -> str:
    amount = count.unit.removesuffix("s") if count.every == 1 else f"{count.every:,} {count.unit}"
    if count.unit != "days" or schedule.anchor_at is None:
        return f"Every {amount}"
    # A day is counted on the clock of the zone, so that the sentence has to name the time and the zone.
    local = schedule.anchor_at.astimezone(ZoneInfo(schedule.zone))
    shown = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"Every {amount} at {shown}, {schedule.zone}"


def _moments(schedule: Schedule) -> str:
    place = ZoneInfo(schedule.zone)
    shown = [f"{moment.astimezone(place):%Y-%m-%d %H:%M:%S}" for moment in sorted(schedule.moments)[:_MOST_MOMENTS]]
    if len(schedule.moments) > _MOST_MOMENTS:
        shown.append(f"{len(schedule.moments) - _MOST_MOMENTS} more")
    listed = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    once = "Once at" if len(schedule.moments) == 1 else "At"
    return f"{once} {listed}, {schedule.zone}"


def _words(schedule: Schedule) -> str:
    meaning = read_words(schedule.every_word, schedule.at_time)
    if isinstance(meaning, Count):
        return _interval(meaning, schedule)
    sentence = _WORD_SENTENCES.get(schedule.every_word, f"Every {schedule.every_word.capitalize()}")
    at_time = "" if schedule.every_word.startswith("every_") else f" at {schedule.at_time}"
    return f"{sentence}{at_time}, {schedule.zone}"
