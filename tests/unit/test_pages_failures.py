"""Failures that are the same, on their pages and on those of their runs, with the note that comes back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.database import NOW, add_task
from tests.unit.form_fields import soup
from tests.unit.run_rows import add_execution
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import audit, failures, task_lists, tasks
from watchbell.services.digest import Digest
from watchbell.services.task_lists import TaskFilter
from watchbell.store.runs import RunEvent
from watchbell.store.session import Database

#: So long each has taken: how many hours ago it ended is the same for as long as any test takes.
HALF_AN_HOUR = 1800


def fail(db: Database, name: str, number: int, *, text: str = "cannot reach db1, try") -> int:
    """Let a task fail and be looked at."""
    known = task_lists.list_names(db, TaskFilter(), 9)
    task = next((tasks.get(db, task_id) for task_id, other in known.items() if other == name), None)
    values = {"hours_ago": 20 - number, "code": 3, "stderr": f"{text} {number}\n".encode()}
    run = add_execution(db, task or add_task(db, name), HALF_AN_HOUR, **values)
    with db.write() as session:
        failures.group(session, [run], Path())
    return run


@pytest.fixture
def runs(db: Database) -> list[int]:
    """Give three failures of one kind in two tasks, and one of another kind."""
    return [*(fail(db, name, number) for number, name in enumerate(("backup", "report", "backup"))), fail(db, "report", 9, text="<b>no</b> room left")]  # fmt: skip


def words(person: Person, address: str, place: str = "main") -> str:
    found = person.see(address).select_one(place)
    assert found is not None
    return " ".join(found.get_text(" ").split())


def test_kinds_are_listed_with_how_often_and_where(admin: Person, runs: list[int]) -> None:
    page = admin.see("/failures")

    rows = [" ".join(row.get_text(" ").split()) for row in page.select("tbody tr")]
    assert "2 kinds of failures, 4 failures." in page.text
    assert len(rows) == 2
    assert rows[0].startswith("<b>no</b> room left <n> 1 \u00d7 report")
    assert "cannot reach db<n>, try <n> 3 \u00d7 backup , report" in rows[1]
    assert page.select_one("main b") is None


def test_one_kind_tells_its_first_its_last_and_each_task(admin: Person, runs: list[int]) -> None:
    told = words(admin, "/failures/1")

    assert f"3 times in 2 tasks; first 19h ago in run #{runs[0]} of backup, revision 1;" in told
    assert f"in run #{runs[2]} ." in told
    assert [int(row.select("td")[1].text) for row in admin.see("/failures/1").select("#tasks tbody tr")] == [2, 1]
    assert len(admin.see("/failures/1").select("#latest tbody tr")) == 3
    assert admin.get("/failures/77").status_code == 404


def test_the_page_of_a_run_says_the_how_manieth_it_was(admin: Person, runs: list[int]) -> None:
    assert "Number 3 of a failure that came 3 times , in 2 tasks; here first at revision 1." in words(
        admin, f"/runs/{runs[2]}", ".wb-run-verdict"
    )
    assert "The first failure of this kind." in words(admin, f"/runs/{runs[3]}", ".wb-run-verdict")


def test_a_note_comes_back_with_the_next_failure_of_any_task(admin: Person, db: Database, runs: list[int]) -> None:
    answer = admin.post("/failures/1/note", {"note": "Call <i>storage</i>.\nRunbook: wiki/db1"}, follow_redirects=True)
    assert "comes back with the next failure" in answer.text

    run = fail(db, "third", 4)

    page = admin.see(f"/runs/{run}")
    note = page.select_one(".wb-note")
    assert note is not None and note.text == "Call <i>storage</i>.\nRunbook: wiki/db1"
    assert "admin about this failure." in page.text
    (entry,) = audit.list_page(db, limit=5, action="failure.note")
    assert (entry.actor, entry.subject, entry.detail["note"][0]) == ("admin", "failure:1", "")

    admin.post("/failures/1/note", {"note": " "})
    assert admin.see(f"/runs/{run}").select_one(".wb-note") is None


def test_what_is_too_long_is_refused_and_kept_in_the_form(admin: Person, db: Database, runs: list[int]) -> None:
    answer = admin.post("/failures/1/note", {"note": "x" * 4001})

    assert answer.status_code == 422
    page = soup(answer.text)
    assert "at most 4000 characters" in page.select_one("#note-error").text  # type: ignore[union-attr]
    assert len(page.select_one("textarea").text.strip()) == 4001  # type: ignore[union-attr]
    assert failures.get_group(db, 1, newest=1).group.note == ""
    assert admin.post("/failures/77/note", {"note": "x"}).status_code == 404


def test_who_may_edit_writes_and_others_read(enter: Enter, db: Database, runs: list[int]) -> None:
    failures.set_note(db, 1, "known", now=NOW, by="ann")
    operator = enter("operator")

    assert operator.post("/failures/1/note", {"note": "mine"}).status_code == 403
    page = operator.see("/failures/1")
    assert page.select_one("textarea") is None
    assert page.select_one(".wb-note").text == "known"  # type: ignore[union-attr]
    assert enter("editor").post("/failures/1/note", {"note": "mine"}).status_code == 303


def test_the_twins_hold_what_the_list_shows(admin: Person, runs: list[int]) -> None:
    told = admin.get("/failures.json").json or ()
    assert [(row["times"], [task["name"] for task in row["tasks"]]) for row in told] == [
        (1, ["report"]),
        (3, ["backup", "report"]),
    ]
    rows = list(csv.DictReader(io.StringIO(admin.get("/failures.csv").text)))
    assert [(row["times"], row["tasks"]) for row in rows] == [("1", "report"), ("3", "backup, report")]


def test_before_anything_failed_the_page_says_what_it_is_for(admin: Person) -> None:
    assert "A note about one comes back with the next." in admin.see("/failures").text


def test_failures_that_were_not_looked_at_yet_are_told(admin: Person, db: Database) -> None:
    assert "No failure is kept" in words(admin, "/failures")

    run = add_execution(db, add_task(db, "backup"), 2, code=3, stderr=b"no room")
    with db.write() as session:
        session.add(RunEvent(run_id=run, from_state="running", to_state="failed", at=NOW, actor="scheduler", fence=1))
    before = words(admin, "/failures")
    Digest(db, Path()).step(now=clock.now(), limit=100)
    after = words(admin, "/failures")

    assert "1 failure was not looked at yet" in before
    assert "No failure is kept" not in before
    assert "1 kind of failure, 1 failure." in after
    assert "not looked at" not in after


def test_a_number_that_no_failure_can_have_is_not_found(admin: Person) -> None:
    assert admin.get(f"/failures/{2**63}").status_code == 404
