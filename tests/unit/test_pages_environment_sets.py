"""Environment sets on the page: made, shown without secrets, changed by two people, named by tasks, found and removed."""

from __future__ import annotations

import json
import re

import pytest

from tests.database import add_run
from tests.unit.form_fields import FIELDS
from tests.unit.test_environment_sets import add, make, variables
from tests.web_fixtures import Enter, Person
from watchbell.domain import environment_sets as rules
from watchbell.services import environment_sets, tasks
from watchbell.store.session import Database

EDIT = "/environments/named/database/edit"


@pytest.mark.parametrize(
    ("began", "stored", "typed", "merged", "clashes", "taken"),
    [
        ("A=1", "A=1", "A=2", "A=2", [], []),
        ("A=1", "A=2", "A=1", "A=2", [], ["A"]),
        ("A=1", "A=2", "A=2", "A=2", [], []),
        ("A=1", "A=2", "A=3", "A=3", [("A", "1", "2", "3")], []),
        ("A=1 B=1", "A=1", "A=1 B=1", "A=1", [], ["B"]),
        ("A=1 B=1", "A=1", "A=1 B=2", "A=1 B=2", [("B", "1", None, "2")], []),
        ("A=1 B=1", "A=1 B=2", "A=1", "A=1", [("B", "1", "2", None)], []),
        ("A=1", "A=1 N=t", "A=1 M=m", "A=1 M=m N=t", [], ["N"]),
        ("", "N=t", "N=m", "N=m", [("N", None, "t", "m")], []),
    ],
)
def test_what_two_people_have_changed_comes_together(
    began: str, stored: str, typed: str, merged: str, clashes: list[tuple[str | None, ...]], taken: list[str]
) -> None:
    sides = [dict(pair.split("=") for pair in text.split()) for text in (began, stored, typed)]

    found = rules.merge(*sides)

    assert " ".join(f"{name}={value}" for name, value in found.variables.items()) == merged
    assert [(one.name, one.began, one.stored, one.typed) for one in found.clashes] == clashes
    assert found.taken == taken


def test_a_set_is_made_and_shown_without_what_looks_like_a_secret(admin: Person, db: Database) -> None:
    assert "stand once in a set" in admin.see("/environments").text
    wrong = admin.post("/environments/new", {"name": "a b", "variables": "1=x"})
    assert wrong.status_code == 422 and all(f'id="{field}-error"' in wrong.text for field in ("name", "variables"))

    given = {"name": "database", "variables": "PGHOST=one\r\nAPI_TOKEN=hush\r\nPGPASSWORD=${secret:db}"}
    assert admin.post("/environments/new", given).location == "/environments/named/database"

    page = admin.see("/environments/named/database").text
    assert "PGHOST=one" in page and "hush" not in page and "${secret:db}" in page
    assert admin.post("/environments/new", given).status_code == 409
    (row,) = json.loads(admin.get("/environments.json").text)
    assert (row["name"], row["variables"], row["tasks"]) == ("database", ["API_TOKEN", "PGHOST", "PGPASSWORD"], 0)
    assert admin.get("/environments.csv").text.splitlines()[1].startswith("database,,API_TOKEN PGHOST PGPASSWORD,0,")
    assert "PGHOST" in admin.see("/environments").text


def test_two_people_do_not_lose_what_the_other_has_changed(admin: Person, db: Database) -> None:
    make(db, A="1", B="1", C="1")
    task = add(db)
    form = admin.see(EDIT)
    # Who would follow stands there before anything is saved.
    assert form.select_one(f"#tasks a[href='/tasks/{task.id}']")
    begun = {"name": "database", "description": "", "version": "1", "began": "A=1\nB=1\nC=1"}
    assert admin.post(EDIT, {**begun, "variables": "A=2\nB=2\nC=1"}).status_code == 303

    late = admin.post(EDIT, {**begun, "variables": "A=1\nB=3\nC=1\nD=1"})

    assert late.status_code == 409
    text = late.text
    assert "has changed this environment set meanwhile" in text and "Taken over of what was saved meanwhile: A." in text
    assert "not right yet" not in text
    assert "A=2\nB=3\nC=1\nD=1" in text and 'name="version"' in text and 'value="2"' in text
    again = admin.post(EDIT, {**begun, "version": "2", "began": "A=2\nB=2\nC=1", "variables": "A=2\nB=3\nC=1\nD=1"})
    assert again.status_code == 303
    assert variables(db, task) == {"A": "2", "B": "3", "C": "1", "D": "1"}


