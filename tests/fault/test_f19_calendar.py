"""F19: a sample of what `make calendar` does for all zones and years, and proofs that the stepper notices what is wrong."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest

from tests.fault import diary, every_calendar
from tests.fault.scale import SEED, rounds
from tests.unit import brute_force_calendar
from watchbell.domain.schedule import DSTRule

#: Changes at midnight, of half an hour, of two hours, of a whole day, four times a year, and with negative summer time.
ODD_ZONES = [
    "America/Havana", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia",
    "Africa/Casablanca", "Europe/Dublin", "Asia/Gaza", "Pacific/Chatham", "Africa/Cairo", "America/Scoresbysund",
]  # fmt: skip


def test_a_sample_of_zones_years_and_texts_is_due_when_the_stepper_says(claims):
    chance = random.Random(SEED)
    everywhere = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
    texts = every_calendar.catalogue(150, 2037)
    compared, differences = 0, []

    for number in rounds("CALENDAR_SAMPLES", 4, 1000):
        zone = chance.choice(ODD_ZONES if number % 2 else everywhere)
        year = 2011 if zone == "Pacific/Apia" else chance.randint(diary.FIRST_YEAR, diary.LAST_YEAR)
        more, found = every_calendar.compare(zone, chance.sample(texts, 8), (year, year))
        compared += more
        differences += found

    claims.none_of("F19", "moments that differ from the minute stepper", compared, differences)


@pytest.mark.parametrize(
    ("zone", "rule"),
    [("Australia/Lord_Howe", DSTRule.BOTH), ("America/Havana", DSTRule.CRON_LIKE), ("Europe/Berlin", DSTRule.SKIP)],
)
def test_the_diary_agrees_with_a_stepper_that_looks_at_every_minute_anew(zone, rule):
    written = diary.Diary(zone, 2026, 2026)
    for text in ["30 */2 * * *", "0 0,1 1-10,25-31 3,4,10,11 sun"]:
        slow = brute_force_calendar.due_in(
            brute_force_calendar.matcher(text),
            fixed=brute_force_calendar.is_fixed(text),
            zone=zone,
            rule=str(rule),
            start=datetime(2025, 12, 31, 23, 59, tzinfo=UTC),
            end=datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        )

        assert [(diary.minute_of(at), diary.minute_of(wall), fold) for at, wall, fold in slow] == written.due(
            text, rule
        )


@pytest.mark.parametrize("shift", [timedelta(hours=1), timedelta(days=1)])
def test_a_calendar_that_is_wrong_at_one_moment_is_noticed(monkeypatch, shift):
    real = every_calendar.occurrences

    def wrong(schedule, after, limit, until):
        for occurrence in real(schedule, after, limit, until):
            moved = occurrence.due_at - shift if f"{occurrence.local:%m-%d}" == "03-29" else occurrence.due_at
            yield type(occurrence)(moved, occurrence.key, occurrence.local, occurrence.fold, occurrence.zone)

    monkeypatch.setattr(every_calendar, "occurrences", wrong)

    assert every_calendar.compare("Europe/Berlin", ["30 2 * * *"], (2026, 2026))[1]
