"""Importing tasks on the page: nothing is made that was not looked at and chosen, and what is wrong is told by its line."""

from __future__ import annotations

import io
import json

import pytest
from bs4 import BeautifulSoup, Tag

from tests.database import NOW, add_task
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell.services import queues, tasks
from watchbell.store.session import Database

CRONTAB = """\
MAILTO=ops@example.org
PATH=/usr/local/bin:/usr/bin
# every night
30 2 * * * /usr/local/bin/backup.sh
61 * * * * never
@hourly rotate-logs  # keep
this is no line
"""


def look(admin: Person, text: str, **fields: object) -> BeautifulSoup:
    answer = admin.post("/tasks/import", {"text": text, "act": "look", **fields})
    assert answer.status_code == 200, answer.text
    return soup(answer.text)


def offered(page: BeautifulSoup) -> dict[str, str]:
    """Return what becomes of each entry, by name."""
    rows = page.select("#offers tbody tr")
    return {_text(row, ".wb-pick"): _text(row, ".wb-import-remarks .wb-status") for row in rows}


def _text(row: Tag, selector: str) -> str:
    found = row.select_one(selector)
    assert found is not None
    return found.get_text(" ", strip=True)


def sent(page: BeautifulSoup, **fields: object) -> dict[str, object]:
    """Return what a browser would send of the page that shows what is offered."""
    text, seen = page.select_one("textarea[name=text]"), page.select_one("input[name=seen]")
    ticked = [box["value"] for box in page.select("input[name=pick][checked]")]
    assert text is not None and seen is not None
    return {"text": text.text.removeprefix("\r\n"), "seen": seen["value"], "act": "import", "pick": ticked, **fields}


def names(db: Database) -> set[str]:
    return {task.name for task in tasks.list_page(db).tasks}


def test_a_crontab_is_shown_before_anything_is_made(admin: Person, db: Database) -> None:
    page = look(admin, CRONTAB)

    assert offered(page) == {"backup": "new", "never": "cannot be imported", "rotate-logs": "new"}
    assert names(db) == set()
    rows = page.select("#offers tbody tr")
    assert "At 02:30 every day" in rows[0].text
    assert "61" in rows[1].text
    assert rows[1].select_one("input") is None
    assert "Line 1: MAILTO is left out" in page.text
    assert "Line 7: cron would refuse this" in page.text


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("@daily a\n" * 5001, "crontab"),
        ("watchbell: 1\ntasks:\n" + "".join(f"- name: t{n}\n" for n in range(5001)), "document"),
    ],
    ids=["crontab", "document"],
)
def test_more_than_can_be_looked_at_together_is_refused(admin: Person, text: str, form: str) -> None:
    answer = admin.post("/tasks/import", {"text": text, "form": form, "act": "look"})

    assert answer.status_code == 422
    assert "There are 5,001 tasks in it, and at most 5,000 are looked at together" in answer.text


def test_of_very_many_remarks_the_first_are_told(admin: Person) -> None:
    page = look(admin, "MAILTO=a\n" * 250 + "@daily a\n")

    assert "Line 200: MAILTO is left out" in page.text
    assert "Line 201: MAILTO" not in page.text
    assert "and 50 more" in page.text


def test_what_is_ticked_is_made_and_nothing_else(admin: Person, db: Database) -> None:
    page = look(admin, CRONTAB)
    answer = admin.post("/tasks/import", sent(page, pick=["task:rotate-logs"]))

    assert answer.status_code == 303
    assert names(db) == {"rotate-logs"}
    made = tasks.find_by_name(db, "rotate-logs")
    assert made.environment == {"PATH": "/usr/local/bin:/usr/bin"}
    told = admin.see("/tasks").text
    assert "1 added (rotate-logs)" in told
    assert "cron runs these commands as well" in told


def test_a_text_that_was_changed_after_the_look_is_looked_at_again(admin: Person, db: Database) -> None:
    page = look(admin, "0 1 * * * one")
    answer = admin.post("/tasks/import", sent(page, text="0 1 * * * rm -rf /one"))

    assert answer.status_code == 200
    assert names(db) == set()
    assert "rm -rf /one" in answer.text


