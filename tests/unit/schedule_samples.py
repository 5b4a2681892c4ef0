"""Zones, clock changes and cron texts that the schedule tests draw from."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from watchbell.domain.schedule import DSTRule, Schedule, ScheduleKind

#: A zone and a UTC day within hours of one of its clock changes. Both directions, changes at midnight, half an hour, two
#: hours and whole days, southern zones, negative summer time, and folds over the end of a year.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 10, 24, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 4, 5, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(1994, 12, 31, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Pacific/Chatham", datetime(2026, 9, 26, tzinfo=UTC)),
    ("Pacific/Chatham", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 3, 22, tzinfo=UTC)),
    ("Europe/Dublin", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Dublin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Asia/Gaza", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Asia/Gaza", datetime(2026, 10, 24, tzinfo=UTC)),
    ("Asia/Dhaka", datetime(2009, 12, 31, tzinfo=UTC)),
    ("Africa/Tripoli", datetime(1982, 1, 1, tzinfo=UTC)),
    ("Africa/Sao_Tome", datetime(2019, 1, 1, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 6, 1, tzinfo=UTC)),
    ("UTC", datetime(2026, 12, 31, tzinfo=UTC)),
]


def _field(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    if names:
        number |= st.sampled_from(names)
    step = st.integers(1, (high - low) or 1).map(lambda n: f"/{n}")
    item = st.one_of(
        number,
        st.tuples(number, number).map("-".join),
        st.tuples(number, number, step).map(lambda parts: f"{parts[0]}-{parts[1]}{parts[2]}"),
        st.tuples(number, step).map("".join),
        step.map(lambda text: f"*{text}"),
    )
    return st.just("*") | st.lists(item, min_size=1, max_size=3).map(",".join)


_DAYS = st.just("*") | st.just("*") | _field(1, 31) | st.sampled_from(["L", "LW", "L,LW,15"])
_MONTHS = st.just("*") | st.just("*") | _field(1, 12, ["jan", "MAR", "Apr", "oct", "nov", "dec"])
_WEEKDAYS = (
    st.just("*")
    | st.just("*")
    | _field(0, 7, ["sun", "MON", "Fri", "sat"])
    | st.sampled_from(["5L", "sun#4", "7L,1#1"])
)


def cron_texts(hours: st.SearchStrategy[str] = _field(0, 23)) -> st.SearchStrategy[str]:
    """Any cron text; most are due on most days, so that they meet the clock change that is looked at."""
    return st.tuples(_field(0, 59), hours, _DAYS, _MONTHS, _WEEKDAYS).map(" ".join)


#: Hours in which clocks change, to meet gaps and folds more often than by chance.
CHANGING_HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "23", "0-3", "1,2,3", "22-4", "2-3/1", "0,2,23"])


def cron_schedule(text: str, zone: str, rule: DSTRule = DSTRule.CRON_LIKE) -> Schedule:
    return Schedule(ScheduleKind.CRON, expressions=(text,), zone=zone, dst=rule)
