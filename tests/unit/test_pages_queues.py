"""Queues on the page: what they hold, their bounds, and who may change them."""

from __future__ import annotations

import pytest

from tests.database import add_run, add_task
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import queues
from watchbell.store.session import Database


def rows(person: Person) -> dict[str, list[str]]:
    """Return the cells of each queue by its name."""
    found = [[cell.text.strip() for cell in row.select("td")] for row in person.see("/queues").select("tbody tr")]
    return {cells[0]: cells[1:] for cells in found}


def test_without_a_bound_the_page_says_what_queues_are_for(admin: Person) -> None:
    page = admin.see("/queues")

    assert list(rows(admin)) == ["default"]
    assert "Make another one" in page.text


def test_a_queue_shows_what_goes_and_waits_and_who_uses_it(admin: Person, db: Database) -> None:
    task = add_task(db, "load", queue="database")
    for state in ("running", "queued", "queued"):
        add_run(db, task, RunState(state), queue="database")
    queues.set_bounds(db, "database", max_running=1, comment="one <b>server</b>", now=clock.now(), actor="ann")

    found = rows(admin)["database"]

    assert [found[0], found[1].split()[-3:], *found[2:5]] == [
        "full", ["1", "of", "1"], "2", "1", "one <b>server</b>",
    ]  # fmt: skip
    assert "full: database" in admin.see("/queues").select_one(".wb-answer").text  # type: ignore[union-attr]
    (other,) = [row for row in admin.get("/queues.json").json if row["name"] == "database"]  # type: ignore[union-attr]
    assert (other["max_running"], other["in_flight"], other["queued"], other["tasks"]) == (1, 1, 2, 1)


def test_a_bound_is_set_changed_and_removed(admin: Person, db: Database) -> None:
    assert admin.post("/queues/edit", {"name": "database", "max_running": "2", "comment": "slow"}).status_code == 303
    form = admin.see("/queues/edit?name=database")
    assert form.select_one("#max_running")["value"] == "2"  # type: ignore[index]
    assert admin.post("/queues/edit?name=database", {"name": "database", "max_running": "3"}).status_code == 303
    (found,) = [queue for queue in queues.list_all(db, now=clock.now()) if queue.name == "database"]
    assert found.max_running == 3

    assert admin.post("/queues/remove", {"name": "database"}).status_code == 303
    assert "database" not in rows(admin)
    assert admin.post("/queues/remove", {"name": "database"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "No Way"}, "name"),
        ({"name": "ok", "max_running": "0"}, "max_running"),
        ({"name": "ok", "max_running": "many"}, "max_running"),
        ({"name": "ok", "max_running": "9" * 30}, "max_running"),
        ({"name": "ok", "comment": "x" * 501}, "comment"),
    ],
    ids=str,
)
def test_a_wrong_bound_is_refused_at_its_field(admin: Person, db: Database, fields: dict[str, str], field: str) -> None:
    answer = admin.post("/queues/edit", fields)

    assert answer.status_code == 422
    assert soup(answer.text).select_one(f"#{field}-error") is not None
    assert [queue.name for queue in queues.list_all(db, now=clock.now())] == ["default"]


def test_the_form_of_a_new_queue_does_not_change_one_that_is_there(admin: Person, db: Database) -> None:
    queues.set_bounds(db, "database", max_running=1, comment="one server", now=clock.now(), actor="ann")

    answer = admin.post("/queues/edit", {"name": "database"})

    assert answer.status_code == 422
    assert "already" in soup(answer.text).select_one("#name-error").text  # type: ignore[union-attr]
    (found,) = [queue for queue in queues.list_all(db, now=clock.now()) if queue.name == "database"]
    assert (found.max_running, found.comment) == (1, "one server")


def test_of_two_who_change_a_queue_the_second_is_told_what_the_first_has_said(admin: Person, db: Database) -> None:
    queues.set_bounds(db, "database", max_running=1, comment="", now=clock.now(), actor="ann")
    seen = admin.see("/queues/edit?name=database").select_one("[name=version]")["value"]  # type: ignore[index]
    queues.set_bounds(db, "database", max_running=7, comment="for the night", now=clock.now(), actor="ann")

    mine = {"name": "database", "max_running": "2", "version": str(seen)}
    answer = admin.post("/queues/edit?name=database", mine)

    page = soup(answer.text)
    assert answer.status_code == 409
    assert "Ann has changed this queue meanwhile" in page.select_one("#name-error").text  # type: ignore[union-attr]
    assert "bounded to 7, with the comment “for the night”" in page.text
    assert page.select_one("#max_running")["value"] == "2"  # type: ignore[index]
    again = {**mine, "version": str(page.select_one("[name=version]")["value"])}  # type: ignore[index]
    assert admin.post("/queues/edit?name=database", again).status_code == 303
    assert queues.get(db, "database", now=clock.now()).max_running == 2


def test_a_queue_that_nobody_needs_can_be_taken_away(admin: Person, db: Database) -> None:
    queues.set_bounds(db, "mistyped", max_running=None, now=clock.now(), actor="ann")

    assert admin.see("/queues").select_one("[aria-label='Remove queue mistyped']") is not None
    answer = admin.post("/queues/remove", {"name": "mistyped"}, follow_redirects=True)

    assert "Queue mistyped is gone." in answer.text
    assert list(rows(admin)) == ["default"]


def test_only_editors_change_bounds(enter: Enter, db: Database) -> None:
    operator = enter("operator")

    assert operator.get("/queues").status_code == 200
    assert operator.post("/queues/edit", {"name": "x", "max_running": "1"}).status_code == 403
    assert operator.post("/queues/remove", {"name": "x"}).status_code == 403


def test_a_queue_is_handed_to_the_engine_and_page_and_health_say_that_nobody_serves_it(
    admin: Person, db: Database
) -> None:
    form = {"name": "heavy", "max_running": "", "comment": "", "carrier": "engine"}
    assert admin.post("/queues/edit", form).status_code == 303
    assert "workers" in " ".join(cell for name, cells in rows(admin).items() for cell in (name, *cells))
    assert admin.see("/queues/edit?name=heavy").select_one("#carrier option[selected]")["value"] == "engine"  # type: ignore[index]
    assert admin.get("/heartbeats.json").json["broker"] == "ok"  # type: ignore[index]
    assert admin.get("/api/v2/health").json["engine"] == "ok"  # type: ignore[index]

    add_run(db, add_task(db, "load", queue="heavy"), queue="heavy")

    assert admin.get("/api/v2/health").json["engine"] == "late"  # type: ignore[index]
    page = admin.see("/heartbeats")
    assert "none serves: heavy" in page.text
    assert "No worker yet" in page.text
    assert admin.post("/queues/edit?name=heavy", {**form, "carrier": "nobody"}).status_code == 422