def test_nothing_ticked_imports_nothing_and_says_so(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/import", sent(look(admin, "0 1 * * * one"), pick=[]))

    assert answer.status_code == 422
    assert "Nothing is chosen" in answer.text
    assert names(db) == set()


def test_what_does_the_same_already_is_said_and_not_ticked(admin: Person, db: Database) -> None:
    add_task(db, "nightly", command="/usr/local/bin/one", cron="0 1 * * *", zone="Europe/Berlin")

    page = look(admin, "0 1 * * * /usr/local/bin/one\n0 2 * * * two\n0 2 * * * two")

    rows = page.select("#offers tbody tr")
    assert "Does the same as task nightly." in rows[0].text
    assert "Does the same as line 2." in rows[2].text
    assert [box.has_attr("checked") for box in page.select("input[name=pick]")] == [False, True, False]


def test_a_document_with_queues_is_shown(admin: Person, db: Database) -> None:
    add_task(db, "there", cron="0 1 * * *")
    queues.set_bounds(db, "heavy", max_running=2, comment="", now=NOW, actor="ann")
    document = admin.get("/tasks/export.json").text

    rows = look(admin, document).select("#offers tbody tr")

    assert len(rows) == 2
    assert any("heavy" in row.text for row in rows)


def test_a_system_crontab_is_recognised_and_a_foreign_user_is_not_ticked(admin: Person) -> None:
    page = look(admin, "0 1 * * * root /usr/bin/one\n0 2 * * * ann two --now")

    assert set(offered(page)) == {"one", "two"}
    assert "It ran as root, and would run as ann." in page.text
    assert [box["value"] for box in page.select("input[name=pick][checked]")] == ["task:two"]


def test_all_can_be_made_disabled_and_tagged(admin: Person, db: Database) -> None:
    fields = {"disabled": "y", "tags": "cron, old"}
    page = look(admin, "0 1 * * * one", **fields)
    admin.post("/tasks/import", sent(page, **fields))

    made = tasks.find_by_name(db, "one")
    assert (made.enabled, made.tags) == (False, ["cron", "old"])


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_what_was_exported_is_imported_as_the_same(admin: Person, db: Database, kind: str) -> None:
    add_task(db, "backup", command="echo 'one'\necho two", cron="0 1 * * *", tags=["a"], retries="2")
    exported = admin.get(f"/tasks/export.{kind}")
    assert exported.headers["Content-Disposition"] == f"attachment; filename=watchbell-tasks.{kind}"
    before = tasks.definition_of(tasks.find_by_name(db, "backup"))
    assert offered(look(admin, exported.text)) == {"backup": "is there already"}

    tasks.delete(
        db, tasks.find_by_name(db, "backup").id, now=before and tasks.find_by_name(db, "backup").updated_at, actor="ann"
    )
    given = {"file": (io.BytesIO(exported.data), f"tasks.{kind}"), "act": "look"}
    page = soup(admin.post("/tasks/import", given, content_type="multipart/form-data").text)
    assert admin.post("/tasks/import", sent(page)).status_code == 303
    assert tasks.definition_of(tasks.find_by_name(db, "backup")) == before


def test_a_document_that_would_change_a_task_names_each_field_and_is_ticked_by_hand(
    admin: Person, db: Database
) -> None:
    add_task(db, "backup", command="echo one", cron="0 1 * * *", zone="Europe/Berlin", owner="ann")
    document = json.loads(admin.get("/tasks/export.json").text)
    document["tasks"][0]["command"] = "echo two"
    page = look(admin, json.dumps(document))

    assert offered(page) == {"backup": "changes what is there"}
    assert "command: echo one → echo two" in page.select_one(".wb-import-remarks").text  # type: ignore[union-attr]
    assert page.select("input[name=pick][checked]") == []
    admin.post("/tasks/import", sent(page, pick=["task:backup"]))
    assert tasks.find_by_name(db, "backup").command == "echo two"


def test_what_is_wrong_in_a_document_is_told_at_its_task_and_line(admin: Person) -> None:
    text = "watchbell: 1\ntasks:\n- name: good\n  command: 'true'\n- name: bad\n  command: 'true'\n  schedule: {kind: cron, cron: ['61 * * * *']}\n"
    page = look(admin, text)

    assert offered(page) == {"good": "new", "bad": "cannot be imported"}
    assert "Line 7, tasks[1].schedule.cron" in page.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "There is nothing to import yet"),
        ("{", "Line 1: this is no JSON"),
        ("watchbell: 2", "Watchbell: this has to say"),
    ],
)
def test_what_cannot_be_read_is_refused_at_the_text_and_kept(admin: Person, text: str, told: str) -> None:
    answer = admin.post("/tasks/import", {"text": text, "act": "look"})
    page = soup(answer.text)

    assert answer.status_code == 422
    assert told.lower() in page.select_one("#text-error").text.lower()  # type: ignore[union-attr]
    assert page.select_one("#text").text.strip() == text  # type: ignore[union-attr]


def test_a_file_that_is_no_text_is_refused(admin: Person) -> None:
    given = {"file": (io.BytesIO(b"\xff\xfe\x00"), "tasks.bin"), "act": "look"}
    answer = admin.post("/tasks/import", given, content_type="multipart/form-data")

    assert answer.status_code == 422
    assert "Is not a text in UTF-8" in answer.text


def test_an_export_holds_what_the_list_is_filtered_to(admin: Person, db: Database) -> None:
    one, two = add_task(db, "one"), add_task(db, "two", enabled=False)
    add_task(db, "three")

    def exported(query: str) -> set[str]:
        return {task["name"] for task in json.loads(admin.get(f"/tasks/export.json?{query}").text)["tasks"]}

    assert exported("") == {"one", "two", "three"}
    assert exported("enabled=no") == {"two"}
    assert exported(f"id={one.id}&id={two.id}") == {"one", "two"}
    assert exported("q=nothing-like-this") == set()
    assert "watchbell" in admin.get("/tasks/export.crontab").text


def test_hostile_lines_stay_text(admin: Person) -> None:
    page = look(admin, "0 1 * * * echo '</textarea><img src=x onerror=alert(1)>'")

    assert page.select("img") == []


def test_somebody_who_may_not_edit_is_not_offered_an_import(enter: Enter) -> None:
    viewer = enter("viewer")

    assert viewer.get("/tasks/import").status_code == 403
    assert viewer.see("/tasks").select('a[href="/tasks/import"]') == []


def test_a_file_of_more_tasks_than_can_be_chosen_is_refused_and_not_cut_short(
    admin: Person, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchbell.web.exporting._MOST_CHOSEN", 2)
    ids = [add_task(db, name).id for name in ("db-1", "db-2", "db-3")]

    for asked in ("q=db", "&".join(f"id={number}" for number in ids)):
        refused = admin.get(f"/tasks/export.json?{asked}")
        assert (refused.status_code, "more than 2 tasks" in refused.text) == (422, True)
    assert len(admin.get("/tasks/export.json?q=db-1").get_json()["tasks"]) == 1
    assert len(admin.get("/tasks/export.json").get_json()["tasks"]) == 3
