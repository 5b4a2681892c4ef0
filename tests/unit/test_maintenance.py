"""Windows in which devices may begin, by their own clocks, also on the days on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from watchbell.domain.maintenance import DAYS, moment_of, opens_at, read_local, read_window, zone_of
from watchbell.errors import InputError

NIGHT = {"start": "02:00", "end": "04:00"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "zone", "now", "opening"),
    [
        (NIGHT, "UTC", "2026-12-01T03:00", "2026-12-01T03:00"),
        (NIGHT, "UTC", "2026-12-01T04:00", "2026-12-02T02:00"),
        (NIGHT, "UTC", "2026-12-01T01:59", "2026-12-01T02:00"),
        (NIGHT, "Europe/Berlin", "2026-12-01T03:00", "2026-12-02T01:00"),
        (NIGHT, "America/New_York", "2026-12-01T07:30", "2026-12-01T07:30"),
        (NIGHT, "no/zone", "2026-12-01T05:00", "2026-12-02T02:00"),
        (NIGHT, "", "2026-12-01T05:00", "2026-12-02T02:00"),
        ({"start": "22:00", "end": "02:00"}, "UTC", "2026-12-01T01:00", "2026-12-01T01:00"),
        ({"start": "22:00", "end": "02:00"}, "UTC", "2026-12-01T02:00", "2026-12-01T22:00"),
        ({"start": "22:00", "end": "02:00", "days": ["sun"]}, "UTC", "2026-11-30T01:00", "2026-11-30T01:00"),
        ({**NIGHT, "days": ["sat"]}, "UTC", "2026-12-01T03:00", "2026-12-05T02:00"),
        ({**NIGHT, "days": ["tue"]}, "UTC", "2026-12-01T04:00", "2026-12-08T02:00"),
        # 02:30 does not come in Berlin on that day: the clock goes from 02:00 to 03:00 at 01:00 UTC.
        ({"start": "02:30", "end": "05:00"}, "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00"),
        # 02:30 comes twice: the window opens with the first and closes with the second.
        ({"start": "02:30", "end": "02:45"}, "Europe/Berlin", "2026-10-25T00:00", "2026-10-25T00:30"),
        ({"start": "02:30", "end": "02:45"}, "Europe/Berlin", "2026-10-25T01:40", "2026-10-25T01:40"),
        # Nothing is left of this one on that day.
        ({"start": "02:15", "end": "02:45"}, "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:15"),
    ],
)
def test_a_window_opens_by_the_clock_of_the_device(window, zone, now, opening):
    assert opens_at(read_window(window), zone, utc(now)) == utc(opening)


@given(
    some.integers(0, 1439),
    some.integers(0, 1439),
    some.sets(some.sampled_from(DAYS), min_size=1),
    some.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    some.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_an_opening_is_inside_its_window_and_none_is_passed_over(start, end, days, zone, naive):
    if start == end:
        return
    now = naive.replace(tzinfo=UTC, microsecond=0)
    words = {"start": f"{start // 60:02}:{start % 60:02}", "end": f"{end // 60:02}:{end % 60:02}", "days": sorted(days)}
    window = read_window(words)

    opening = opens_at(window, zone, now)

    assert opening >= now
    shown = opening.astimezone(zone_of(zone))
    past = window.end <= window.start and shown.time() < window.start
    day = (shown - timedelta(days=past)).weekday()
    assert DAYS[day] in days
    assert opens_at(window, zone, opening) == opening


@pytest.mark.parametrize(
    ("given_window", "field"),
    [
        ("02:00-04:00", "schedule.window"),
        ({"start": "02:00"}, "schedule.window.end"),
        ({"start": "2:00", "end": "04:00"}, "schedule.window.start"),
        ({"start": "24:00", "end": "04:00"}, "schedule.window.start"),
        ({"start": "02:00", "end": "02:00"}, "schedule.window.end"),
        ({**NIGHT, "days": []}, "schedule.window.days"),
        ({**NIGHT, "days": "mon"}, "schedule.window.days"),
        ({**NIGHT, "days": ["someday"]}, "schedule.window.days"),
        ({**NIGHT, "zone": "UTC"}, "schedule.window.zone"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused_by_its_field(given_window, field):
    with pytest.raises(InputError) as refused:
        read_window(given_window)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_local_time_comes_at_another_moment_in_each_zone():
    local = read_local("2026-12-01T02:00")

    assert moment_of(local, "Europe/Berlin") == utc("2026-12-01T01:00")
    assert moment_of(local, "America/New_York") == utc("2026-12-01T07:00")
    assert moment_of(read_local("2026-03-29T02:30"), "Europe/Berlin") == utc("2026-03-29T01:00")


@pytest.mark.parametrize("wrong", ["soon", "2026-12-01T02:00Z", 5, None])
def test_a_local_time_has_no_offset(wrong):
    with pytest.raises(InputError, match="own clock"):
        read_local(wrong)
