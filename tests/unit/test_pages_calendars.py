"""Calendars on the page, for programs and at the shell, and what the pages of tasks say of their days."""

from __future__ import annotations

import io
import json

from tests.database import add_task
from tests.unit.test_calendars import ICAL
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import calendars, tasks
from watchbell.store.session import Database


def make(db: Database, **fields: object) -> int:
    given = {"name": "closed", "days": "12-24 <b>Eve</b>", "weekdays": "sat,sun", **fields}
    return calendars.create(db, given, now=clock.now(), actor="ann").row.id


def test_without_calendars_the_page_says_what_they_are_for(admin: Person) -> None:
    page = admin.see("/calendars")

    assert "A calendar names days" in page.text and page.select_one("main a[href='/calendars/new']")


def test_a_calendar_is_made_of_lines_a_file_and_holidays_and_its_year_is_shown(admin: Person, db: Database) -> None:
    data = {
        "name": "closed", "days": "2030-05-02 Move", "weekdays": ["sun"], "country": "DE", "region": "BW", "years": "2",
        "file": (io.BytesIO(ICAL.encode()), "team.ics"),
    }  # fmt: skip
    made = admin.post("/calendars/new", data, content_type="multipart/form-data")

    assert made.status_code == 303
    row = calendars.find_by_name(db, "closed").row
    assert {"2030-05-02 Move", "12-03 Founders' day"} <= set(row.days.split("\n")) and row.weekdays == "sun"
    year = admin.see(f"/calendars/{row.id}?year=2030")
    assert "2030-05-02" in year.text and "Move" in year.text
    assert year.select_one(".wb-days-year__own[title='2030-05-02 Move']")


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(admin: Person) -> None:
    answer = admin.post("/calendars/new", {"name": "x", "days": "tomorrow", "country": "XX"})

    assert answer.status_code == 422
    text = answer.text
    assert "Line 1 is not understood" in text and "is not the code of a country" in text and "tomorrow" in text


def test_a_calendar_that_a_task_names_stays_and_says_who(admin: Person, db: Database) -> None:
    number = make(db)
    task = add_task(db, "daily")
    defaults = tasks.Defaults("UTC", "ann", "h", calendars.finder(db))
    tasks.update(
        db, task.id, {"calendar": "closed", "cron": "0 9 * * *"}, now=clock.now(), actor="a", defaults=defaults
    )

    assert "daily" in admin.see(f"/calendars/{number}").text
    assert admin.post(f"/calendars/{number}/remove", {}).status_code == 303
    assert calendars.get(db, number).tasks == 1


def test_the_form_of_a_task_keeps_its_days_and_its_preview_says_what_is_left_out(admin: Person, db: Database) -> None:
    make(db, days="")
    form = {
        "name": "report", "what": "command", "command": "true", "kind": "cron", "cron": "0 9 * * *", "zone": "UTC",
        "dst": "cron_like", "calendar": "closed", "calendar_rule": "leave_out", "not_before": "2030-01-01",
        "not_after": "2030-12-31", "enabled": "y",
    }  # fmt: skip
    assert admin.post("/tasks/new", form).status_code == 303

    task = tasks.find_by_name(db, "report")
    shown = admin.see(f"/tasks/{task.id}/edit")
    assert shown.select_one("#calendar option[selected]")["value"] == "closed"  # type: ignore[index]
    assert shown.select_one("#not_after")["value"] == "2030-12-31"  # type: ignore[index]
    assert "left out: 2030-01-05 is a day of calendar closed" in shown.select_one(".wb-moments").text  # type: ignore[union-attr]


def test_lists_of_what_comes_tell_what_is_left_out(admin: Person, db: Database) -> None:
    make(db, days="", weekdays="mon,tue,wed,thu,fri,sat,sun")
    defaults = tasks.Defaults("UTC", "ann", "h", calendars.finder(db))
    fields = {"name": "hourly", "command": "true", "cron": "0 * * * *", "calendar": "closed"}
    tasks.create(db, fields, now=clock.now(), actor="ann", defaults=defaults)

    rows = json.loads(admin.get("/next-runs.json").text)
    assert rows and all(row["is_left_out"] and "is a day of calendar closed" in row["note"] for row in rows)
    assert "left out: " in admin.see("/next-runs").text
    assert "hourly (left out)" in admin.get("/next-runs.ics").text.replace("\r\n ", "")
    # What does not run is no load.
    assert all(row["at_once"] == 0 for row in json.loads(admin.get("/next-runs/load.json").text))
    assert "left out" in {row["state"] for row in json.loads(admin.get("/timeline.json").text)}


def test_only_who_may_edit_tasks_changes_calendars(enter: Enter, db: Database) -> None:
    number = make(db)
    viewer = enter("viewer")

    assert viewer.get("/calendars").status_code == viewer.get(f"/calendars/{number}").status_code == 200
    assert viewer.post(f"/calendars/{number}/edit", {"name": "x"}).status_code == 403
    assert viewer.post(f"/calendars/{number}/remove", {}).status_code == 403


def test_a_blackout_is_made_changed_and_removed_and_lists_tell_what_it_leaves_out(admin: Person, db: Database) -> None:
    add_task(db, "hourly", kind="cron", cron="0 * * * *")
    form = {"name": "day", "from_time": "00:00", "to_time": "00:00", "zone": "UTC", "tasks": "hourly"}
    assert "keeps the moments of some tasks" in admin.see("/blackouts").text
    wrong = admin.post("/blackouts/new", {**form, "to_time": "late", "zone": "Mars", "tasks": "none"})
    assert wrong.status_code == 422
    # All that is wrong is told at once.
    assert all(f'id="{field}-error"' in wrong.text for field in ("to_time", "zone", "tasks"))

    assert admin.post("/blackouts/new", form).status_code == 303
    assert "left out: blackout day" in admin.see("/next-runs").text
    assert admin.see("/blackouts/1/edit").select_one("#tasks")["value"] == "hourly"  # type: ignore[index]
    assert admin.post("/blackouts/1/edit", {**form, "tasks": "", "version": "1"}).status_code == 303
    (row,) = admin.get("/blackouts.json").json  # type: ignore[misc]
    assert (row["name"], row["tasks"], row["version"]) == ("day", [], 2)
    assert admin.post("/blackouts/1/remove", {"version": "2"}).status_code == 303
    assert "left out: " not in admin.see("/next-runs").text
