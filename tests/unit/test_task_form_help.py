"""What the form of a task does for whoever fills it in: two people's changes, pasted crontab lines, and what is told while typing."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from tests.database import DEFAULTS, NOW, add_run, add_task, url_of
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import tasks
from watchbell.store.session import Database


@pytest.mark.parametrize(("taken", "command", "comment"), [("mine", "mine", "theirs"), ("theirs", "theirs", "theirs")])
def test_of_two_changes_each_field_is_taken_from_whom_one_chooses(
    admin: Person, db: Database, taken: str, command: str, comment: str
) -> None:
    task = add_task(db, command="first", comment="first", tags="first")
    mine = {**edit_fields(admin, task.id), "command": "mine", "tags": "mine"}
    tasks.update(db, task.id, {"command": "theirs", "comment": "theirs"}, now=NOW, actor="bob", defaults=DEFAULTS)
    page = soup(admin.post(f"/tasks/{task.id}/edit", mine).text)

    chosen = {str(radio["name"]): str(radio["value"]) for radio in page.select(".wb-conflict input[checked]")}
    # What only one of the two has changed is theirs by itself.
    assert chosen == {"take-what": "mine", "take-comment": "theirs", "take-tags": "mine"}
    again = {**mine, "version": str(page.select_one("#version")["value"]), **chosen, "take-what": taken}  # type: ignore[index]
    assert admin.post(f"/tasks/{task.id}/edit", again).status_code == 303
    after = tasks.get(db, task.id)
    assert (after.command, after.comment, after.tags) == (command, comment, ["mine"])


def test_what_the_form_offers_first_is_no_change_and_what_was_chosen_is_told_in_its_words(
    admin: Person, db: Database
) -> None:
    task = add_task(db, comment="first")
    # As a browser sends it, which chooses the first of a list where none is chosen.
    mine = {**edit_fields(admin, task.id), "calendar_rule": "leave_out", "comment": "mine", "overlap": "queue_one"}
    tasks.update(db, task.id, {"comment": "theirs"}, now=NOW, actor="bob", defaults=DEFAULTS)
    page = soup(admin.post(f"/tasks/{task.id}/edit", mine).text)

    rows = [
        [cell.get_text(" ", strip=True) for cell in row.select("td")] for row in page.select(".wb-conflict tbody tr")
    ]
    assert [row[0] for row in rows] == [
        "Comment both changed it",
        "If an earlier run is still going only you changed it",
    ]
    assert rows[1][1:] == ["skip the new one", "Take theirs skip the new one", "Keep mine queue one"]


def test_a_schedule_of_another_kind_is_taken_as_a_whole(admin: Person, db: Database) -> None:
    task = add_task(db, cron="0 1 * * *")
    mine = {**edit_fields(admin, task.id), "cron": "0 3 * * *"}
    tasks.update(db, task.id, {"every": "5m"}, now=NOW, actor="bob", defaults=DEFAULTS)
    page = soup(admin.post(f"/tasks/{task.id}/edit", mine).text)
    row = next(row for row in page.select(".wb-conflict tbody tr") if "Schedule" in row.text)

    assert [cell.get_text(" ", strip=True) for cell in row.select("td")][1:] == [
        "0 1 * * *", "Take theirs every 5 minutes", "Keep mine 0 3 * * *",
    ]  # fmt: skip
    again = {**mine, "version": "2", "take-when": "theirs"}
    assert admin.post(f"/tasks/{task.id}/edit", again).status_code == 303
    assert tasks.get(db, task.id).schedule_words == "Every 5 minutes"


def test_a_form_that_leaves_enabled_as_it_was_does_not_start_what_somebody_has_stopped_meanwhile(
    admin: Person, db: Database
) -> None:
    task = add_task(db)
    mine = {**edit_fields(admin, task.id), "comment": "mine"}
    tasks.set_enabled(db, task.id, False, now=NOW, actor="bob")
    said = soup(admin.post(f"/tasks/{task.id}/edit", mine, follow_redirects=True).text).select_one(".wb-notice")

    after = tasks.get(db, task.id)
    assert (after.enabled, after.comment) == (False, "mine")
    assert "It is disabled" in said.text  # type: ignore[union-attr]
    assert admin.post(f"/tasks/{task.id}/edit", {**edit_fields(admin, task.id), "enabled": "y"}).status_code == 303
    assert tasks.get(db, task.id).enabled


@pytest.mark.parametrize(("taken", "is_enabled"), [("theirs", False), ("mine", True)])
def test_that_only_they_have_stopped_a_task_is_told_with_what_else_they_changed(
    admin: Person, db: Database, taken: str, is_enabled: bool
) -> None:
    task = add_task(db)
    mine = {**edit_fields(admin, task.id), "comment": "mine"}
    tasks.update(db, task.id, {"command": "theirs", "enabled": False}, now=NOW, actor="bob", defaults=DEFAULTS)
    page = soup(admin.post(f"/tasks/{task.id}/edit", mine).text)

    chosen = {str(radio["name"]): str(radio["value"]) for radio in page.select(".wb-conflict input[checked]")}
    assert chosen["take-enabled"] == "theirs"
    seen = {name: str(page.select_one(f"#{name}")["value"]) for name in ("version", "was_enabled")}  # type: ignore[index]
    again = {**mine, **seen, **chosen, "take-enabled": taken}
    assert admin.post(f"/tasks/{task.id}/edit", again).status_code == 303
    assert tasks.get(db, task.id).enabled is is_enabled


def test_what_was_typed_for_a_task_that_is_deleted_meanwhile_stays_and_makes_a_new_one(
    admin: Person, db: Database
) -> None:
    task = add_task(db)
    mine = {**edit_fields(admin, task.id), "command": "mine"}
    tasks.delete(db, task.id, now=NOW, actor="bob")
    answer = admin.post(f"/tasks/{task.id}/edit", mine)
    page = soup(answer.text)

    assert (answer.status_code, page.select_one("#command").text.strip()) == (404, "mine")  # type: ignore[union-attr]
    assert "was deleted while you were editing it" in page.select_one(".wb-notice").text  # type: ignore[union-attr]
    made = admin.post(str(page.select_one("#task-form")["action"]), mine)  # type: ignore[index]
    assert made.status_code == 303
    assert tasks.get(db, int(made.location.rpartition("/")[2])).command == "mine"


def test_what_was_typed_is_sent_again_after_the_database_was_held_and_secrets_do_not_come_back(
    admin: Person, app: Flask, database_file: Path
) -> None:
    impatient = Database.open(url_of(database_file), busy_timeout_seconds=0.05)
    app.extensions["watchbell.database"] = impatient
    typed = {**FIELDS, "name": "typed", "what": "command", "command": "echo 'a \"b\" <c>'\necho d"}
    holder = sqlite3.connect(database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    refused = admin.post("/tasks/new?start=preset:steps", typed)
    secret = admin.post("/account/password", {"password": "a long secret", "repeat": "a long secret"})
    holder.close()

    page = soup(refused.text)
    form = page.select_one("form:has([name=command])")
    assert (refused.status_code, secret.status_code) == (503, 503)
    assert form is not None
    assert form["action"] == "/tasks/new?start=preset:steps"
    held = {str(field["name"]): str(field["value"]) for field in form.select("input[name]")}
    assert {name: held[name] for name in typed} == typed
    assert not {"a long secret"} & {field.get("value") for field in soup(secret.text).select("input")}
    assert admin.client.post(str(form["action"]), data=held).status_code == 303
    assert tasks.find_by_name(impatient, "typed").command == typed["command"]
    impatient.close()


def test_a_line_pasted_as_the_command_fills_the_schedule_and_can_be_taken_back(admin: Person, db: Database) -> None:
    typed = {**FIELDS, "name": "", "command": "A=b\n15 4 * * * /usr/bin/tidy.sh", "cron": "0 2 * * *"}
    page = soup(admin.post("/tasks/new", typed).text)

    def held(page: BeautifulSoup) -> dict[str, str]:
        names = ("command", "cron", "environment")
        return {name: page.select_one(f"#{name}").text.strip() for name in names}  # type: ignore[union-attr]

    assert held(page) == {"command": "/usr/bin/tidy.sh", "cron": "15 4 * * *", "environment": "A=b"}
    assert page.select_one("#name")["value"] == "tidy"  # type: ignore[index]
    undo = page.select_one("button[name=undo_pasted]")
    assert undo is not None
    filled = {**typed, **held(page), "name": "tidy", "undo_pasted": str(undo["value"])}
    back = soup(admin.post("/tasks/new", filled).text)
    assert held(back) == {"command": typed["command"], "cron": "0 2 * * *", "environment": ""}
    assert back.select_one("#as_typed")["value"] == "1"  # type: ignore[index]
    assert admin.post("/tasks/new", {**typed, "name": "odd", "as_typed": "1"}).status_code == 303
    assert tasks.find_by_name(db, "odd").command == typed["command"]


def previewed(admin: Person, **fields: str) -> BeautifulSoup:
    answer = admin.post("/tasks/preview", {**FIELDS, **fields})
    assert answer.status_code == 200
    return soup(answer.text)


def test_while_typing_each_field_is_told_what_is_wrong_with_it(admin: Person, db: Database) -> None:
    add_task(db, "taken")
    page = previewed(admin, name="taken", directory="x", zone="Mars", retries="many", tags="ok")

    told = {str(one["data-field"]): one.text for one in page.select("#field-problems li")}
    assert set(told) == {"name", "directory", "zone", "retries"}
    assert "already" in told["name"]
    assert page.select("#how-words li")


def test_the_preview_says_how_many_others_are_due_in_the_same_minute(admin: Person, db: Database) -> None:
    now = clock.now()
    for number in range(12):
        add_task(db, f"t{number}", cron="0 2 * * *", zone="Europe/Berlin", now=now)
    own = add_task(db, "own", cron="0 2 * * *", zone="Europe/Berlin", now=now)
    add_task(db, "off", cron="0 2 * * *", zone="Europe/Berlin", now=now, enabled=False)
    add_task(db, "weekly", cron="0 3 * * mon", zone="Europe/Berlin", now=now)

    new, edited = previewed(admin), previewed(admin, task=str(own.id), name="own")
    quiet, some = previewed(admin, cron="17 5 * * *"), previewed(admin, cron="0 3 * * *")

    assert "Up to 13 other tasks" in new.select_one(".wb-preview__crowd").text  # type: ignore[union-attr]
    assert "Up to 12 other tasks" in edited.select_one(".wb-preview__crowd").text  # type: ignore[union-attr]
    assert "No other task is due" in quiet.text
    assert "Up to 1 other task is due" in some.text
    assert 1 <= len(some.select(".wb-moments__load")) <= 2


def test_the_preview_says_what_the_last_run_of_this_command_took(admin: Person, db: Database) -> None:
    task = add_task(db, "twin", command="make report")
    ended = add_run(db, task, RunState.FAILED, due_at=NOW, started_at=NOW, ended_at=NOW + timedelta(seconds=42))
    add_run(db, task, RunState.RUNNING, due_at=NOW, started_at=NOW)

    told = previewed(admin, command="make report").select_one(f"#preview-content a[href='/runs/{ended.id}']")
    assert told is not None
    assert "failed took 42s" in " ".join(told.parent.text.split())  # type: ignore[union-attr]
    assert previewed(admin, command="make something").select("a[href^='/runs/']") == []