def test_two_people_do_not_lose_what_the_other_says_a_set_is_for(admin: Person, db: Database) -> None:
    make(db, A="1")
    begun = {"name": "database", "version": "1", "began": "A=1", "began_description": "", "variables": "A=1"}
    assert admin.post(EDIT, {**begun, "description": "theirs"}).status_code == 303

    for typed, shown, told in (("", "theirs", "saved meanwhile: Description."), ("mine", "mine", "Changed by both")):
        late = admin.post(EDIT, {**begun, "description": typed})
        assert late.status_code == 409 and told in late.text
        began, description = re.findall(r'<input[^>]*name="(?:began_)?description"[^>]*>', late.text)
        assert 'value="theirs"' in began and f'value="{shown}"' in description


def test_a_set_that_a_task_names_stays_and_says_who(admin: Person, db: Database) -> None:
    make(db)
    task = add(db)

    assert admin.post("/environments/named/database/remove", {}).location == "/environments/named/database"
    page = admin.see("/environments/named/database")
    assert "named by report" in page.text and page.select_one(f"#tasks a[href='/tasks/{task.id}']")
    tasks.delete(db, task.id, now=task.created_at, actor="ann")
    assert admin.post("/environments/named/database/remove", {}).location == "/environments"
    assert environment_sets.list_all(db) == []


def test_the_form_of_a_task_names_sets_and_its_pages_say_what_is_from_which(admin: Person, db: Database) -> None:
    make(db, PGHOST="one", API_TOKEN="hush")
    made = admin.post("/tasks/new", {**FIELDS, "name": "report", "environment_sets": "database", "environment": "A=1"})
    assert made.status_code == 303, made.text
    task = tasks.find_by_name(db, "report")
    run = add_run(db, task)

    form = admin.see(f"/tasks/{task.id}/edit")
    assert form.select_one("#environment_sets")["value"] == "database"  # type: ignore[index]
    for address in (f"/tasks/{task.id}", f"/runs/{run.id}?tab=definition", f"/tasks/{task.id}/revisions/1"):
        shown = " ".join(admin.see(address).text.split())
        assert "A=1 API_TOKEN=•••••• # database PGHOST=one # database" in shown, address
    refused = admin.post(
        f"/tasks/{task.id}/edit", {**FIELDS, "name": "report", "version": "1", "environment_sets": "x"}
    )
    assert refused.status_code == 422 and "There is no environment set &#39;x&#39;" in refused.text.replace(
        "&#x27;", "&#39;"
    )
    # An edit of the set is a version of the task; what was typed meanwhile is told beside it.
    environment_sets.update(db, "database", {"variables": {"PGHOST": "two"}}, now=task.created_at, actor="bob")
    late = admin.post(
        f"/tasks/{task.id}/edit",
        {**FIELDS, "name": "report", "version": "1", "was_enabled": "1", "environment_sets": "", "environment": "A=1"},
    )
    assert late.status_code == 409 and "Environment sets" in late.text


def test_sets_are_found_by_name_and_variable_and_only_who_may_edit_changes_them(
    enter: Enter, admin: Person, db: Database
) -> None:
    make(db)
    hits = [one["title"] for one in admin.get("/search.json?q=pghost").json["pages"]]  # type: ignore[index]
    assert "Environment set database" in hits
    viewer = enter("viewer")

    assert viewer.get("/environments").status_code == viewer.get("/environments/named/database").status_code == 200
    assert viewer.get(EDIT).status_code == viewer.post(EDIT, {"variables": "A=1"}).status_code == 403
    assert viewer.get("/api/v2/environment-sets/database").status_code == 403


def test_who_may_not_edit_reads_no_value_that_looks_like_a_secret_anywhere(
    enter: Enter, admin: Person, db: Database
) -> None:
    make(db, PGHOST="one", API_TOKEN="hush")
    task = add(db, kind="cron", cron="0 2 * * *")
    run = add_run(db, task)
    viewer = enter("viewer")

    for address in (
        *(f"/tasks/export.{kind}" for kind in ("yaml", "json", "crontab")),
        *(f"/api/v2/{rest}" for rest in (f"tasks/{task.id}/revisions/1", f"runs/{run.id}", f"tasks/{task.id}")),
        *("/environments.json", "/environments/named/database", f"/tasks/{task.id}", f"/tasks/{task.id}/revisions/1"),
    ):
        answer = viewer.get(address)
        assert answer.status_code == 200 and "hush" not in answer.text, address
    assert "hush" in admin.get("/tasks/export.yaml").text and "hush" in admin.get("/tasks/export.crontab").text
