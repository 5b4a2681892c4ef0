"""What takes longer than a moment says how far it is, and what came of it: many rows at once, and a long import."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Tag

from tests.database import add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import audit, tasks
from watchbell.store.session import Database

MANY = 230
#: More than an address has room for.
TOO_MANY = 305


def shares(page: BeautifulSoup) -> list[int]:
    return [int(part["value"]) for part in page.select(".wb-told__part progress")]  # type: ignore[arg-type]


def fields_of(form: Tag) -> dict[str, object]:
    return {str(field["name"]): field["value"] for field in form.select("input[name]")}


def test_many_tasks_are_changed_under_the_eyes_of_whoever_asked_and_back(admin: Person, db: Database) -> None:
    for number in range(MANY):
        add_task(db, f"task-{number:03}", now=clock.now())
    ids = ".".join(str(number + 1) for number in range(MANY))
    sent = {"action": "disable", "ids": ids, "sure": "1", "back": "/tasks?q=task"}

    answer = admin.post("/tasks/bulk", sent)
    page = BeautifulSoup(answer.text, "html.parser")

    assert answer.status_code == 200
    seen = shares(page)
    assert seen == sorted(seen) and set(seen) <= {0, 100, 200}
    assert f"of {MANY} (" in page.select_one(".wb-told__part").text  # type: ignore[union-attr]
    end = page.select_one(".wb-told__end")
    assert end is not None and f"{MANY} disabled." in end.text
    assert end.select_one("a.btn-primary")["href"] == "/tasks?q=task"  # type: ignore[index]
    assert tasks.list_page(db, enabled=True, limit=0).filtered == 0
    newest = audit.list_page(db, limit=1)[0]
    assert (newest.actor, newest.way, newest.address) == (admin.username, "page", "127.0.0.1")

    undo = end.select_one("form")
    assert undo is not None
    admin.client.post(str(undo["action"]), data=fields_of(undo)).get_data()
    assert tasks.list_page(db, enabled=True, limit=0).filtered == MANY


def test_an_edit_of_many_tasks_tells_how_far_it_is_with_what_would_change_and_then_asks(
    admin: Person, db: Database
) -> None:
    ids = [add_task(db, f"t-{number}", cron="0 2 * * *", zone="UTC", now=clock.now()).id for number in range(TOO_MANY)]
    form = BeautifulSoup(admin.post("/tasks/bulk", {"action": "edit", "all": "1"}).text, "html.parser")
    assert [int(str(one["value"])) for one in form.select("#bulk-form input[name=id]")] == ids

    sent: dict[str, object] = {"id": ids, "change": ["zone"], "zone": "Asia/Tokyo"}
    looked = BeautifulSoup(admin.post("/tasks/edit", {**sent, "act": "look"}).text, "html.parser")

    seen = shares(looked)
    assert seen == sorted(seen) and set(seen) <= set(range(TOO_MANY + 1))
    end = looked.select_one(".wb-told__end")
    assert end is not None and "runs moved" in end.select_one("#effect").text  # type: ignore[union-attr]
    mark = end.select_one("input[name=seen]")["value"]  # type: ignore[index]
    assert len(end.select("#bulk-form input[name=id]")) == TOO_MANY
    assert tasks.get(db, ids[0]).zone == "UTC"
    done = admin.post("/tasks/edit", {**sent, "act": "apply", "seen": mark})
    assert f"{TOO_MANY} tasks changed" in done.text and tasks.get(db, ids[-1]).zone == "Asia/Tokyo"

    wrong = admin.post("/tasks/edit", {**sent, "zone": "Nowhere", "act": "look"})
    assert wrong.status_code == 422 and "wb-told" not in wrong.text


def test_more_than_a_thousand_lines_are_imported_and_what_is_in_the_way_is_said(admin: Person, db: Database) -> None:
    lines = "\n".join(f"{number % 60} {number // 60 % 24} * * * /bin/job-{number:04}" for number in range(1100))
    sent: dict[str, object] = {"text": lines, "form": "crontab", "tags": ""}
    look = admin.post("/tasks/import", {**sent, "act": "look"}, content_type="multipart/form-data")
    picks = re.findall(r'name="pick" value="([^"]+)"', look.text)
    seen = BeautifulSoup(look.text, "html.parser").select_one("input[name=seen]")["value"]  # type: ignore[index]
    chosen = {**sent, "act": "import", "seen": seen}

    stale = admin.post("/tasks/import", {**chosen, "pick": [*picks, "task:gone"]}, content_type="multipart/form-data")
    assert len(picks) == 1100
    assert "Gone cannot be imported any more; look at the list again." in stale.text
    assert tasks.list_page(db, limit=0).total == 0

    answer = admin.post("/tasks/import", {**chosen, "pick": picks}, content_type="multipart/form-data")
    assert "1100 added" in answer.text
    assert tasks.list_page(db, limit=0).total == 1100


def test_an_import_takes_several_megabytes_and_other_forms_do_not(admin: Person) -> None:
    long = "# a remark of no use to anybody\n" * 100_000

    taken = admin.post("/tasks/import", {"text": long, "form": "crontab", "act": "look"})
    assert taken.status_code == 200
    assert "Nothing to import" in taken.text
    assert admin.post("/tasks/new", {"command": long}).status_code == 413
    assert admin.post("/tasks/import", {"text": long * 3, "act": "look"}).status_code == 413
