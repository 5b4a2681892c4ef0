"""``watchbell calendar``: days by lines, files and holidays, tasks that name a calendar, and what previews say."""

from __future__ import annotations

from pathlib import Path

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.test_calendars import ICAL
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE

# ruff: noqa: F811


def test_a_calendar_is_made_shown_changed_and_removed(shell, db, tmp_path: Path):
    (tmp_path / "team.ics").write_text(ICAL)
    made = shell(
        "calendar",
        "add",
        "off",
        "--day",
        "2030-05-02 Move",
        "--weekdays",
        "sat,sun",
        "--ical",
        str(tmp_path / "team.ics"),
    )

    assert made.out == "Calendar off is made: 4 line(s).\n"
    assert shell("calendar", "show", "off").out.splitlines()[:2] == ["Every week on sat, sun.", "12-03 Founders' day"]
    assert shell("calendar", "edit", "off", "--rename", "closed", "--weekdays", "").code == 0
    (one,) = shell("calendar", "list", "--json").json()
    assert (one["name"], one["weekdays"], len(one["days"])) == ("closed", [], 4)
    assert shell("calendar", "add", "closed", "--day", "12-24").code == EXIT_CONFLICT
    assert shell("calendar", "add", "x", "--day", "tomorrow").code == EXIT_USAGE
    assert shell("calendar", "show", "none").code == EXIT_NOT_FOUND
    assert shell("calendar", "remove", "closed").out == "Calendar closed is removed.\n"


def test_a_task_names_its_calendar_and_a_preview_tells_what_is_left_out_and_moved(shell, db):
    shell("calendar", "add", "off", "--weekdays", "sat,sun")

    schedule = ("--calendar", "off", "--calendar-rule", "next", "--not-before", "2030-01-01")
    said = shell("schedule", "preview", "0 9 5 * *", *schedule, "--zone", "UTC", "-n", "1")
    assert "moved from 2030-01-05 09:00 by calendar off" in said.out and "Mon 2030-01-07 09:00:00" in said.out
    assert (
        shell("task", "add", "report", "--command", "true", "--cron", "0 9 5 * *", "--zone", "UTC", *schedule).code == 0
    )
    assert "not before" not in shell("task", "list").out
    shown = shell("task", "show", "report", "--json").json()
    assert shown["upcoming"][0].startswith("2030-01-07T09:00:00")
    assert shell("calendar", "remove", "off").code == EXIT_CONFLICT
    assert shell("task", "edit", "report", "--calendar", "", "--not-before", "").code == 0
    assert shell("calendar", "remove", "off").code == 0


def test_a_blackout_is_made_listed_and_removed_and_why_says_what_it_does(shell, db):
    made = shell(
        "blackout", "add", "night", "--from-time", "22:00", "--to-time", "02:00", "--zone", "UTC", "--weekdays", "sat"
    )
    assert made.out == "Blackout night leaves out moments of all tasks: sat from 22:00 to 02:00, UTC.\n"
    assert shell("blackout", "add", "x", "--from-time", "22:00").code == EXIT_USAGE
    assert "night" in shell("blackout", "list").out
    shell("task", "add", "late", "--command", "true", "--cron", "0 23 * * *", "--zone", "UTC")

    said = shell("why", "late", "2030-01-05 23:00").out
    assert "It is due and will be skipped: blackout night." in said
    assert "The nearest moment after: 2030-01-06 23:00:00" in said
    assert shell("why", "late", "2030-01-06 23:00", "--json").json()["kind"] == "not_yet"
    assert shell("why", "late", "soon").code == EXIT_USAGE
    assert shell("why", "none").code == EXIT_NOT_FOUND
    assert shell("blackout", "remove", "night").out == "Blackout night is removed.\n"
