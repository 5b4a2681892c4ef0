"""The page of the search and its twins: groups, marks, links, and nothing that one may not do."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_run, add_task
from tests.fleet import add_device
from tests.unit.run_rows import add_attempt, add_output, finished
from tests.web_fixtures import Enter, Person
from watchbell.domain.run_state import RunState
from watchbell.services import device_lists
from watchbell.store.session import Database

HOSTILE = "<img src=x onerror=alert(1)>"


def test_the_page_groups_what_it_has_found_and_marks_the_words(admin: Person, db: Database) -> None:
    task = add_task(db, "nightly-backup", tags=["backup"])
    run = add_run(db, task, RunState.FAILED, reason="exit code 3", started_at=NOW, attempts=1)
    add_output(db, add_attempt(db, run), b"one\nthe backup broke\n")

    page = admin.see("/search?q=BACKUP")

    groups = {section["id"]: section for section in page.select("section[id]")}
    assert list(groups) == ["tasks-found", "pages-found", "runs-found", "output-found"]
    assert {mark.text for mark in page.select("mark")} == {"backup"}
    (line,) = groups["output-found"].select(".wb-hit__lines a")
    assert line["href"] == f"/runs/{run.id}#L2"
    assert groups["tasks-found"].select_one("a")["href"] == f"/tasks/{task.id}"  # type: ignore[index]
    assert groups["runs-found"].select_one("a")["href"] == f"/runs/{run.id}"  # type: ignore[index]
    assert "Looked at the output of 1 run" in groups["output-found"].text


def test_without_words_the_page_says_what_can_be_found_and_looks_at_nothing(admin: Person, db: Database) -> None:
    add_task(db)

    page = admin.see("/search?q=+")

    assert "What are you looking for?" in page.text
    assert not page.select(".wb-hit")


def test_when_nothing_is_found_the_page_says_so(admin: Person) -> None:
    assert "Nothing found for “xyzzy”" in admin.see("/search?q=xyzzy").text


def test_names_and_outputs_are_text_and_nothing_else(admin: Person, db: Database) -> None:
    task = add_task(db, HOSTILE, comment=HOSTILE, command=f"echo '{HOSTILE}'")
    run = add_run(db, task, RunState.FAILED, reason=HOSTILE, started_at=NOW, attempts=1)
    add_output(db, add_attempt(db, run), f"\x1b]0;x\x07{HOSTILE}\n".encode())

    for query in ("img", "<img", "onerror=alert(1)>"):
        page = admin.see(f"/search?q={query}")
        assert not page.select("main img"), query
        assert page.text.count(HOSTILE) >= 5, query


def test_devices_are_found_by_name_uuid_and_tag_and_known_to_the_palette(admin: Person, db: Database) -> None:
    uuid = add_device(db, HOSTILE, tags={"site": "north"})
    number = device_lists.line_of(db, uuid, now=NOW).device.id

    for text in ("img", uuid, uuid[:9].upper(), "site%3Dnorth"):
        found = admin.get(f"/search.json?q={text}&in=devices").get_json()
        assert [one["key"] for one in found["devices"]] == [f"device:{number}"], text
        assert (found["devices"][0]["title"], found["devices"][0]["address"]) == (HOSTILE, f"/fleet/devices/{uuid}")
    page = admin.see(f"/search?q={uuid}")
    assert page.select_one("#devices-found mark").text == uuid  # type: ignore[union-attr]
    known = admin.get(f"/search.json?in=pages&device={number},999").get_json()["known"]
    assert [one["key"] for one in known] == [f"device:{number}"]
    assert "device,<img" in admin.get("/search.csv?q=img").text


def test_whoever_looks_further_back_sees_older_outputs_only(admin: Person, db: Database) -> None:
    old, new = finished(db, b"needle"), None
    task = add_task(db, "other")
    new = add_run(db, task, RunState.SUCCEEDED, started_at=NOW, attempts=1)
    add_output(db, add_attempt(db, new), b"needle")

    found = admin.get(f"/search.json?q=needle&in=output&before={new.id}").get_json()

    assert [hit["key"] for hit in found["output"]["hits"]] == [f"run:{old.id}"]
    assert admin.get("/search?q=x&before=y").status_code == 422


def test_a_verb_before_a_name_offers_to_do_it(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")

    found = admin.get("/search.json?q=run+backup&in=tasks").get_json()

    assert [(act["title"], act["address"], act["method"]) for act in found["actions"]] == [
        ("Run backup now", f"/tasks/{task.id}/run", "POST")
    ]
    assert [one["key"] for one in found["tasks"]] == [f"task:{task.id}"]


@pytest.mark.parametrize(
    ("role", "may_run", "may_edit"), [("viewer", False, False), ("operator", True, False), ("editor", True, True)]
)
def test_only_what_one_may_do_is_offered(enter: Enter, db: Database, role: str, may_run: bool, may_edit: bool) -> None:
    task = add_task(db, "backup")
    person = enter(role)

    told = person.get(f"/search.json?q=&task={task.id}").get_json()
    offered = {one["key"] for group in ("known", "actions", "pages") for one in told[group]}

    assert f"task:{task.id}" in offered
    assert (f"run:task:{task.id}" in offered) == may_run
    assert (f"edit:task:{task.id}" in offered) == may_edit
    assert ("act:new-task" in offered) == may_edit
    assert ("act:start" in offered) == may_run
    page = person.see("/search?q=backup")
    assert bool(page.select(f'form[action="/tasks/{task.id}/run"]')) == may_run


def test_choices_made_before_are_told_as_they_are_now(admin: Person, db: Database) -> None:
    task = add_task(db, "backup", enabled=False)
    run = add_run(db, task)

    told = admin.get(f"/search.json?task={task.id},999&run={run.id},998").get_json()["known"]

    assert [one["key"] for one in told] == [
        f"task:{task.id}", f"run:task:{task.id}", f"enable:task:{task.id}", f"edit:task:{task.id}", f"pause:task:{task.id}",
        f"run:{run.id}",
    ]  # fmt: skip


def test_every_page_of_the_navigation_is_found_by_its_name(admin: Person) -> None:
    found = {one["address"] for one in admin.get("/search.json").get_json()["pages"]}

    links = {str(link["href"]) for link in admin.see("/").select(".wb-nav a[href]")}
    assert links <= found


def test_the_csv_twin_has_every_hit_and_no_formula(admin: Person, db: Database) -> None:
    finished(db, b"=needle()")

    text = admin.get("/search.csv?q=needle").get_data(as_text=True)

    assert "output,#1 backup,'=needle(),/runs/1#L1,succeeded,1" in text.replace("\r", "")
