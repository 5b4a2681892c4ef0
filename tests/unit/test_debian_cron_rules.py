"""What the manual of Debian's cron says, case by case; each name tells page and section (cron 3.0pl1, bookworm)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchbell.domain.schedule import Schedule, ScheduleKind, occurrences
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.errors import InputError


def due(text: str, start: str, until: str, zone: str = "UTC") -> list[str]:
    """Return when a text is due in a span of UTC, as UTC times without their year."""
    begin, end = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (start, until))
    schedule = Schedule(ScheduleKind.CRON, expressions=(text,), zone=zone)
    return [f"{found.due_at:%m-%d %H:%M}" for found in occurrences(schedule, begin, 1000, end)]


def hours(*numbers: int) -> list[str]:
    return [f"11-02 {number:02}:00" for number in numbers]


#: 2 November 2026 is a Monday.
FIELDS = {
    "crontab(5) fields: an asterisk stands for first-last": ("0 * * * *", hours(*range(1, 24))),
    "crontab(5) fields: ranges are inclusive": ("0 8-11 * * *", hours(8, 9, 10, 11)),
    "crontab(5) fields: a list is a set of numbers": ("0 1,2,5,9 * * *", hours(1, 2, 5, 9)),
    "crontab(5) fields: a list is a set of ranges": ("0 1-4,8-12 * * *", hours(1, 2, 3, 4, 8, 9, 10, 11, 12)),
    "crontab(5) EXTENSIONS: lists and ranges co-exist in one field": ("0 1-3,7-9 * * *", hours(1, 2, 3, 7, 8, 9)),
    "crontab(5) EXTENSIONS: 1-9/2 is the same as 1,3,5,7,9": ("0 1-9/2 * * *", hours(1, 3, 5, 7, 9)),
    "crontab(5) fields: a step goes through a range": ("0 0-23/2 * * *", hours(*range(2, 24, 2))),
    "crontab(5) fields: a step may follow an asterisk": ("0 */2 * * *", hours(*range(2, 24, 2))),
    "crontab(5) fields: a name of a month": ("0 9 * nov *", hours(9)),
    "crontab(5) fields: another month": ("0 9 * dec *", []),
    "crontab(5) fields: a name of a weekday": ("0 9 * * mon", hours(9)),
    "crontab(5) fields: case does not matter": ("0 9 * NOV Mon", hours(9)),
    "crontab(5) fields: minute, hour, month and a day field all match": ("30 9 * 10 mon", []),
}


@pytest.mark.parametrize("rule", FIELDS)
def test_fields_as_the_manual_says(rule: str) -> None:
    text, expected = FIELDS[rule]

    assert due(text, "2026-11-02 00:00", "2026-11-02 23:59") == expected


#: November 2026 begins with a Sunday: Fridays are 6, 13, 20, 27, Sundays 1, 8, 15, 22, 29.
DAYS = {
    "crontab(5) Note: 30 4 1,15 * 5 is the 1st, the 15th and every Friday": (
        "30 4 1,15 * 5", [1, 6, 13, 15, 20, 27]),
    "crontab(5) Note: the day of month alone restricts": ("30 4 1,15 * *", [1, 15]),
    "crontab(5) Note: the weekday alone restricts": ("30 4 * * 5", [6, 13, 20, 27]),
    "crontab(5) Note: a field that begins with an asterisk is not restricted, so both match": (
        "30 4 */2 * 5", [13, 27]),
    "crontab(5) Note: the same for the weekday": ("30 4 1-10 * */2", [1, 3, 5, 7, 8, 10]),
    "crontab(5) EXTENSIONS: day 0 is Sunday": ("30 4 * * 0", [1, 8, 15, 22, 29]),
    "crontab(5) EXTENSIONS: day 7 is Sunday": ("30 4 * * 7", [1, 8, 15, 22, 29]),
    "crontab(5) EXTENSIONS: day 7 ends a range": ("30 4 * * 6-7", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
}  # fmt: skip


@pytest.mark.parametrize("rule", DAYS)
def test_days_as_the_manual_says(rule: str) -> None:
    text, expected = DAYS[rule]

    assert due(text, "2026-10-31 23:59", "2026-11-30 23:59") == [f"11-{day:02} 04:30" for day in expected]


#: Berlin goes from 02:00 to 03:00 at 01:00 UTC on 29 March and back from 03:00 to 02:00 at 01:00 UTC on 25 October;
#: Lord Howe moves by half an hour, Troll by two hours.
CHANGES = {
    "cron(8) clock forwards: a job of the skipped time runs soon after the change": (
        "30 2 * * *", "Europe/Berlin", "03-29", ["01:00"]),
    "cron(8) clock forwards: a job of another time is not affected": ("30 4 * * *", "Europe/Berlin", "03-29", ["02:30"]),
    "cron(8) clock forwards: half an hour": ("15 2 * * *", "Australia/Lord_Howe", "10-03", ["15:30"]),
    "cron(8) clock forwards: two hours": ("30 1 * * *", "Antarctica/Troll", "03-29", ["01:00"]),
    "cron(8) clock forwards: a change at midnight": ("30 0 * * *", "America/Havana", "03-08", ["05:00"]),
    "cron(8) clock forwards: an asterisk in the minute follows the new time": (
        "*/30 2 * * *", "Europe/Berlin", "03-29", []),
    "cron(8) clock forwards: an asterisk in the hour follows the new time": (
        "30 */2 * * *", "Europe/Berlin", "03-29", ["02:30", "04:30", "06:30", "08:30", "10:30", "12:30", "14:30"]),
    "cron(8) clock backwards: a job of the repeated time is not run again": (
        "30 2 * * *", "Europe/Berlin", "10-25", ["00:30"]),
    "cron(8) clock backwards: two hours": ("30 1 * * *", "Antarctica/Troll", "10-25", []),  # At 23:30 the day before.
    "cron(8) clock backwards: a change at midnight": ("30 0 * * *", "America/Havana", "11-01", ["04:30"]),
    "cron(8) clock backwards: an asterisk in the minute runs in the repeated hour, too": (
        "*/30 2 * * *", "Europe/Berlin", "10-25", ["00:00", "00:30", "01:00", "01:30"]),
    "cron(8) clock backwards: an asterisk in the hour runs in the repeated hour, too": (
        "0 * * * *", "Europe/Berlin", "10-25", [f"{hour:02}:00" for hour in range(17)]),
}  # fmt: skip


@pytest.mark.parametrize("rule", CHANGES)
def test_clock_changes_as_the_manual_says(rule: str) -> None:
    text, zone, day, expected = CHANGES[rule]
    # What is due at the very beginning of the day counts, too.
    before = datetime.fromisoformat(f"2026-{day}") - timedelta(minutes=1)
    found = due(text, before.isoformat(" ", "minutes"), f"2026-{day} 16:00", zone)

    assert [moment[6:] for moment in found] == expected


#: Where Watchbell deliberately does something else; docs/concepts.md has the same list.
@pytest.mark.parametrize("text", ["0 9 0 * *", "0 9 1 0 *", "@reboot", "0 9 * * mon root"])
def test_what_is_refused_although_the_manual_mentions_it(text: str) -> None:
    with pytest.raises(InputError):
        read_cron(text)


ACCEPTED = {
    "names in ranges": ("0 9 * * mon-wed", [2, 3, 4, 9]),
    "names in lists": ("0 9 * * mon,wed", [2, 4, 9]),
    "a range over the end of its field": ("0 9 * * sat-mon", [1, 2, 7, 8, 9]),
    "a step after a number": ("0 9 3/3 * *", [3, 6, 9]),
    "the nth weekday of a month": ("0 9 * * mon#2", [9]),
}


@pytest.mark.parametrize("difference", ACCEPTED)
def test_what_is_accepted_although_the_manual_does_not_allow_it(difference: str) -> None:
    text, expected = ACCEPTED[difference]

    assert due(text, "2026-10-31 23:59", "2026-11-09 23:59") == [f"11-{day:02} 09:00" for day in expected]


def test_a_text_that_names_several_skipped_times_runs_once_where_cron_runs_each() -> None:
    assert due("0,30 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00", "Europe/Berlin") == ["03-29 01:00"]


def test_a_change_of_more_than_three_hours_is_treated_like_any_other() -> None:
    # Apia left out 30 December 2011; cron would take that for a correction and leave the job out, too.
    found = due("0 12 * * *", "2011-12-29 00:00", "2011-12-31 12:00", "Pacific/Apia")

    assert found == ["12-29 22:00", "12-30 10:00", "12-30 22:00"]
