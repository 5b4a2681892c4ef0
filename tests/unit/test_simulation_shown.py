"""What a change would do is shown before it is made: on pages, in the native API, and by --dry-run. None of it changes anything."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, add_task
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.cli.main import main
from watchbell.services import blackouts, calendars, tasks
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: A run of each of thirty days; one of them may lie between the old time and the new one just now.
A_MONTH = r"(29|30) runs moved"


@pytest.fixture
def task(db: Database) -> Task:
    return add_task(db, "report", cron="0 2 * * *", zone="UTC", now=clock.now())


def test_the_form_of_a_task_tells_what_moves_while_it_is_typed_and_by_its_button(admin: Person, task: Task) -> None:
    fields = {**edit_fields(admin, task.id), "cron": "0 5 * * *"}

    typed = soup(admin.post("/tasks/preview", {**fields, "task": task.id}).text)
    pressed = soup(admin.post(f"/tasks/{task.id}/edit", {**fields, "preview": "1"}).text)

    for page in (typed, pressed):
        effect = page.select_one("#preview-content .wb-effect")
        assert effect is not None and re.search(A_MONTH, effect.text)
        assert "02:00 moves to 05:00 UTC".replace(" ", "") in "".join(effect.text.split()).replace("→", "")
    unchanged = soup(admin.post("/tasks/preview", {**edit_fields(admin, task.id), "task": task.id}).text)
    assert unchanged.select_one(".wb-effect").text.strip() == "No run changes."  # type: ignore[union-attr]
    new = soup(admin.post("/tasks/preview", {**FIELDS, "name": "", "command": ""}).text)
    assert re.search(r"(29|30|31) runs added", new.text)


def test_an_edit_of_many_tasks_tells_its_effect_before_it_is_confirmed(admin: Person, db: Database, task: Task) -> None:
    other = add_task(db, "other", cron="0 2 * * *", zone="UTC", now=clock.now())
    ids = [str(task.id), str(other.id)]

    zone = {"id": ids, "change": ["zone"], "zone": "Asia/Tokyo", "act": "look"}
    looked = soup(admin.post("/tasks/edit", zone).text)
    asked = soup(admin.post("/tasks/bulk", {"id": ids, "action": "disable"}).text)
    tagged = soup(admin.post("/tasks/bulk", {"id": ids, "action": "tag"}).text)

    assert re.search(r"(58|60) runs moved", looked.select_one("#effect").text)  # type: ignore[union-attr]
    assert "60 runs removed" in asked.select_one("#effect").text  # type: ignore[union-attr]
    assert {one.text for one in asked.select(".wb-effect__task")} == {"report", other.name}
    assert tagged.select_one("#effect") is None
    assert tasks.get(db, task.id).enabled and tasks.get(db, task.id).zone == "UTC"


def test_calendars_and_blackouts_tell_their_effect_and_save_nothing(admin: Person, db: Database) -> None:
    made = calendars.create(db, {"name": "off", "days": "2030-01-01"}, now=clock.now(), actor="me")
    fields: dict[str, Any] = {"name": "a", "command": "true", "cron": "0 2 * * *", "zone": "UTC", "calendar": "off"}
    defaults = DEFAULTS.__class__(zone="UTC", owner="ann", host="h", calendars=calendars.finder(db))
    tasks.create(db, fields, now=clock.now(), actor="me", defaults=defaults)

    ical = io.BytesIO(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20310101\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    sent = {"name": "off", "days": "", "weekdays": ["mon", "tue"], "file": (ical, "a.ics"), "check": "1"}
    page = soup(admin.post(f"/calendars/{made.row.id}/edit", {**sent, "version": "1"}).text)
    assert re.search(r"(8|9|10) runs removed", page.select_one("#effect").text)  # type: ignore[union-attr]
    assert "2031-01-01" in page.select_one("textarea[name=days]").text  # type: ignore[union-attr]
    assert calendars.get(db, made.row.id).row.version == 1

    window = {"name": "night", "from_time": "01:00", "to_time": "03:00", "zone": "UTC", "check": "1"}
    page = soup(admin.post("/blackouts/new", window).text)
    assert "30 runs removed" in page.select_one("#effect").text  # type: ignore[union-attr]
    assert blackouts.list_all(db) == []
    wrong = admin.post("/blackouts/new", {**window, "to_time": ""})
    assert wrong.status_code == 422


def test_the_removal_of_a_blackout_tells_what_starts_again_and_is_only_of_the_window_that_was_shown(
    admin: Person, db: Database, task: Task
) -> None:
    window = {"name": "night", "from_time": "01:00", "to_time": "03:00"}
    made = blackouts.create(db, window, now=clock.now(), actor="me", default_zone="UTC")
    ask = f"/blackouts/{made.row.id}/remove"

    page = admin.see(ask)
    assert "30 runs added" in page.select_one("#effect").text  # type: ignore[union-attr]
    assert "a spread lets runs start later" in page.select_one("#effect").text  # type: ignore[union-attr]
    blackouts.update(db, made.row.id, {"to_time": "04:00"}, now=clock.now(), actor="ben")
    assert admin.post(ask, {"version": "1"}).headers["Location"] == ask
    assert blackouts.get(db, made.row.id).row.version == 2
    assert admin.post(ask, {"version": "2"}).headers["Location"] == "/blackouts"
    assert blackouts.list_all(db) == []


def test_the_native_family_says_what_would_change(program: Program, db: Database, task: Task) -> None:
    found = program.want(200, "POST", "/api/v2/tasks/preview", {"task_id": task.id, "cron": "0 2 * * mon"})
    assert (found["tasks"], found["added"]["count"], found["moved"]["count"]) == (1, 0, 0)
    assert found["removed"]["count"] in {25, 26}
    first = found["removed"]["first"][0]
    assert (first["task"], first["after"]) == ("report", None)
    assert first["before_local"].endswith("T02:00:00+00:00") and first["zone"] == "UTC"
    assert found["peak_before"]["runs"] == 1

    made = program.want(200, "POST", "/api/v2/tasks/preview", {"name": "x", "command": "true", "cron": "0 2 * * *"})
    assert made["added"]["count"] == 30 and made["added"]["first"][0]["task_id"] is None
    program.want(404, "POST", "/api/v2/tasks/preview", {"task_id": 99, "cron": "0 2 * * *"})
    program.want(422, "POST", "/api/v2/tasks/preview", {"task_id": task.id, "cron": "soon"})

    order = {"action": "disable", "ids": [task.id], "dry_run": True}
    answer = program.want(200, "POST", "/api/v2/tasks/bulk", order)
    assert answer["items"][0]["outcome"] == "disabled" and answer["simulation"]["removed"]["count"] == 30
    assert program.want(200, "POST", "/api/v2/tasks/bulk", {**order, "action": "run"})["simulation"] is None

    window = {"name": "night", "from_time": "01:00", "to_time": "03:00", "zone": "UTC"}
    assert program.want(200, "POST", "/api/v2/blackouts/preview", window)["removed"]["count"] == 30
    one = program.want(201, "POST", "/api/v2/blackouts", window)
    gone = {"blackout_id": one["id"], "remove": True}
    assert program.want(200, "POST", "/api/v2/blackouts/preview", gone)["added"]["count"] == 30
    later = {"blackout_id": one["id"], "from_time": "02:30"}
    assert program.want(200, "POST", "/api/v2/blackouts/preview", later)["added"]["count"] == 30
    program.want(422, "POST", "/api/v2/blackouts/preview", {**later, "remove": True})

    calendar = program.want(201, "POST", "/api/v2/calendars", {"name": "off", "weekdays": ["sat"]})
    body = {"calendar_id": calendar["id"], "weekdays": ["sun"]}
    assert program.want(200, "POST", "/api/v2/calendars/preview", body)["tasks"] == 0
    assert tasks.get(db, task.id).version == 1 and tasks.get(db, task.id).enabled


def test_a_dry_run_prints_what_would_change_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_file: Path
) -> None:
    monkeypatch.setenv("WATCHBELL_HOME", str(tmp_path))

    def shell(*words: str) -> str:
        code = main(words)
        told = capsys.readouterr()
        assert code == 0, told.err
        return told.out

    shell("task", "add", "report", "--command", "true", "--cron", "0 2 * * *", "--zone", "UTC")
    before = shell("export")

    edit = shell("task", "edit", "report", "--cron", "0 5 * * *", "--dry-run")
    assert re.search(rf"Runs of the next 30 days, of 1 task: .*{A_MONTH.replace(' runs', '')}", edit)
    assert re.search(r"~ report: \w{3} \d{4}-\d\d-\d\d 02:00:00 UTC -> \w{3} \d{4}-\d\d-\d\d 05:00:00 UTC", edit)
    assert "Most at once: 1" in edit and edit.endswith("Nothing was changed.\n")
    add = shell("task", "add", "new", "--command", "true", "--cron", "0 2 * * *", "--zone", "UTC", "--dry-run")
    assert "30 added" in add
    assert "30 removed" in shell("task", "delete", "report", "--dry-run")
    window = ("--from-time", "01:00", "--to-time", "03:00", "--zone", "UTC")
    assert "30 removed" in shell("blackout", "add", "night", *window, "--dry-run")
    shell("blackout", "add", "night", *window)
    assert "30 added" in shell("blackout", "remove", "night", "--dry-run")
    assert "30 added" in shell("blackout", "edit", "night", "--from-time", "02:30", "--dry-run")
    assert "sat from 01:00" in shell("blackout", "edit", "night", "--weekdays", "sat", "--description", "Why")
    shell("blackout", "remove", "night")
    shell("calendar", "add", "off", "--weekdays", "sat")
    assert "No run" in shell("calendar", "edit", "off", "--weekdays", "sun", "--dry-run")
    (tmp_path / "tasks.yaml").write_text(before.replace("0 2 * * *", "0 5 * * *"))
    told = shell("import", str(tmp_path / "tasks.yaml"), "--replace", "--dry-run")
    assert re.search(A_MONTH.replace(" runs", ""), told)
    assert '"cron"' not in told and "0 2 * * *" in shell("export", "report")
