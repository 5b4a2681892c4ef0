"""Named calendars: where their days come from, who names them, and how tasks follow what is changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import DEFAULTS, NOW
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.services import audit, calendar_sources, calendars, tasks, transfer
from watchbell.services.calendars import CalendarView
from watchbell.store.session import Database
from watchbell.store.tasks import Task

ICAL = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261227
SUMMARY:Christmas; both days
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Europe/Berlin:20261231T120000
DURATION:PT6H
SUMMARY:Half a day
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261203
RRULE:FREQ=YEARLY
SUMMARY:Founders' day
END:VEVENT
END:VCALENDAR
"""


def make(db: Database, name: str = "closed", days: str = "2026-11-24 Move", **fields: object) -> CalendarView:
    return calendars.create(db, {"name": name, "days": days, **fields}, now=NOW, actor="ann")


def defaults(db: Database) -> Defaults:
    return Defaults(DEFAULTS.zone, DEFAULTS.owner, DEFAULTS.host, calendars.finder(db))


def add(db: Database, name: str = "daily", **fields: object) -> Task:
    given = {"name": name, "command": "true", "cron": "0 9 * * *", "calendar": "closed", **fields}
    return tasks.create(db, given, now=NOW, actor="ann", defaults=defaults(db))


def due(task: Task) -> list[tuple[str, bool]]:
    found = tasks.upcoming(task, after=NOW, limit=3)
    return [(f"{one.due_at:%d %H}", one.is_left_out) for one in found]


def bomb(what: str, times: int = 1) -> str:
    """Return a file of events that come to far more than they look like."""
    event = f"BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:00010101\n{what}\nEND:VEVENT\n"
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event * times}END:VCALENDAR\n"


