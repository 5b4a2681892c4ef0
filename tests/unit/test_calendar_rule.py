"""What a calendar does to the moments of a schedule: each keeps its name, none is lost or doubled, whatever is moved."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.schedule_samples import CHANGES
from watchbell.domain.day_calendar import DayCalendar, build_calendar
from watchbell.domain.schedule import CalendarRule, DSTRule, Occurrence, Schedule, ScheduleKind, occurrences
from watchbell.domain.schedule import next_occurrence as following
from watchbell.errors import InputError

A_DAY = timedelta(days=1)
TEXTS = ("0 9 * * *", "30 2 * * *", "0 9 * * fri", "0,30 0,2,23 * * *", "15 3 1,15 * *", "0 12 * * mon-fri")


def of_cron(text: str, calendar: DayCalendar, rule: CalendarRule, **values: object) -> Schedule:
    schedule = Schedule(
        ScheduleKind.CRON, expressions=(text,), calendar=calendar, calendar_rule=rule, zone="Europe/Berlin"
    )
    return dataclasses.replace(schedule, **values)  # type: ignore[arg-type]


def listed(schedule: Schedule, begin: datetime, end: datetime) -> list[Occurrence]:
    return list(occurrences(schedule, begin, 5000, end))


XMAS = build_calendar("xmas", "2026-12-25 Christmas Day\n2026-12-26\n2026-12-31T12:00/2026-12-31T23:59 half", "sat,sun")


@pytest.mark.parametrize(
    ("rule", "text", "due", "left_out", "note"),
    [
        ("leave_out", "0 9 * * fri", "2026-12-25 09:00", True, "2026-12-25 is a day of calendar xmas (Christmas Day)"),
        ("only", "0 9 24 12 *", "2026-12-24 09:00", True, "2026-12-24 is no day of calendar xmas"),
        ("only", "0 9 25 12 *", "2026-12-25 09:00", False, ""),
        ("next", "0 9 * * fri", "2026-12-28 09:00", False, "moved from 2026-12-25 09:00 by calendar xmas, Christmas Day"),
        ("previous", "0 9 * * fri", "2026-12-24 09:00", False, "moved from 2026-12-25 09:00 by calendar xmas, Christmas Day"),
        ("next", "0 13 31 12 *", "2027-01-01 13:00", False, "moved from 2026-12-31 13:00 by calendar xmas, half"),
        ("next", "0 9 31 12 *", "2026-12-31 09:00", False, ""),
    ],
)  # fmt: skip
def test_a_rule_keeps_leaves_out_or_moves(rule: str, text: str, due: str, left_out: bool, note: str) -> None:
    schedule = of_cron(text, XMAS, CalendarRule(rule))

    found = following(schedule, datetime(2026, 12, 22, tzinfo=UTC))

    assert found is not None
    local = datetime.fromisoformat(due)
    assert found.due_at == local.replace(tzinfo=UTC) - timedelta(hours=1)
    assert (found.is_left_out, found.note) == (left_out, note)


def test_what_would_move_to_where_the_task_is_due_anyway_is_left_out_and_says_so() -> None:
    found = listed(
        of_cron("0 9 * * *", XMAS, CalendarRule.NEXT),
        datetime(2026, 12, 25, tzinfo=UTC),
        datetime(2026, 12, 29, tzinfo=UTC),
    )

    assert [(one.local.day, one.is_left_out) for one in found] == [(25, True), (26, True), (27, True), (28, False)]
    assert "the task is due at 2026-12-28 09:00 anyway" in found[0].note


def test_of_several_that_would_move_to_one_moment_the_nearest_does() -> None:
    schedule = of_cron("0 9 25,26 12 *", XMAS, CalendarRule.NEXT)

    found = listed(schedule, datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))

    assert [(one.local.day, one.due_at.day, one.is_left_out) for one in found] == [(25, 25, True), (26, 28, False)]
    assert found[0].note.endswith("another moment is moved to 2026-12-28 09:00 already")


def test_a_calendar_without_a_free_day_leaves_everything_out() -> None:
    always = build_calendar("always", "", "mon,tue,wed,thu,fri,sat,sun")

    found = following(of_cron("0 9 * * *", always, CalendarRule.PREVIOUS), datetime(2026, 12, 24, tzinfo=UTC))

    assert found is not None
    assert found.is_left_out and found.note.endswith("no day within 31 days is free to move to")


def test_nothing_is_due_before_the_first_day_or_after_the_last() -> None:
    bounds = {"not_before": datetime(2026, 12, 20), "not_after": datetime(2026, 12, 27, 23, 59, 59)}
    schedule = of_cron("0 9 * * sun", XMAS, CalendarRule.NEXT, **bounds)

    found = listed(schedule, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))

    # The second one cannot move beyond the last day.
    assert [(one.local.day, one.due_at.day, one.is_left_out) for one in found] == [(20, 21, False), (27, 27, True)]


day = st.integers(-12, 12)
entry = st.one_of(
    day.map(lambda n: (n, 0, "")),
    st.tuples(day, st.integers(0, 5), st.just("")),
    st.tuples(day, st.integers(0, 1), st.sampled_from(["T01:00", "T02:15", "T09:00"])),
)
weekdays = st.sampled_from(["", "sat,sun", "sun", "mon,tue,wed,thu,fri,sat,sun"])


def calendar_around(middle: datetime, drawn: list[tuple[int, int, str]], week: str) -> DayCalendar:
    lines = []
    for number, length, at in drawn:
        first = (middle + number * A_DAY).date()
        last = first + length * A_DAY
        lines.append(f"{first}{at}/{last}T23:00" if at else f"{first}/{last} day {number}")
    return build_calendar("c", "\n".join(lines), week or ("" if lines else "sun"))


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(CHANGES), st.sampled_from(TEXTS), st.sampled_from(list(CalendarRule)), st.sampled_from(list(DSTRule)),
    st.lists(entry, max_size=5), weekdays, st.integers(0, 40 * 24 * 60),
)  # fmt: skip
def test_every_moment_comes_once_by_its_own_name_wherever_one_begins_to_look(
    change: tuple[str, datetime], text: str, rule: CalendarRule, dst: DSTRule,
    drawn: list[tuple[int, int, str]], week: str, minutes: int,
) -> None:  # fmt: skip
    zone, middle = change
    schedule = of_cron(text, calendar_around(middle, drawn, week), rule, zone=zone, dst=dst)
    plain = dataclasses.replace(schedule, calendar=None)
    begin, end = middle - 20 * A_DAY, middle + 20 * A_DAY

    found = listed(schedule, begin - 40 * A_DAY, end + 40 * A_DAY)

    # All moments of the schedule, each once, and no two at one instant.
    wanted = {one.key for one in listed(plain, begin, end)}
    keys = [one.key for one in found]
    assert wanted <= set(keys) and len(keys) == len(set(keys))
    instants = [one.due_at for one in found]
    assert instants == sorted(set(instants))
    # Whoever looks from a moment in between sees what comes after it, and nothing else.
    at = begin + timedelta(minutes=minutes)
    assert following(schedule, at) == next(one for one in found if one.due_at > at)
    # What is started lies where the rule wants it.
    calendar = schedule.calendar
    assert calendar is not None
    for one in found:
        if not one.is_left_out and not one.note:
            assert (calendar.find(one.local) is not None) == (rule is CalendarRule.ONLY)


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        ("2026-13-01", "line 1 is not understood: 2026-13-01 does not exist"),
        ("02-30", "02-30 does not exist"),
        ("2026-12-26/2026-12-25", "it ends before it begins"),
        ("9999-12-31", "its years are not between"),
        ("tomorrow", "'tomorrow' does not begin with a day"),
        ("2026-12-25 \x1b[1m", "printable"),
        ("1900-01-01/2190-01-01", "years are not between"),
        ("1970-01-02/2190-01-01", "at most 8000 days"),
        ("", "at least one day or weekday"),
    ],
)
def test_what_is_no_calendar_is_refused_with_its_line(days: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        build_calendar("c", days)

    assert any(problem in one.message for one in refused.value.problems)
