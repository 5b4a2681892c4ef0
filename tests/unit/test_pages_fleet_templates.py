"""Templates of jobs on the page: their list, their editor in both views, and trying one on a device."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.fleet import DOCUMENT, add_device, execute
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import fleet_jobs, job_library
from watchbell.store.job_library import JobTemplate
from watchbell.store.session import Database

HOSTILE = "<script>alert('x')</script>\"'&"


def add(db: Database, name: str = "mine", document: Any = DOCUMENT, **fields: Any) -> JobTemplate:
    return job_library.create_template(db, {"name": name, "document": document, **fields}, now=clock.now(), actor="ann")


def fields_of(page: BeautifulSoup, form: str = "#template-form") -> list[tuple[str, str]]:
    """Return what a browser would send for a form as it is shown."""
    found: list[tuple[str, str]] = []
    for field in page.select(f"{form} input[name], {form} textarea[name], {form} select[name]"):
        if field.get("type") in {"radio", "checkbox"} and not field.has_attr("checked"):
            continue
        options = field.select("option") if field.name == "select" else []
        chosen = next((one for one in options if one.has_attr("selected")), options[0] if options else None)
        text = (
            field.text.removeprefix("\r\n").removeprefix("\n") if field.name == "textarea" else field.get("value", "")
        )
        value = str(chosen["value"] if chosen is not None else text)
        found.append((str(field["name"]), value.replace("\r\n", "\n").replace("\n", "\r\n")))
    return found


def send(person: Person, address: str, fields: list[tuple[str, str]], **more: str) -> Any:
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    for name, value in more.items():
        data[name] = [value]
    # The token of a session stays the same, and asking for it costs more than the form.
    found = getattr(person, "token", None) or token(person)
    person.token = found  # type: ignore[attr-defined]
    return person.client.post(address, data={**data, "csrf_token": [found]})


def text_of(page: BeautifulSoup) -> str:
    area = page.select_one("#document")
    assert area is not None, page.select_one("main").text[:500]  # type: ignore[union-attr]
    return area.text.removeprefix("\r\n").removeprefix("\n")


def test_the_list_shows_templates_by_category_and_marks_what_the_fleet_began_with(admin: Person, db: Database) -> None:
    add(db, HOSTILE, category="custom", description=HOSTILE)

    page = admin.see("/fleet/templates")

    assert [head.text for head in page.select("tr.wb-group")] == ["custom", "maintenance", "system"]
    marked = [row.select_one("a").text for row in page.select("#templates tr[id]") if "ready-made" in row.text]  # type: ignore[union-attr]
    assert marked == ["health-check", "restart-service", "update-config"]
    assert HOSTILE in page.text and not page.select("#templates script")
    assert [row["name"] for row in admin.get("/fleet/templates.json?state=own").json] == [HOSTILE]  # type: ignore[union-attr]
    assert admin.get("/fleet/templates.csv?q=restart").text.splitlines()[1].startswith("1,restart-service,system,")


@pytest.mark.parametrize(
    ("query", "names"),
    [("q=RESTART-+serv", ["restart-service"]), ("category=maintenance", ["health-check"]), ("state=unused", ["mine"]),
     ("state=ready&q=disk", ["health-check"]), ("q=nothing-like-it", [])],
)  # fmt: skip
def test_the_list_is_searched_and_filtered(admin: Person, db: Database, query: str, names: list[str]) -> None:
    add(db)
    job_library.update_template(db, 4, {"is_active": False}, now=clock.now(), actor="ann")

    page = admin.see(f"/fleet/templates?{query}")

    assert [link.text for link in page.select("#templates td.wb-cell--main a")] == names
    assert bool(names) or "No template matches" in page.text


def test_a_template_says_how_its_commands_are_read(admin: Person, db: Database) -> None:
    steps = [
        {"action": {"name": "list", "type": "runCommand", "input": {"command": "docker ps | grep web"}}},
        {"action": {"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}, "runAsUser": "root"}},
        {"action": {"type": "runHandler", "input": {"handler": "no-such", "args": ["a b"]}}},
    ]
    made = add(db, document={"version": "1.0", "steps": steps})

    page = admin.see(f"/fleet/templates/{made.id}")

    told = page.select_one("#steps-told")
    assert told is not None
    assert "in an action each" in told.text
    reads = [read.text.split() for read in told.select(".wb-step-read")]
    assert reads[0][:4] == ["line", "for", "the", "shell"]
    assert [code.text for code in told.select(".wb-step:nth-of-type(2) .wb-word")] == ["df", "-h"]
    assert [code.text for code in told.select(".wb-step:nth-of-type(3) .wb-word")] == ["no-such", "a b"]
    assert "There is no handler no-such here" in told.text
    assert "as root" in told.text


def test_a_template_of_the_earliest_form_is_shown_and_edited_as_json(admin: Person, db: Database) -> None:
    made = add(db, document={"version": "0.0", "operation": "reboot", "args": ["now"]})

    assert "version 0.0" in admin.see(f"/fleet/templates/{made.id}").text
    page = admin.see(f"/fleet/templates/{made.id}/edit")
    assert json.loads(text_of(page))["operation"] == "reboot"
    again = soup(send(admin, f"/fleet/templates/{made.id}/edit", fields_of(page), act="steps").text)
    assert "edited as JSON" in again.text and json.loads(text_of(again))["operation"] == "reboot"


def test_a_template_is_made_step_by_step_without_any_script(admin: Person, db: Database) -> None:
    page = admin.see("/fleet/templates/new")
    fields = [(name, value) for name, value in fields_of(page) if name not in {"step_command", "step_name", "name"}]
    fields += [("name", "built"), ("step_name", "one"), ("step_command", "df,-h")]
    page = soup(send(admin, "/fleet/templates/new", fields, act="add-step").text)
    assert len(page.select(".wb-doc-step")) == 2
    focus = page.select_one("#editor-body")
    assert focus is not None and focus["data-focus"] == "step-2-name"
    fields = fields_of(page)
    place = [index for index, (name, _value) in enumerate(fields) if name == "step_command"][1]
    fields[place] = ("step_command", "restart {{SERVICE}} now")
    page = soup(send(admin, "/fleet/templates/new", fields, act="up-step:2").text)
    assert [one["value"] for one in page.select("[name=step_name]")] == ["", "one"]

    answer = send(admin, "/fleet/templates/new", fields_of(page))

    assert answer.status_code == 303, soup(answer.text).select_one("main").text  # type: ignore[union-attr]
    (made,) = [one for one in job_library.list_templates(db) if one.name == "built"]
    assert answer.headers["Location"] == f"/fleet/templates/{made.id}"
    assert made.created_by == "admin" and made.category == "custom"
    assert [step["input"]["command"] for step in made.document["steps"]] == ["restart {{SERVICE}} now", "df,-h"]


def test_switching_between_the_views_loses_nothing(admin: Person, db: Database) -> None:
    text = '{"steps": [ {"type":"runCommand", "name":"a","input":{"command":"true"},\n"allowStdErr": 3} ],\n "reportProgress":true}'
    made = add(db, document=json.loads(text))
    page = admin.see(f"/fleet/templates/{made.id}/edit?view=json")
    fields = [(name, text if name == "document" else value) for name, value in fields_of(page)]
    address = f"/fleet/templates/{made.id}/edit"

    page = soup(send(admin, address, fields, act="steps").text)
    assert page.select_one("[name=step_name]")["value"] == "a"  # type: ignore[index]
    assert "allowStdErr 3" in page.text
    page = soup(send(admin, address, fields_of(page), act="json").text)

    assert text_of(page).replace("\r\n", "\n") == text
    page = soup(send(admin, address, fields_of(page), act="format").text)
    assert text_of(page) == json.dumps(json.loads(text), indent=2)


def test_what_is_wrong_is_told_with_its_line_and_path_and_nothing_typed_is_lost(admin: Person, db: Database) -> None:
    page = admin.see("/fleet/templates/new?view=json")
    text = (
        '{\n  "version": "1.0",\n  "steps": [\n    {"type": "runCommand",\n     "input": {"command": ""}}\n  ], "x": 1}'
    )
    fields = [(name, text if name == "document" else value) for name, value in fields_of(page)]

    answer = send(admin, "/fleet/templates/new", fields, name="", category="NO way")

    assert answer.status_code == 422
    page = soup(answer.text)
    told = [one.text for one in page.select("#document-problems li")]
    assert any("Line 5" in one and "steps.0.input.command" in one and "Must say what is run" in one for one in told)
    assert any("Line 6" in one and "x" in one for one in told)
    assert page.select_one("#name-error") and page.select_one("#category-error")
    assert text_of(page) == text and page.select_one("#category")["value"] == "NO way"  # type: ignore[index]
    broken = send(admin, "/fleet/templates/new", [("view", "json"), ("document", '{\n"a": 1,\n}'), ("name", "x")])
    assert broken.status_code == 422 and "Line 2" in soup(broken.text).select_one("#document-problems").text  # type: ignore[union-attr]
    assert len(job_library.list_templates(db)) == 3


def test_a_wrong_step_is_told_beside_it(admin: Person) -> None:
    fields = [("view", "steps"), ("name", "x"), ("step_name", "a"), ("step_type", "runCommand"), ("step_command", ""),
              ("step_user", "No User"), ("step_limit", "0")]  # fmt: skip

    page = soup(send(admin, "/fleet/templates/new", fields).text)

    error = page.select_one("#step-1-error")
    assert error is not None and "what is run" in error.text and "name of a user" in error.text
    assert page.select_one("[name=step_limit]")["value"] == "0"  # type: ignore[index]


def test_what_is_typed_is_checked_by_the_same_rules_as_programs_meet(admin: Person) -> None:
    wrong = {
        "version": "2.0",
        "steps": [{"type": "runHandler", "input": {"handler": "a b"}}],
        "conditions": [{"key": ""}],
    }
    refused = admin.client.post(
        "/fleet/templates/check", data={"view": "json", "document": json.dumps(wrong), "csrf_token": token(admin)}
    )
    right = admin.client.post(
        "/fleet/templates/check", data={"view": "json", "document": json.dumps(DOCUMENT), "csrf_token": token(admin)}
    )

    paths = {one.text for one in soup(refused.text).select(".wb-problem code")}
    assert {"version", "steps.0.input.handler", "conditions.0.key"} <= paths
    assert soup(refused.text).select_one("#checked")["data-lines"].split()  # type: ignore[index, union-attr]
    assert [word.text for word in soup(right.text).select(".wb-word")] == ["df", "-h"]


def token(person: Person) -> str:
    found = person.see("/logout").select_one("input[name=csrf_token]")
    assert found is not None
    return str(found["value"])


def test_a_template_is_copied_changed_and_deleted(admin: Person, db: Database) -> None:
    page = admin.see("/fleet/templates/new?from=3")
    assert page.select_one("#name")["value"] == "health-check-copy"  # type: ignore[index]
    assert send(admin, "/fleet/templates/new", fields_of(page)).status_code == 303
    page = admin.see("/fleet/templates/4/edit")
    assert send(admin, "/fleet/templates/4/edit", fields_of(page), description="why", name="mine").status_code == 303
    found = job_library.get_template(db, 4)
    assert (found.name, found.description, found.document) == ("mine", "why", job_library.get_template(db, 3).document)
    assert send(admin, "/fleet/templates/4/edit", fields_of(page), name="health-check").status_code == 412
    taken = send(admin, "/fleet/templates/4/edit", fields_of(admin.see("/fleet/templates/4/edit")), name="health-check")
    assert taken.status_code == 409 and soup(taken.text).select_one("#name-error")

    form = admin.see("/fleet/templates").select_one("form[action='/fleet/templates/4/delete']")

    assert form is not None and "What was executed stays" in str(form["data-confirm"])
    assert "is deleted" in admin.post("/fleet/templates/4/delete", follow_redirects=True).text
    assert admin.get("/fleet/templates/4").status_code == 404


def test_what_was_executed_becomes_a_template(admin: Person, db: Database) -> None:
    given = execute(db, add_device(db), name=HOSTILE, template_id=1, document=None, variables={"SERVICE_NAME": "app"})
    link = admin.see(f"/fleet/executions/{given.execution.job_id}").select_one("a[href*='new?execution=']")
    assert link is not None

    page = admin.see(str(link["href"]))

    assert page.select_one("#name")["value"] == HOSTILE  # type: ignore[index]
    assert send(admin, "/fleet/templates/new", fields_of(page)).status_code == 303
    (made,) = [one for one in job_library.list_templates(db) if one.name == HOSTILE]
    assert made.document == given.execution.document
    assert admin.get("/fleet/templates/new?execution=none").status_code == 404


def test_two_editors_do_not_overwrite_each_other_unseen(admin: Person, db: Database) -> None:
    made = add(db)
    address = f"/fleet/templates/{made.id}/edit"
    mine = fields_of(admin.see(address))
    job_library.update_template(db, made.id, {"description": "theirs"}, now=clock.now(), actor="bo")

    refused = send(admin, address, mine, description="mine")

    assert refused.status_code == 412
    page = soup(refused.text)
    assert page.select_one("#description").text.strip() == "mine"  # type: ignore[union-attr]
    assert job_library.get_template(db, made.id).description == "theirs"
    assert send(admin, address, fields_of(page)).status_code == 303
    assert job_library.get_template(db, made.id).description == "mine"


def test_a_template_is_tried_on_one_device_once(admin: Person, db: Database) -> None:
    pi, _other = add_device(db, "pi <b>", tags={"site": "north"}), add_device(db, "other")
    address = "/fleet/templates/3/test"
    page = soup(send(admin, address, fields_of(admin.see(address), "#execute-form"), act="find", device_q="north").text)
    assert [one["value"] for one in page.select("[name=device]")] == [pi]
    fields = [*fields_of(page, "#execute-form"), ("device", pi), ("var_SERVICE_NAME", "cron; reboot")]
    fields = [(name, value) for name, value in fields if (name, value) != ("var_SERVICE_NAME", "")]

    answers = [send(admin, address, fields) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    (given,) = fleet_jobs.list_page(db, limit=9)
    assert {answer.headers["Location"] for answer in answers} == {answers[0].headers["Location"]}
    assert given.execution.job_id in answers[0].headers["Location"]
    assert (list(given.targets), given.execution.timeout_seconds, given.execution.template_id) == ([pi], 600, 3)
    assert given.execution.document["steps"][2]["input"]["command"] == "systemctl,status,cron; reboot"
    refused = send(admin, address, fields_of(admin.see(address), "#execute-form"))
    assert refused.status_code == 422 and "Choose a device" in soup(refused.text).select_one("#device_q-error").text  # type: ignore[union-attr]


def test_viewers_see_operators_try_and_editors_edit(enter: Enter, db: Database) -> None:
    add_device(db)
    viewer, operator, editor = (enter(role) for role in ("viewer", "operator", "editor"))

    for person, offered in (
        (viewer, set()),
        (operator, {"Execute", "Test on one device"}),
        (editor, {"Execute", "Edit"}),
    ):
        page = person.see("/fleet/templates/3")
        shown = {link.text.strip() for link in page.select(".wb-page-head__acts a, .wb-page-head__acts button")}
        assert offered <= shown and (bool(offered) or not shown), shown
    assert viewer.get("/fleet/templates/3/test").status_code == 403
    assert operator.get("/fleet/templates/3/edit").status_code == 403
    assert operator.post("/fleet/templates/3/delete").status_code == 403