def test_a_file_of_events_becomes_days_windows_and_days_of_every_year() -> None:
    assert calendar_sources.read_ical(ICAL).split("\n") == [
        "12-03 Founders' day",
        "2026-12-25/2026-12-26 Christmas, both days",
        "2026-12-31T12:00/2026-12-31T18:00 Half a day",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "no iCalendar file"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "no event"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR", "event 1 (x) has no beginning"),
        (ICAL.replace("FREQ=YEARLY", "FREQ=WEEKLY"), "event 3 (Founders' day) comes again in a way"),
        ("x" * 1_000_001, "at most 1,000,000 characters"),
        (ICAL.replace("END:VEVENT", "SUMMARY:\ud800\nEND:VEVENT"), "half a character"),
        (
            ICAL.replace("SUMMARY:Founders", "SUMMARY:Old\nSUMMARY:Founders").replace("YEARLY", "DAILY"),
            "event 3 (Old) comes again",
        ),
        (ICAL.replace("FREQ=YEARLY", "FREQ=YEARLYYEARLY"), "event 3 (Founders' day) comes again in a way"),
        (bomb("DURATION:P1D\nRRULE:FREQ=YEARLY\nRRULE:FREQ=YEARLY"), "event 1 comes again in a way"),
        (
            bomb("RRULE:FREQ=YEARLY\nDTEND;VALUE=DATE:99990101"),
            "event 1 comes again each year and lasts longer than one",
        ),
        (bomb("RRULE:FREQ=YEARLY\nDTEND;VALUE=DATE:00020101", 6), "more days in it than the 2,000"),
        ("BEGIN:VCALENDAR\n" + "BEGIN:VTIME\n ZONE\nTZID:x\nEND:VTIMEZONE\n" * 101, "more than 100 time zones"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_with_its_event(text: str, words: str) -> None:
    with pytest.raises(InputError, match="ical") as refused:
        calendar_sources.read_ical(text)

    assert words in refused.value.message


def test_the_holidays_of_a_region_are_added_to_own_days(db: Database) -> None:
    made = make(db, days="2026-11-24 Move", country="de", region="bw", years=2)

    lines = made.row.days.split("\n")
    assert "2026-11-24 Move" in lines and any(line.startswith("2027-01-06") for line in lines)
    with pytest.raises(InputError) as refused:
        make(db, "other", country="XX", years="many")
    assert {problem.field for problem in refused.value.problems} == {"country"} or "years" in refused.value.message


def test_a_task_names_a_calendar_and_its_days_are_left_out(db: Database) -> None:
    make(db)
    task = add(db)

    assert due(task) == [("23 09", False), ("24 09", True), ("25 09", False)]
    assert task.schedule_words == "At 09:00 every day, UTC; not on days of closed"
    with pytest.raises(InputError, match="there is no calendar 'none'"):
        add(db, "other", calendar="none")


def test_tasks_follow_their_calendar_by_a_version_of_their_own(db: Database) -> None:
    made = make(db)
    task, other = add(db), add(db, "other", calendar="")

    calendars.update(db, made.row.id, {"name": "shut", "days": "2026-11-25"}, now=NOW, actor="bob", expected_version=1)

    followed = tasks.get(db, task.id)
    assert due(followed) == [("23 09", False), ("24 09", False), ("25 09", True)]
    assert (followed.version, tasks.get(db, other.id).version) == (2, 1)
    assert "days of shut" in followed.schedule_words
    # The version before still knows what counted then.
    assert "2026-11-24" in tasks.revision(db, task.id, 1).definition["schedule"]["calendar_days"]
    actions = [entry.action for entry in audit.list_page(db, limit=10)]
    assert actions[:2] == ["task.change", "calendar.update"]


def test_whoever_was_stopped_half_way_is_followed_up_later(db: Database) -> None:
    made = make(db)
    task = add(db)
    with db.write() as session:
        row = calendars.store.find_calendar(session, made.row.id)
        assert row is not None
        calendars.change(
            session,
            row,
            {"name": "closed", "description": "", "weekdays": "", "days": "2026-11-23"},
            now=NOW,
            actor="x",
        )
    assert due(tasks.get(db, task.id))[0] == ("23 09", False)

    assert calendars.follow_all(db, now=NOW, actor="scheduler") == 1

    assert due(tasks.get(db, task.id))[0] == ("23 09", True)
    assert calendars.follow_all(db, now=NOW, actor="scheduler") == 0


def test_a_calendar_is_not_removed_while_a_task_names_it(db: Database) -> None:
    made = make(db)
    task = add(db)

    with pytest.raises(Conflict, match="named by daily"):
        calendars.remove(db, made.row.id, now=NOW, actor="ann")
    tasks.update(db, task.id, {"calendar": ""}, now=NOW, actor="ann", defaults=defaults(db))
    with pytest.raises(VersionConflict):
        calendars.remove(db, made.row.id, now=NOW, actor="ann", expected_version=7)
    calendars.remove(db, made.row.id, now=NOW, actor="ann")

    with pytest.raises(NotFound):
        calendars.find_by_name(db, "closed")


def test_an_edit_of_something_else_keeps_calendar_and_bounds(db: Database) -> None:
    make(db)
    task = add(db, calendar_rule="next", not_before="2026-11-01", not_after="2026-12-31")

    changed = tasks.update(
        db, task.id, {"comment": "x", "cron": "0 8 * * *"}, now=NOW, actor="ann", defaults=defaults(db)
    )

    kept = {name: changed.schedule[name] for name in ("calendar", "calendar_rule", "not_before", "not_after")}
    assert kept == {
        "calendar": "closed",
        "calendar_rule": "next",
        "not_before": "2026-11-01T00:00:00",
        "not_after": "2026-12-31T23:59:59",
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cron": "* * * * *", "calendar_rule": "next"}, "calendar_rule"),
        ({"cron": "", "kind": "manual"}, "calendar"),
        ({"not_before": "2026-12-01", "not_after": "2026-11-01"}, "not_after"),
        ({"not_before": "soon"}, "not_before"),
        ({"calendar_rule": "sometimes"}, "calendar_rule"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(db: Database, fields: dict[str, object], field: str) -> None:
    make(db)

    with pytest.raises(InputError) as refused:
        add(db, **fields)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_files_carry_calendars_with_the_tasks_that_name_them(db: Database) -> None:
    from watchbell.domain.task_document import to_document
    from watchbell.services import task_files

    make(db, weekdays="sat")
    task = add(db)
    found, queues = transfer.list_definitions(db, ["daily"])
    text = task_files.write(to_document(found, queues, transfer.list_calendars(db, found, ["daily"])), "yaml")
    assert "calendar_days" not in text
    tasks.delete(db, task.id, now=NOW, actor="ann")
    calendars.remove(db, calendars.find_by_name(db, "closed").row.id, now=NOW, actor="ann")

    plan = transfer.plan(db, task_files.read(text), now=NOW, defaults=defaults(db), replaces=False)
    transfer.apply(db, plan, now=NOW, actor="bob", defaults=defaults(db))

    assert calendars.find_by_name(db, "closed").row.days == "2026-11-24 Move"
    assert due(tasks.find_by_name(db, "daily"))[1] == ("24 09", True)


def test_a_month_of_a_thousand_tasks_follows_in_short_transactions(db: Database) -> None:
    made = make(db)
    for number in range(60):
        add(db, f"task-{number}")

    calendars.update(db, made.row.id, {"days": "2026-11-23"}, now=NOW + timedelta(seconds=1), actor="ann")

    with db.read() as session:
        users = calendars.store.list_users(session, "closed")
    assert {task.version for task in users} == {2} and len(users) == 60
