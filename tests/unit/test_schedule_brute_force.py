"""The next-time function against the minute stepper, and the laws that its answers keep."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from tests.unit import brute_force_calendar
from tests.unit.schedule_samples import CHANGES, CHANGING_HOURS, cron_schedule, cron_texts
from watchbell.domain.day_calendar import build_calendar
from watchbell.domain.schedule import (
    CalendarRule,
    DSTRule,
    Occurrence,
    Schedule,
    ScheduleKind,
    next_occurrence,
    next_transitions,
    occurrences,
    valid_zones,
)
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.errors import InputError

#: The stepper looks at thousands of minutes, so an example takes tens of milliseconds, and deadlines measure the machine.
SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUICK = settings(max_examples=150, deadline=None)
RULES = st.sampled_from(DSTRule)


def _found(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime, int]]:
    return [(o.due_at, o.local, o.fold) for o in occurrences(schedule, start, 10_000, end)]


def _refusals(text: str) -> str:
    try:
        read_cron(text)
    except InputError as error:
        return str(error)
    return ""


def _expected(text: str, zone: str, rule: DSTRule, start: datetime, end: datetime):
    return brute_force_calendar.due_in(
        brute_force_calendar.matcher(text),
        fixed=brute_force_calendar.is_fixed(text),
        zone=zone,
        rule=str(rule),
        start=start,
        end=end,
    )


@pytest.mark.parametrize(("zone", "day"), CHANGES, ids=lambda value: f"{value:%F}" if hasattr(value, "hour") else value)
@pytest.mark.parametrize("text", ["* * * * *", "15 0-23 * * *", "0 0 * * *"])
def test_every_change_is_seen_as_the_minute_stepper_sees_it(zone: str, day: datetime, text: str) -> None:
    start, end = day - timedelta(hours=4), day + timedelta(hours=28)

    for rule in DSTRule:
        found = _found(cron_schedule(text, zone, rule), start, end)

        assert found == _expected(text, zone, rule, start, end)


@SLOW
@given(change=st.sampled_from(CHANGES), text=cron_texts(CHANGING_HOURS), rule=RULES)
def test_any_text_at_any_change_is_due_when_the_minute_stepper_says(
    change: tuple[str, datetime], text: str, rule: DSTRule
) -> None:
    zone, day = change
    start, end = day - timedelta(hours=12), day + timedelta(hours=48)
    try:
        found = _found(cron_schedule(text, zone, rule), start, end)
    except InputError:
        found = []

    assert found == _expected(text, zone, rule, start, end)


@SLOW
@given(
    change=st.sampled_from(CHANGES),
    anchor_minutes=st.integers(-6 * 1440, 2 * 1440),
    every=st.integers(1, 4),
    rule=RULES,
)
def test_an_interval_of_days_keeps_the_wall_time_of_its_anchor(
    change: tuple[str, datetime], anchor_minutes: int, every: int, rule: DSTRule
) -> None:
    zone, day = change
    anchor_at = day + timedelta(minutes=anchor_minutes)
    wall = anchor_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    schedule = Schedule(ScheduleKind.INTERVAL, every=every, unit="days", anchor_at=anchor_at, zone=zone, dst=rule)
    start, end = day - timedelta(hours=12), day + timedelta(hours=60)

    found = _found(schedule, start, end)

    def matches(local: datetime) -> bool:
        return local >= wall and (local - wall) % timedelta(days=every) == timedelta(0)

    expected = brute_force_calendar.due_in(matches, fixed=True, zone=zone, rule=str(rule), start=start, end=end)
    anchor = (anchor_at, wall, anchor_at.astimezone(ZoneInfo(zone)).fold)
    later = [moment for moment in expected if moment[0] > anchor_at]
    assert found == ([anchor, *later] if start < anchor_at <= end else later)


@QUICK
@given(change=st.sampled_from(CHANGES), text=cron_texts(), rule=RULES, minutes=st.integers(-3000, 3000))
def test_moments_rise_and_no_due_time_or_key_comes_twice(
    change: tuple[str, datetime], text: str, rule: DSTRule, minutes: int
) -> None:
    zone, day = change
    start = day + timedelta(minutes=minutes)
    try:
        found = list(occurrences(cron_schedule(text, zone, rule), start, 60))
    except InputError:
        return

    dues = [start, *(occurrence.due_at for occurrence in found)]
    assert all(earlier < later for earlier, later in pairwise(dues))
    assert len({occurrence.key for occurrence in found}) == len(found)
    assert all(occurrence.due_at.utcoffset() == timedelta(0) for occurrence in found)


@QUICK
@given(data=st.data(), change=st.sampled_from(CHANGES), text=cron_texts(CHANGING_HOURS), rule=RULES)
def test_from_anywhere_between_two_moments_the_next_one_is_the_same(
    data: DataObject, change: tuple[str, datetime], text: str, rule: DSTRule
) -> None:
    zone, day = change
    schedule = cron_schedule(text, zone, rule)
    try:
        preview = list(occurrences(schedule, day - timedelta(hours=10), 30))
    except InputError:
        return

    for earlier, later in pairwise(preview):
        gap = int((later.due_at - earlier.due_at) / timedelta(microseconds=1))
        somewhere = earlier.due_at + timedelta(microseconds=data.draw(st.integers(0, gap - 1)))
        assert next_occurrence(schedule, somewhere) == later


@QUICK
@given(texts=st.lists(cron_texts(CHANGING_HOURS), min_size=2, max_size=4), change=st.sampled_from(CHANGES), rule=RULES)
def test_several_texts_are_due_at_the_union_of_their_moments(
    texts: list[str], change: tuple[str, datetime], rule: DSTRule
) -> None:
    zone, day = change
    start, end = day - timedelta(hours=3), day + timedelta(hours=5)
    try:
        alone = {due for text in texts for due, *_ in _found(cron_schedule(text, zone, rule), start, end)}
    except InputError:
        return

    schedule = Schedule(ScheduleKind.CRON, expressions=tuple(texts), zone=zone, dst=rule)
    swapped = Schedule(ScheduleKind.CRON, expressions=tuple(reversed(texts)), zone=zone, dst=rule)

    assert [due for due, *_ in _found(schedule, start, end)] == sorted(alone)
    assert _found(schedule, start, end) == _found(swapped, start, end)


@QUICK
@given(text=cron_texts(), start=st.datetimes(datetime(1990, 1, 1), datetime(2105, 1, 1)))
def test_without_clock_changes_cronsim_finds_the_same(text: str, start: datetime) -> None:
    try:
        canonical = read_cron(text).canonical
    except InputError:
        return
    schedule = cron_schedule(text, "UTC")

    found = [occurrence.local for occurrence in occurrences(schedule, start.replace(tzinfo=UTC), 5)]

    iterator = CronSim(canonical, start)
    assert found == [next(iterator) for _ in range(5)]


@QUICK
@given(text=cron_texts())
def test_a_text_is_refused_exactly_if_its_date_never_comes(text: str) -> None:
    refusals = _refusals(text)

    # Thirty years from 1970 hold all kinds of year.
    matches = brute_force_calendar.matcher(f"0 0 {' '.join(text.split()[2:])}")
    days = (datetime(1970, 1, 1) + timedelta(days=number) for number in range(30 * 366))
    if refusals:
        assert "never comes" in refusals
    assert any(matches(day) for day in days) == (not refusals)


@QUICK
@given(text=st.text(max_size=40) | st.text("0123456789*/-,#LWlw@ \t", max_size=40))
def test_any_text_is_either_refused_or_has_a_next_moment(text: str) -> None:
    try:
        read_cron(text)
    except InputError:
        return

    assert isinstance(next_occurrence(cron_schedule(text, "Asia/Gaza"), datetime(2026, 1, 1, tzinfo=UTC)), Occurrence)


@pytest.mark.parametrize("zone", sorted(valid_zones())[::12])
def test_transitions_are_those_seen_by_looking_every_half_hour(zone: str) -> None:
    start, place = datetime(2025, 6, 1, tzinfo=UTC), ZoneInfo(zone)
    looks = [start + timedelta(minutes=30 * number) for number in range(2 * 24 * 500)]
    offsets = [look.astimezone(place).utcoffset() for look in looks]
    seen = [
        (after, before_offset, after_offset)
        for after, before_offset, after_offset in zip(looks[1:], offsets, offsets[1:], strict=False)
        if before_offset != after_offset
    ]

    found = [change for change in next_transitions(zone, start, 20) if change.at <= looks[-1]]

    assert [(change.at, change.before_offset, change.after_offset) for change in found] == seen


@QUICK
@given(
    change=st.sampled_from(CHANGES),
    texts=st.lists(cron_texts(CHANGING_HOURS), min_size=1, max_size=3, unique=True),
    rule=RULES,
    start=st.timedeltas(timedelta(hours=-30), timedelta(hours=30)),
    bounds=st.tuples(st.integers(-3, 3) | st.none(), st.integers(-1, 4) | st.none()),
    calendar_rule=st.sampled_from([None, CalendarRule.LEAVE_OUT, CalendarRule.ONLY]),
)
def test_a_list_has_the_moments_that_come_when_each_is_asked_for_after_the_one_before(
    change: tuple[str, datetime],
    texts: list[str],
    rule: DSTRule,
    start: timedelta,
    bounds: tuple[int | None, int | None],
    calendar_rule: CalendarRule | None,
) -> None:
    zone, day = change
    first, last = (None if days is None else day.replace(tzinfo=None) + timedelta(days=days) for days in bounds)
    calendar = build_calendar("free", f"{day:%F} a change", "sun") if calendar_rule else None
    schedule = dataclasses.replace(
        cron_schedule(texts[0], zone, rule),
        expressions=tuple(texts),
        not_before=first,
        not_after=last,
        calendar=calendar,
        calendar_rule=calendar_rule or CalendarRule.LEAVE_OUT,
    )
    after, expected = day + start, []
    try:
        while len(expected) < 25 and (found := next_occurrence(schedule, after)) is not None:
            expected.append(found)
            after = found.due_at
    except InputError:
        return

    assert list(occurrences(schedule, day + start, 25)) == expected
