"""What comes in from forms and command lines: what is understood, and what is refused with the field and an example."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

import pytest

from tests.waiting import spends_at_most
from watchbell.domain.schedule import (
    EVERY_WORDS,
    DSTRule,
    Schedule,
    ScheduleKind,
    build_schedule,
    parse_interval,
    parse_moment,
)
from watchbell.errors import InputError

NOW = datetime(2026, 3, 27, 12, 0, 0, 500_000, tzinfo=UTC)


def _build(fields: dict[str, object], earlier: Schedule | None = None) -> Schedule:
    return build_schedule(fields, now=NOW, default_zone="Europe/Berlin", earlier=earlier)


def _problems(fields: dict[str, object]) -> list[tuple[str, str, str | None]]:
    with pytest.raises(InputError) as caught:
        _build(fields)
    return [(problem.field, problem.message, problem.example) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2s", (2, "seconds")),
        ("90 s", (90, "seconds")),
        ("5m", (5, "minutes")),
        ("5 min", (5, "minutes")),
        ("1h", (1, "hours")),
        ("2d", (2, "days")),
        ("1 week", (7, "days")),
        ("every 10 seconds", (10, "seconds")),
        ("Every 2 Hours", (2, "hours")),
        ("every minute", (1, "minutes")),
        (" 3 days ", (3, "days")),
    ],
)
def test_an_interval_is_read_in_the_ways_people_write_it(text: str, expected: tuple[int, str]) -> None:
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "every 0 minutes",
        "-5m",
        "1.5h",
        "s",
        "5",
        "5 fortnights",
        "1h30m",
        "9" * 12 + "d",
        "20y",
        "٣s",
        "x" * 10**6,
    ],
)
def test_a_wrong_interval_is_refused_with_an_example_that_works(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_interval(text)

    (problem,) = caught.value.problems
    assert problem.field == "every"
    assert parse_interval(problem.example)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01 09:30", "2026-12-01T08:30:00+00:00"),
        ("2026-07-01T09:30:15", "2026-07-01T07:30:15+00:00"),
        ("2026-12-01T09:30Z", "2026-12-01T09:30:00+00:00"),
        ("2026-12-01 09:30 -05:00", "2026-12-01T14:30:00+00:00"),
        ("2026-12-01T09:30:00.75+00:00", "2026-12-01T09:30:00+00:00"),
        # A repeated time means its first pass; an offset names the second.
        ("2026-10-25 02:30", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30:00+00:00"),
    ],
)
def test_a_moment_is_read_in_its_zone_unless_it_has_an_offset(text: str, expected: str) -> None:
    assert parse_moment(text, "Europe/Berlin", NOW).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a date and a time"),
        ("tomorrow", "not a date and a time"),
        ("2026-12-01", "not a date and a time"),
        ("2026-02-30 09:30", "does not exist"),
        ("2026-12-01 24:30", "does not exist"),
        ("9999-12-31 23:59-12:00", "does not exist"),
        ("2026-03-29 02:30", "the clock goes from 02:00 to 03:00"),
        ("2026-03-27 12:59", "it is now 2026-03-27 13:00:00, Europe/Berlin"),
        ("x" * 10**6, "not a date and a time"),
    ],
)
def test_a_wrong_or_past_moment_is_refused_with_an_example_that_works(text: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_moment(text, "Europe/Berlin", NOW)

    (problem,) = caught.value.problems
    assert problem.field == "at"
    assert reason in problem.message
    assert parse_moment(problem.example, "Europe/Berlin", NOW) > NOW


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cron": "30 2 * * *"}, Schedule(ScheduleKind.CRON, ("30 2 * * *",), zone="Europe/Berlin")),
        (
            {"kind": "cron", "cron": " 30  2 * * *\r\n\n@daily\n@daily", "zone": "Asia/Gaza", "dst": "cron-like"},
            Schedule(ScheduleKind.CRON, ("30 2 * * *", "@daily"), zone="Asia/Gaza"),
        ),
        (
            {"cron": ["0 1 * * *", "0 2 * * *"]},
            Schedule(ScheduleKind.CRON, ("0 1 * * *", "0 2 * * *"), zone="Europe/Berlin"),
        ),
        ({"kind": "manual", "cron": "", "every": None}, Schedule(ScheduleKind.MANUAL, zone="Europe/Berlin")),
        ({"kind": "", "dst": "skip"}, Schedule(ScheduleKind.MANUAL, zone="Europe/Berlin", dst=DSTRule.SKIP)),
    ],
)
def test_the_filled_fields_tell_the_schedule(fields: dict[str, object], expected: Schedule) -> None:
    assert _build(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"every": "2h"},
        {"every": "2", "unit": "hours"},
        {"every": 2, "unit": "h"},
        {"kind": "interval", "every": "2 hours", "unit": "hours"},
    ],
)
def test_an_interval_counts_from_now_in_whole_seconds(fields: dict[str, object]) -> None:
    schedule = _build(fields)

    assert (schedule.every, schedule.unit, schedule.anchor_at) == (2, "hours", NOW.replace(microsecond=0))


def test_an_anchor_may_be_given_past_or_future() -> None:
    past = _build({"every": "2h", "anchor_at": "2026-01-01 00:30"})
    future = _build({"every_word": "seconds", "at_time": "45", "anchor_at": NOW + timedelta(days=1)})

    assert past.anchor_at == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert future.anchor_at == (NOW + timedelta(days=1)).replace(microsecond=0)


def test_an_interval_that_is_saved_again_unchanged_keeps_its_anchor() -> None:
    earlier = _build({"every": "2h", "anchor_at": "2026-01-01 00:30"})

    assert _build({"every": "120m"}, earlier).anchor_at != earlier.anchor_at
    assert _build({"every": "2h"}, earlier).anchor_at == earlier.anchor_at


def test_now_is_a_moment_that_is_due_at_once() -> None:
    schedule = build_schedule({"at": " Now "}, now=NOW, default_zone="UTC")

    assert schedule.moments == (NOW,)


def test_a_moment_that_the_task_had_before_may_be_past() -> None:
    earlier = Schedule(ScheduleKind.MOMENT, moments=(NOW.replace(microsecond=0) - timedelta(days=9),))
    fields = {"at": "2026-03-18 13:00\n2026-12-01 09:30"}

    assert len(_build(fields, earlier).moments) == 2
    with pytest.raises(InputError, match="is past"):
        _build(fields)


def test_moments_may_be_times_of_python() -> None:
    assert _build({"at": NOW + timedelta(hours=1)}).moments == (NOW.replace(microsecond=0) + timedelta(hours=1),)


WRONG = [
    ({"cron": "61 * * * *"}, "cron", "minute: 61 is not between 0 and 59"),
    ({"cron": "0 25 * * *"}, "cron", "hour: 25 is not between 0 and 23"),
    ({"cron": "0 0 0 * *"}, "cron", "day of month: 0 is not between 1 and 31"),
    ({"cron": "0 0 * 13 *"}, "cron", "month: 13 is not between 1 and 12"),
    ({"cron": "0 0 * * 8"}, "cron", "weekday: 8 is not between 0 and 7"),
    ({"cron": "0 0 * * funday"}, "cron", "weekday: 'funday' is not understood"),
    ({"cron": "*/0 * * * *"}, "cron", "a step is a whole number from 1 to 60"),
    ({"cron": "0-59/0 * * * *"}, "cron", "a step is a whole number from 1 to 60"),
    ({"cron": "*/90 * * * *"}, "cron", "a step is a whole number from 1 to 60"),
    ({"cron": "0 0 31 2 *"}, "cron", "this date never comes"),
    ({"cron": "0 0 30 feb *"}, "cron", "this date never comes"),
    ({"cron": "0 0 31 4,6,9,11 *"}, "cron", "this date never comes"),
    ({"cron": "0 0 */30 * 3#2"}, "cron", "this date never comes"),
    ({"cron": "0 0 * * mon#6"}, "cron", "beyond the five weeks"),
    ({"cron": "@reboot"}, "cron", "@reboot is not a time"),
    ({"cron": "@fortnightly"}, "cron", "is not one of @yearly"),
    ({"cron": "0 0 * * * *"}, "cron", "this one has 6; seconds"),
    ({"cron": "0 2 * * * /usr/bin/backup"}, "cron", "this one has 6"),
    ({"cron": "* * *"}, "cron", "this one has 3"),
    ({"cron": "${7*7} * * * *"}, "cron", "minute: '${7*7}' is not understood"),
    ({"cron": "0 0 * * \u017fun"}, "cron", "plain letters"),
    ({"cron": "0 0 * * \0"}, "cron", "plain letters"),
    ({"cron": "\u0663 0 * * *"}, "cron", "plain letters"),
    ({"cron": "0 2 * * *\n0 25 * * *"}, "cron", "hour: 25"),
    ({"cron": "* * * * *\n" * 21}, "cron", "1 to 20 lines"),
    ({"cron": 5}, "cron", "this is a text, not int"),
    ({"kind": "cron"}, "cron", "this is needed"),
    ({"every": "0s"}, "every", "at least 1"),
    ({"every": 0, "unit": "minutes"}, "every", "at least 1"),
    ({"every": "-1", "unit": "minutes"}, "every", "not a whole number"),
    ({"every": "5"}, "every", "has no unit"),
    ({"every": True, "unit": "minutes"}, "every", "whole number"),
    ({"every": "9" * 5000, "unit": "minutes"}, "every", "at most ten years"),
    ({"every": "11 years"}, "every", "not a whole number"),
    ({"every": "4000 days"}, "every", "at most ten years"),
    ({"every": "9" * 100 + "d"}, "every", "at most ten years"),
    ({"every": "0" * 30, "unit": "minutes"}, "every", "at least 1"),
    ({"at": "0001-01-01T00:00:00+00:00", "zone": "America/New_York"}, "at", "years 1970 to 9998"),
    ({"at": "9999-12-31T23:00:00+00:00", "zone": "Pacific/Auckland"}, "at", "years 1970 to 9998"),
    ({"every": "1d", "anchor_at": "0001-01-01T00:00Z", "zone": "America/New_York"}, "anchor_at", "years 1970 to 9998"),
    ({"every": "5", "unit": "moons"}, "unit", "is not one of seconds"),
    ({"every": "5s", "unit": "minutes"}, "unit", "the unit says minutes"),
    ({"unit": "minutes"}, "every", "whole number with a unit"),
    ({"kind": "interval"}, "every", "this is needed"),
    ({"every": "5s", "anchor_at": "soon"}, "anchor_at", "not a date and a time"),
    ({"every": "5s", "anchor_at": datetime(2026, 1, 1)}, "anchor_at", "no time zone"),
    ({"at": "2026-03-26 09:30"}, "at", "is past; it is now 2026-03-27 13:00:00"),
    ({"at": datetime(2027, 1, 1)}, "at", "no time zone"),
    ({"at": 5}, "at", "this is a text"),
    ({"at": "2030-01-01 09:30", "zone": "Berlin"}, "zone", "not the name of a time zone"),
    ({"cron": "@daily", "zone": "europe/berlin"}, "zone", "not the name of a time zone"),
    ({"cron": "@daily", "zone": "../../etc/passwd"}, "zone", "not the name of a time zone"),
    ({"cron": "@daily", "zone": "localtime"}, "zone", "not the name of a time zone"),
    ({"cron": "@daily", "zone": "x" * 10**6}, "zone", "not the name of a time zone"),
    ({"cron": "@daily", "dst": "sometimes"}, "dst", "is not one of cron_like, skip, both"),
    ({"every_word": "Day", "at_time": "09:30"}, "every_word", "is not one of day, weekday"),
    ({"every_word": "fortnight"}, "every_word", "is not one of"),
    ({"at_time": "09:30"}, "every_word", "is not one of"),
    ({"every_word": "day"}, "at_time", "is not a time from 00:00 to 23:59"),
    ({"every_word": "day", "at_time": "9:30"}, "at_time", "two digits for the hour"),
    ({"every_word": "monday", "at_time": "24:00"}, "at_time", "is not a time"),
    ({"every_word": "weekday", "at_time": "09:60"}, "at_time", "is not a time"),
    ({"every_word": "seconds", "at_time": "0"}, "at_time", "at least 1"),
    ({"every_word": "minutes", "at_time": "09:30"}, "at_time", "whole number from 1"),
    ({"every_word": "hours"}, "at_time", "whole number from 1"),
    ({"kind": "weekly"}, "kind", "is not one of cron, interval"),
    ({"cron": "@daily", "every": "5s"}, "schedule", "give only one of cron and every"),
    ({"kind": "cron", "every": "5s"}, "schedule", "the kind is cron, but every belongs to the kind interval"),
    ({"kind": "manual", "cron": "@daily"}, "schedule", "the kind is manual"),
    ({"cron": "@daily", "colour": "red"}, "colour", "this is not a field of a schedule"),
]


@pytest.mark.parametrize(("fields", "field", "message"), WRONG, ids=[f"{str(row[0])[:50]}" for row in WRONG])
def test_wrong_input_is_refused_with_its_field_and_the_reason(
    fields: dict[str, object], field: str, message: str
) -> None:
    ((found_field, found_message, _),) = _problems(fields)

    assert found_field == field
    assert message in found_message
    assert len(found_message) < 300


@pytest.mark.parametrize("fields", [row[0] for row in WRONG if row[1] in {"cron", "zone", "dst", "every", "unit"}])
def test_the_example_of_a_refusal_is_accepted_in_place_of_what_was_wrong(fields: dict[str, object]) -> None:
    ((field, _, example),) = _problems(fields)

    assert example is not None
    assert _build(fields | {field: example} | ({"unit": None} if field == "every" else {}))


def test_the_example_of_a_wrong_time_beside_a_word_is_accepted() -> None:
    for word in EVERY_WORDS[:12]:
        ((field, _, example),) = _problems({"every_word": word, "at_time": "wrong"})

        assert _build({"every_word": word, field: example})


def test_all_problems_are_told_at_once() -> None:
    fields = {"cron": "61 * * * *\n* 24 * * *", "zone": "Mars", "dst": "no", "colour": "red"}

    assert [field for field, *_ in _problems(fields)] == ["colour", "zone", "dst", "cron", "cron"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10**6,
        "," * 10_000,
        "0," * 10_000 + "0 * * * *",
        "\n" * 10**6 + "x",
        "0-59," * 70 + "0 * * * *",
        "1" * 399,
        "(" * 399,
    ],
    ids=["1 MB", "commas", "items", "lines", "many ranges", "digits", "brackets"],
)
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    # Reading the list of zones from disk happens once per process and is not what is measured.
    _build({"zone": "UTC"})

    for field in ("cron", "every", "at", "zone", "dst", "every_word", "kind"):
        wish = {field: text, "at_time": "09:30"} if field == "every_word" else {field: text}
        assert spends_at_most(0.05, functools.partial(_problems, wish))


def test_every_word_of_the_form_is_accepted() -> None:
    times = {word: "5" if word in {"minutes", "hours", "seconds"} else "09:30" for word in EVERY_WORDS}

    assert all(_build({"every_word": word, "at_time": time}).every_word == word for word, time in times.items())
    assert len(EVERY_WORDS) == 14
