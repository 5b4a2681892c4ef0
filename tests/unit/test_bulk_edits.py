"""Editing several tasks at once: what would change is shown, all of it happens or nothing, and it can be taken back."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.database import DEFAULTS, NOW, add_task
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock, errors
from watchbell.services import bulk_edits, calendars, tasks
from watchbell.services.bulk_edits import Changes
from watchbell.store.session import Database
from watchbell.store.tasks import Task


@pytest.fixture
def three(db: Database) -> list[Task]:
    return [
        add_task(db, name, cron="0 2 * * *", tags="nightly", queue=queue)
        for name, queue in (("a", "x"), ("b", "y"), ("c", "x"))
    ]


def sent(page: BeautifulSoup, **fields: object) -> dict[str, object]:
    """Return what a browser would send of the form as it is shown."""
    ids = [field["value"] for field in page.select("#bulk-form input[name=id]")]
    seen = page.select_one("#bulk-form input[name=seen]")
    ticked = [box["value"] for box in page.select("#bulk-form input[name=change][checked]")]
    values = {str(field["name"]): field.get("value", "") for field in page.select("#bulk-form input.form-control")}
    assert seen is not None
    return {
        **values,
        "enabled": "on",
        "id": ids,
        "seen": seen.get("value", ""),
        "change": ticked,
        "act": "look",
        **fields,
    }


def opened(admin: Person, three: list[Task], **fields: object) -> dict[str, object]:
    query = "&".join(f"id={task.id}" for task in three)
    return sent(admin.see(f"/tasks/edit?{query}"), **fields)


def told(page: BeautifulSoup) -> dict[str, str]:
    rows = [row.select("td") for row in page.select("#changes tbody tr")]
    return {row[0].get_text(strip=True): row[1].get_text(" ", strip=True) for row in rows}


def test_what_would_change_is_shown_and_nothing_is(admin: Person, db: Database, three: list[Task]) -> None:
    answer = admin.post("/tasks/edit", opened(admin, three, change=["queue"], queue="x"))

    page = soup(answer.text)
    assert "Changes 1 of 3 tasks" in page.text
    assert told(page) == {
        "a": "nothing: it is so already", "b": "queue : y → x", "c": "nothing: it is so already",
    }  # fmt: skip
    assert tasks.get(db, three[1].id).version == 1


def test_all_of_it_happens_and_only_what_is_ticked(admin: Person, db: Database, three: list[Task]) -> None:
    fields = {
        "change": ["enabled", "add_tags", "remove_tags", "zone", "retries", "time_limit_seconds"], "enabled": "off",
        "add_tags": "db, slow", "remove_tags": "nightly", "zone": "Asia/Tokyo", "retries": "2", "time_limit_seconds": "2h",
        "owner": "not ticked",
    }  # fmt: skip
    page = soup(admin.post("/tasks/edit", opened(admin, three, **fields)).text)
    answer = admin.post("/tasks/edit", sent(page, act="apply", enabled="off"))

    assert "3 tasks changed" in answer.text
    for task in three:
        after = tasks.definition_of(tasks.get(db, task.id))
        assert (after.enabled, after.tags, after.schedule.zone, after.owner) == (
            False,
            ("db", "slow"),
            "Asia/Tokyo",
            task.owner,
        )
        assert (after.policies.retries, after.policies.time_limit_seconds) == (2, 7200)
        assert after.schedule.expressions == ("0 2 * * *",)


def test_an_edit_is_taken_back_but_not_over_a_later_one(admin: Person, db: Database, three: list[Task]) -> None:
    before = {task.id: tasks.definition_of(task) for task in three}
    fields = {"change": ["enabled", "owner"], "enabled": "off", "owner": "bob"}
    page = soup(admin.post("/tasks/edit", opened(admin, three, **fields)).text)
    done = soup(admin.post("/tasks/edit", sent(page, act="apply", enabled="off")).text)
    tasks.update(db, three[2].id, {"comment": "later"}, now=NOW, actor="ann", defaults=DEFAULTS)
    undo = done.select_one("input[name=undo]")
    assert undo is not None
    admin.post("/tasks/edit/undo", {"undo": undo["value"]})

    said = admin.see("/tasks").text
    assert "2 tasks are as they were before. Changed since, and left alone: c." in said
    assert [tasks.definition_of(tasks.get(db, task.id)) == before[task.id] for task in three] == [True, True, False]
    assert tasks.get(db, three[2].id).owner == "bob"


def test_a_wrong_value_changes_no_task_and_stands_at_its_field(admin: Person, db: Database, three: list[Task]) -> None:
    answer = admin.post(
        "/tasks/edit", opened(admin, three, change=["zone", "owner"], zone="Mars/Base", owner="bob", act="apply")
    )

    page = soup(answer.text)
    assert answer.status_code == 422
    assert page.select_one("#zone-error") is not None
    assert page.select_one("#zone")["value"] == "Mars/Base"  # type: ignore[index]
    assert {tasks.get(db, task.id).owner for task in three} == {three[0].owner}


def test_nothing_ticked_is_said(admin: Person, three: list[Task]) -> None:
    answer = admin.post("/tasks/edit", opened(admin, three, owner="bob"))

    assert answer.status_code == 422
    assert "Tick what is to be changed" in answer.text


def test_what_was_changed_after_the_look_is_looked_at_again(admin: Person, db: Database, three: list[Task]) -> None:
    page = soup(admin.post("/tasks/edit", opened(admin, three, change=["owner"], owner="bob")).text)
    tasks.update(db, three[0].id, {"owner": "eve"}, now=NOW, actor="eve", defaults=DEFAULTS)
    answer = admin.post("/tasks/edit", sent(page, act="apply"))

    assert "eve" in answer.text and "Changes 3 of 3 tasks" in answer.text
    assert tasks.get(db, three[0].id).owner == "eve"


def test_all_or_nothing_also_if_one_of_them_cannot_have_it(db: Database, three: list[Task]) -> None:
    tasks.update(
        db, three[2].id, {"tags": ",".join(f"t{n}" for n in range(20))}, now=NOW, actor="ann", defaults=DEFAULTS
    )
    ids = [task.id for task in three]

    with pytest.raises(errors.InputError, match=r"task c"):
        bulk_edits.apply(db, ids, Changes(add_tags=["more"]), now=NOW, actor="ann", defaults=DEFAULTS)
    assert [tasks.get(db, number).tags == ["nightly"] for number in ids] == [True, True, False]


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 422), ("?id=999", 404), ("?id=x", 422), (f"?{'&'.join(f'id={n}' for n in range(1, 1002))}", 422)],
)
def test_ids_that_make_no_sense_are_refused(admin: Person, query: str, status: int) -> None:
    assert admin.get(f"/tasks/edit{query}").status_code == status


def test_an_undo_of_nonsense_is_refused(admin: Person) -> None:
    assert admin.post("/tasks/edit/undo", {"undo": "1:2:x:4"}).status_code == 422


def test_only_who_may_edit_may_edit_several(enter: Enter, three: list[Task]) -> None:
    assert enter("operator").get(f"/tasks/edit?id={three[0].id}").status_code == 403


def test_the_list_of_tasks_leads_to_the_form_with_those_that_were_ticked_or_that_match(
    admin: Person, db: Database
) -> None:
    made = [add_task(db, f"task-{number}") for number in range(3)]
    assert admin.see("/tasks").select_one("#bulk button[value=edit]") is not None

    ticked = admin.post("/tasks/bulk", {"action": "edit", "id": [made[0].id, made[2].id]})
    assert ticked.headers["Location"] == f"/tasks/edit?id={made[0].id}&id={made[2].id}"
    matching = admin.post("/tasks/bulk", {"action": "edit", "all": "1", "filters": "q=task-1"})
    assert matching.headers["Location"] == f"/tasks/edit?id={made[1].id}"
    assert admin.see(matching.headers["Location"]).select_one("form") is not None


def test_the_fields_that_came_last_are_given_to_many_tasks_too(admin: Person, db: Database) -> None:
    calendars.create(db, {"name": "off", "weekdays": "sat,sun"}, now=NOW, actor="me")
    parameters = [{"name": "day", "default": "today"}, {"name": "size", "default": "1"}]
    one = add_task(db, "one", cron="0 2 * * *", parameters=parameters, now=clock.now())
    two = add_task(db, "two", cron="0 3 * * *", links="https://example.org/old", now=clock.now())
    fields = {
        "change": ["calendar", "calendar_rule", "not_after", "parameter_defaults", "runbook", "links"],
        "calendar": "off",
        "calendar_rule": "next",
        "not_after": "2099-12-31",
        "parameter_defaults": "day=yesterday",
        "runbook": "Call *somebody*.",
        "links": "Board https://example.org/board",
    }

    looked = soup(admin.post("/tasks/edit", opened(admin, [one, two], **fields)).text)
    rows = told(looked)
    assert "→ off" in rows["one"]
    assert "parameters : day=today, size=1 → day=yesterday, size=1" in rows["one"]
    assert "parameters" not in rows["two"] and "calendar_days" not in rows["two"]
    assert "links : https://example.org/old https://example.org/old → Board https://example.org/board" in rows["two"]
    assert "runs removed" in looked.select_one("#effect").text  # type: ignore[union-attr]
    seen = looked.select_one("#bulk-form input[name=seen]")
    assert seen is not None
    admin.post("/tasks/edit", {**opened(admin, [one, two], **fields), "act": "apply", "seen": seen["value"]})

    for task in (one, two):
        saved = tasks.definition_of(tasks.get(db, task.id))
        assert saved.schedule.calendar is not None and saved.schedule.calendar.name == "off"
        assert (saved.runbook, saved.links[0].title) == ("Call *somebody*.", "Board")
    assert [entry["default"] for entry in tasks.get(db, one.id).parameters] == ["yesterday", "1"]
    wrong = admin.post("/tasks/edit", opened(admin, [two], change=["parameter_defaults"], parameter_defaults="day=x"))
    assert wrong.status_code == 422 and "has a parameter" in wrong.text
