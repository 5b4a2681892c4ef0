"""When tasks are due: tables of known answers. The properties over many zones are in test_schedule_brute_force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.unit.schedule_samples import cron_schedule
from watchbell.domain.schedule import (
    DSTRule,
    Schedule,
    ScheduleKind,
    build_schedule,
    describe,
    from_json,
    next_occurrence,
    next_transitions,
    occurrences,
    to_json,
    valid_zones,
)
from watchbell.errors import InputError

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
BEFORE_SPRING = datetime(2026, 3, 8, 4, 59, tzinfo=UTC)
BEFORE_AUTUMN = datetime(2026, 11, 1, 3, 59, tzinfo=UTC)


def _dues(schedule: Schedule, after: datetime, count: int) -> list[str]:
    return [f"{occurrence.due_at:%F %H:%M:%S}" for occurrence in occurrences(schedule, after, count)]


def _walls(text: str, after: datetime, hours: int, rule: DSTRule = DSTRule.CRON_LIKE) -> list[str]:
    """Return what the clock in New York shows at the moments of the next hours."""
    place = ZoneInfo("America/New_York")
    schedule = cron_schedule(text, place.key, rule)
    found = occurrences(schedule, after, 1000, after + timedelta(hours=hours))
    return [f"{occurrence.due_at.astimezone(place):%H:%M}" for occurrence in found]


def test_a_daily_time_in_the_gap_is_due_at_the_first_valid_instant() -> None:
    found = list(occurrences(cron_schedule("30 2 * * *", "Europe/Berlin"), NOON, 3))

    assert [f"{occurrence.due_at:%F %H:%M}" for occurrence in found] == [
        "2026-03-28 01:30",
        "2026-03-29 01:00",
        "2026-03-30 00:30",
    ]
    assert found[1].key == "cal:2026-03-29T02:30:00/0@Europe/Berlin"
    assert found[1].local == datetime(2026, 3, 29, 2, 30)


# What Debian's cron 3.0pl1-162 did under a faked clock through both changes of 2026 in New York. The one difference is
# the third row, where it ran 03:00 twice.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["03:00"]),
        ("*/15 2 * * *", []),
        ("0 1-3 * * *", ["01:00", "03:00"]),
        ("10 */2 * * *", ["00:10", "04:10"]),
        ("0,15,30 2 * * *", ["03:00"]),
        ("30 * * * *", ["00:30", "01:30", "03:30", "04:30", "05:30"]),
    ],
)
def test_the_spring_gap_is_treated_as_debian_cron_treats_it(text: str, expected: list[str]) -> None:
    assert _walls(text, BEFORE_SPRING, hours=5) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 1 * * *", ["01:30"]),
        ("0 1-2 * * *", ["01:00", "02:00"]),
        ("*/15 1 * * *", ["01:00", "01:15", "01:30", "01:45"] * 2),
        ("30 * * * *", ["00:30", "01:30", "01:30", "02:30"]),
    ],
)
def test_the_autumn_fold_is_treated_as_debian_cron_treats_it(text: str, expected: list[str]) -> None:
    assert _walls(text, BEFORE_AUTUMN, hours=4) == expected


@pytest.mark.parametrize(
    ("rule", "spring", "autumn"),
    [
        (DSTRule.CRON_LIKE, ["03:00"], ["01:30"]),
        (DSTRule.SKIP, [], ["01:30"]),
        (DSTRule.BOTH, ["03:00"], ["01:30", "01:30"]),
    ],
)
def test_the_user_chooses_what_a_clock_change_does(rule: DSTRule, spring: list[str], autumn: list[str]) -> None:
    assert _walls("30 2 * * *", BEFORE_SPRING, 5, rule) == spring
    assert _walls("30 1 * * *", BEFORE_AUTUMN, 4, rule) == autumn


def test_both_passes_have_keys_of_their_own() -> None:
    schedule = cron_schedule("30 1 * * *", "America/New_York", DSTRule.BOTH)

    keys = [occurrence.key for occurrence in occurrences(schedule, BEFORE_AUTUMN, 2)]

    assert keys == ["cal:2026-11-01T01:30:00/0@America/New_York", "cal:2026-11-01T01:30:00/1@America/New_York"]


def test_the_second_pass_of_a_yearly_time_is_not_passed_over() -> None:
    schedule = cron_schedule("30 1 1 11 *", "America/New_York", DSTRule.BOTH)

    assert _dues(schedule, BEFORE_AUTUMN, 3) == ["2026-11-01 05:30:00", "2026-11-01 06:30:00", "2027-11-01 05:30:00"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(DSTRule.CRON_LIKE, "1912-01-01T23:30:00/0"), (DSTRule.BOTH, "1911-12-31T23:30:00/1")],
)
def test_a_fold_may_reach_into_the_next_year(rule: DSTRule, expected: str) -> None:
    # At the last midnight of 1911 the clock of Niamey went back by 68 minutes, eight minutes before the end of the UTC
    # year. No zone did that since, and one may tomorrow.
    schedule = cron_schedule("30 23 * * *", "Africa/Niamey", rule)

    found = next_occurrence(schedule, datetime(1912, 1, 1, 0, 10, tzinfo=UTC))

    assert found.key == f"cal:{expected}@Africa/Niamey"


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Asia/Beirut", datetime(2026, 3, 28, 20, tzinfo=UTC), "2026-03-28 22:00:00"),
        ("Africa/Cairo", datetime(2026, 4, 23, 20, tzinfo=UTC), "2026-04-23 22:00:00"),
        ("America/Havana", datetime(2026, 3, 8, 4, tzinfo=UTC), "2026-03-08 05:00:00"),
        ("America/Santiago", datetime(2026, 9, 6, 3, tzinfo=UTC), "2026-09-06 04:00:00"),
        # The island had no 30 December: the day's run and the next day's are one.
        ("Pacific/Apia", datetime(2011, 12, 30, 9, tzinfo=UTC), "2011-12-30 10:00:00"),
    ],
)
def test_no_day_is_lost_where_the_clock_changes_at_midnight(zone: str, after: datetime, expected: str) -> None:
    schedule = cron_schedule("0 0 * * *", zone)

    first, second = _dues(schedule, after, 2)

    assert first == expected
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 0", ["03-29", "04-05", "04-12"]),
        ("0 9 * * 7", ["03-29", "04-05", "04-12"]),
        ("0 9 * * 5-7", ["03-28", "03-29", "04-03"]),
        ("0 9 * * fri-MON", ["03-28", "03-29", "03-30", "04-03"]),
        ("0 9 13 * 5", ["04-03", "04-10", "04-13"]),
        ("0 9 */2 * 1", ["04-13", "04-27", "05-11"]),
        ("0 9 L * *", ["03-31", "04-30", "05-31"]),
        ("0 9 LW * *", ["03-31", "04-30", "05-29"]),
        ("0 9 * * 5L", ["04-24", "05-29"]),
        ("0 9 * * friL", ["04-24", "05-29"]),
        ("0 9 * * mon#2", ["04-13", "05-11"]),
        ("0 9 1 nov-feb *", ["11-01", "12-01", "01-01", "02-01", "11-01"]),
        ("@yearly", ["01-01", "01-01"]),
        ("@Annually", ["01-01"]),
        ("@monthly", ["04-01", "05-01"]),
        ("@weekly", ["03-29", "04-05"]),
        ("@daily", ["03-28", "03-29"]),
        ("@midnight", ["03-28", "03-29"]),
        ("0 0 29 2 *", ["02-29", "02-29"]),
    ],
)
def test_dates_are_those_that_debian_cron_means(text: str, expected: list[str]) -> None:
    found = occurrences(cron_schedule(text, "UTC"), NOON, len(expected))

    assert [f"{occurrence.local:%m-%d}" for occurrence in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 22-2 * * *", [0, 1, 2, 22, 23]),
        ("0 22-2/2 * * *", [0, 2, 22]),
        ("0 9-9/1 * * *", [9]),
        ("0 */24 * * *", [0]),
        ("0 20/2 * * *", [20, 22]),
    ],
)
def test_hours_may_wrap_and_step(text: str, expected: list[int]) -> None:
    midnight = datetime(2026, 6, 1, tzinfo=UTC) - timedelta(seconds=1)

    found = occurrences(cron_schedule(text, "UTC"), midnight, len(expected))

    assert [occurrence.local.hour for occurrence in found] == expected


def test_leap_days_are_found_over_the_century_that_has_none() -> None:
    after = datetime(2096, 3, 1, tzinfo=UTC)

    assert _dues(cron_schedule("0 0 29 2 *", "UTC"), after, 1) == ["2104-02-29 00:00:00"]
    assert _dues(cron_schedule("0 0 29 2 */7", "UTC"), datetime(2060, 3, 1, tzinfo=UTC), 2) == [
        "2088-02-29 00:00:00",
        "2128-02-29 00:00:00",
    ]


@pytest.mark.parametrize(
    ("every", "unit", "expected"),
    [
        (90, "seconds", ["12:01:30", "12:03:00"]),
        (5, "minutes", ["12:05:00", "12:10:00"]),
        (1, "hours", ["13:00:00", "14:00:00"]),
    ],
)
def test_an_interval_counts_from_its_anchor_however_late_one_asks(every: int, unit: str, expected: list[str]) -> None:
    schedule = Schedule(ScheduleKind.INTERVAL, every=every, unit=unit, anchor_at=NOON)

    found = list(occurrences(schedule, NOON, 2))
    years_later = next_occurrence(schedule, NOON + timedelta(days=3650, microseconds=1))

    assert [f"{occurrence.due_at:%T}" for occurrence in found] == expected
    assert (years_later.due_at - NOON) % (found[1].due_at - found[0].due_at) == timedelta(0)
    assert found[0].key == f"utc:2026-03-27T{expected[0]}Z"


def test_the_anchor_is_the_first_moment_of_an_interval() -> None:
    for unit in ("seconds", "minutes", "hours", "days"):
        schedule = Schedule(ScheduleKind.INTERVAL, every=7, unit=unit, anchor_at=NOON, zone="Europe/Berlin")

        assert next_occurrence(schedule, NOON - timedelta(days=30)).due_at == NOON
        assert next_occurrence(schedule, NOON - timedelta(microseconds=1)).due_at == NOON
        assert next_occurrence(schedule, NOON).due_at > NOON


def test_an_interval_of_days_keeps_its_time_of_day_over_a_clock_change() -> None:
    schedule = Schedule(ScheduleKind.INTERVAL, every=1, unit="days", anchor_at=NOON, zone="Europe/Berlin")

    assert _dues(schedule, NOON, 3) == ["2026-03-28 12:00:00", "2026-03-29 11:00:00", "2026-03-30 11:00:00"]


def test_moments_come_once_each_in_order_and_then_never_again() -> None:
    moments = (NOON + timedelta(hours=2), NOON + timedelta(hours=1), NOON)
    schedule = Schedule(ScheduleKind.MOMENT, moments=moments, zone="Asia/Tokyo")

    found = list(occurrences(schedule, NOON, 10))

    assert [occurrence.due_at for occurrence in found] == [moments[1], moments[0]]
    assert found[0].key == "utc:2026-03-27T13:00:00Z"
    assert found[0].local == datetime(2026, 3, 27, 22)


@pytest.mark.parametrize(
    ("every_word", "at_time", "expected"),
    [
        ("day", "09:30", ["27 09:30:00", "28 09:30:00"]),
        ("day", "23:59:59", ["26 23:59:59", "27 23:59:59"]),
        ("weekday", "09:30", ["27 09:30:00", "30 09:30:00", "31 09:30:00"]),
        ("saturday", "00:00", ["28 00:00:00"]),
        ("sunday", "00:00:01", ["29 00:00:01"]),
        ("every_4_hour", "ignored", ["26 20:00:00", "27 00:00:00", "27 04:00:00"]),
        ("every_day_hour", "", [f"26 {hour:02}:00:00" for hour in range(18, 24)] + ["27 00:00:00"]),
        ("seconds", "90", ["26 17:31:30", "26 17:33:00"]),
        ("minutes", "5", ["26 17:35:00", "26 17:40:00"]),
        ("hours", "1", ["26 18:30:00", "26 19:30:00"]),
    ],
)
def test_every_word_means_what_it_says(every_word: str, at_time: str, expected: list[str]) -> None:
    anchor = datetime(2026, 3, 26, 17, 30, tzinfo=UTC)
    fields = {"every_word": every_word, "at_time": at_time, "anchor_at": anchor}
    schedule = build_schedule(fields, now=anchor, default_zone="UTC")

    found = occurrences(schedule, anchor, len(expected))

    assert [f"{occurrence.local:%d %T}" for occurrence in found] == expected


def test_a_manual_schedule_is_never_due() -> None:
    assert next_occurrence(Schedule(ScheduleKind.MANUAL), NOON) is None


def test_a_naive_time_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        next_occurrence(cron_schedule("* * * * *", "UTC"), datetime(2026, 1, 1))


@pytest.mark.parametrize("kind", ["cron", "words", "interval"])
@pytest.mark.parametrize("year", [1, 9989, 9999])
def test_the_ends_of_the_calendar_do_no_harm(kind: str, year: int) -> None:
    schedules = {
        "cron": cron_schedule("0 0 29 2 *", "Pacific/Apia"),
        "words": Schedule(ScheduleKind.WORDS, every_word="day", at_time="09:30", zone="Pacific/Apia"),
        "interval": Schedule(ScheduleKind.INTERVAL, every=3000, unit="days", anchor_at=NOON, zone="Pacific/Apia"),
    }

    found = next_occurrence(schedules[kind], datetime(year, 12, 31, tzinfo=UTC))

    assert (found is None) == (year > 1)


def test_occurrences_end_at_the_limit_and_at_the_last_moment_included() -> None:
    schedule = cron_schedule("0 * * * *", "UTC")

    by_limit = list(occurrences(schedule, NOON, 3))
    by_time = list(occurrences(schedule, NOON, 9, NOON + timedelta(hours=2)))

    assert [occurrence.due_at - NOON for occurrence in by_limit] == [timedelta(hours=hour) for hour in (1, 2, 3)]
    assert by_time == by_limit[:2]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (
            "Europe/Berlin",
            [("gap", "2026-03-29 01:00", "02:00", "03:00"), ("fold", "2026-10-25 01:00", "03:00", "02:00")],
        ),
        (
            "Australia/Lord_Howe",
            [("fold", "2026-04-04 15:00", "02:00", "01:30"), ("gap", "2026-10-03 15:30", "02:00", "02:30")],
        ),
        (
            "Antarctica/Troll",
            [("gap", "2026-03-29 01:00", "01:00", "03:00"), ("fold", "2026-10-25 01:00", "03:00", "01:00")],
        ),
        ("Asia/Kolkata", []),
        ("UTC", []),
    ],
)
def test_the_next_clock_changes_are_told_exactly(zone: str, expected: list[tuple[str, ...]]) -> None:
    found = next_transitions(zone, NOON)

    assert [
        (change.kind, f"{change.at:%F %H:%M}", f"{change.local_before:%H:%M}", f"{change.local_after:%H:%M}")
        for change in found
    ] == expected


def test_a_clock_change_that_is_now_is_not_the_next_one() -> None:
    change = next_transitions("Europe/Berlin", NOON, 1)[0]

    assert next_transitions("Europe/Berlin", change.at, 1)[0].at > change.at


def test_the_zones_are_places_and_not_files_of_this_machine() -> None:
    assert {"Europe/Berlin", "UTC", "Asia/Gaza"} <= valid_zones()
    assert not {"localtime", "Factory", "posixrules"} & valid_zones()


SENTENCES = [
    ({"cron": "30 2 * * *"}, "At 02:30 every day, Europe/Berlin"),
    ({"cron": "@hourly"}, "At the start of every hour, Europe/Berlin"),
    ({"cron": "0 9 22 * *"}, "At 09:00 on the 22nd day of every month, Europe/Berlin"),
    ({"cron": "0 9 13 * *"}, "At 09:00 on the 13th day of every month, Europe/Berlin"),
    ({"cron": "0 9 13 * 5"}, "At 09:00 on the 13th day of month and also on Friday, Europe/Berlin"),
    ({"cron": "0 9 1-31 * 5"}, "At 09:00 every day, Europe/Berlin"),
    ({"cron": "0 9 13 * 0-6"}, "At 09:00 every day, Europe/Berlin"),
    ({"cron": "0 9 * * *\n@weekly"}, "At 09:00 every day; at 00:00 on Sunday, Europe/Berlin"),
    ({"cron": "*/60 * * * *"}, "At the start of every hour, Europe/Berlin"),
    ({"cron": "30 */24 * * *"}, "At 00:30 every day, Europe/Berlin"),
    ({"every": "10s"}, "Every 10 seconds"),
    ({"every": "1 hour"}, "Every hour"),
    ({"every": "2d"}, "Every 2 days at 13:00, Europe/Berlin"),
    ({"at": "2026-12-01 09:30"}, "Once at 2026-12-01 09:30:00, Europe/Berlin"),
    ({"every_word": "weekday", "at_time": "09:30"}, "Monday to Friday at 09:30, Europe/Berlin"),
    ({"every_word": "monday", "at_time": "09:30"}, "Every Monday at 09:30, Europe/Berlin"),
    ({"every_word": "minutes", "at_time": "5"}, "Every 5 minutes"),
    ({"every_word": "every_day_hour"}, "Every hour, on the hour, Europe/Berlin"),
    ({}, "Only when run by hand"),
]


@pytest.mark.parametrize(("fields", "sentence"), SENTENCES)
def test_a_schedule_is_described_in_a_sentence(fields: dict[str, object], sentence: str) -> None:
    assert describe(build_schedule(fields, now=NOON, default_zone="Europe/Berlin")) == sentence


@pytest.mark.parametrize("fields", [fields for fields, _ in SENTENCES])
def test_a_schedule_survives_the_way_through_json(fields: dict[str, object]) -> None:
    schedule = build_schedule(fields | {"dst": "both"}, now=NOON, default_zone="Europe/Berlin")

    assert from_json(to_json(schedule)) == schedule


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "sometimes"},
        {"kind": "cron", "expressions": "* * * * *"},
        {"kind": "interval", "every": "5", "unit": "seconds"},
        {"kind": "moment", "moments": ["2026-01-01T00:00:00"]},
        {"kind": "moment", "moments": [5]},
    ],
)
def test_a_damaged_stored_schedule_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InputError, match="schedule"):
        from_json(data)
