"""Pausing and resuming on the page: everything, a queue, a task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.database import add_task
from tests.unit.form_fields import edit_fields, soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import pauses, tasks
from watchbell.store.session import Database

SCOPES = ["everything", "queue:nightly", "task:1"]


def in_force(db: Database) -> list[str]:
    return [pause.scope for pause in pauses.list_all(db, now=clock.now())]


@pytest.mark.parametrize("scope", SCOPES)
def test_what_can_be_paused_has_a_page_that_says_what_it_does(admin: Person, db: Database, scope: str) -> None:
    add_task(db, "backup")

    page = admin.see(f"/pause?scope={scope}")

    assert page.h1 is not None and page.h1.text.startswith("Pause ")
    assert "Commands that run are not touched." in page.text
    assert page.select_one("input[name=scope]")["value"] == scope  # type: ignore[index]


@pytest.mark.parametrize("scope", SCOPES)
def test_it_is_paused_with_a_reason_and_resumed(admin: Person, db: Database, scope: str) -> None:
    add_task(db, "backup")

    answer = admin.post("/pause", {"scope": scope, "reason": "the disk is changed", "length": "1h"})

    assert answer.status_code == 303
    (pause,) = pauses.list_all(db, now=clock.now())
    assert (pause.scope, pause.by, pause.reason) == (scope, admin.username, "the disk is changed")
    assert pause.until is not None
    assert timedelta(minutes=59) < pause.until - clock.now() <= timedelta(hours=1)
    assert "the disk is changed" in admin.see(answer.headers["Location"]).text

    assert admin.post("/resume", {"scope": scope}).status_code == 303
    assert in_force(db) == []


def test_a_pause_without_an_end_lasts_until_somebody_resumes(admin: Person, db: Database) -> None:
    assert admin.post("/pause", {"scope": "everything"}).status_code == 303

    (pause,) = pauses.list_all(db, now=clock.now())
    assert pause.until is None
    assert "until somebody resumes" in admin.see("/runs").select_one("[data-live-part=pause-bar]").text  # type: ignore[union-attr]


def test_a_pause_ends_at_a_local_moment(admin: Person, db: Database) -> None:
    admin.post("/pause", {"scope": "everything", "length": "at", "until": "2090-01-31T09:30"})

    (pause,) = pauses.list_all(db, now=clock.now())
    assert pause.until == datetime(2090, 1, 31, 8, 30, tzinfo=UTC), "the page is in Europe/Berlin"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"length": "at"}, "until"),
        ({"length": "at", "until": "tomorrow"}, "until"),
        ({"length": "at", "until": "2020-01-31T09:30"}, "until"),
        ({"length": "forever"}, "length"),
        ({"reason": "x" * 201}, "reason"),
    ],
    ids=str,
)
def test_a_wrong_pause_is_refused_at_its_field(admin: Person, db: Database, fields: dict[str, str], field: str) -> None:
    answer = admin.post("/pause", {"scope": "everything", **fields})

    assert answer.status_code == 422
    assert soup(answer.text).select_one(f"#{field}-error") is not None
    assert in_force(db) == []


@pytest.mark.parametrize("scope", ["task:1", "task:x", "task:-1", f"task:{'9' * 30}", "nonsense", ""])
def test_what_is_not_there_cannot_be_paused_or_resumed(admin: Person, db: Database, scope: str) -> None:
    if scope:
        assert admin.get(f"/pause?scope={scope}").status_code == 404
        assert admin.post("/pause", {"scope": scope}).status_code == 404
    assert admin.post("/resume", {"scope": scope}).status_code == 404
    assert in_force(db) == []


def test_a_pause_of_everything_stands_on_every_page_with_the_way_out(admin: Person, db: Database) -> None:
    add_task(db)
    before = admin.see("/tasks").select_one("[data-live-part=pause-bar]")
    pauses.pause(db, pauses.EVERYTHING, now=clock.now(), actor="bob", reason="<b>upgrade</b>")

    for path in ("/", "/tasks", "/runs", "/log", "/queues", "/heartbeats", "/next-runs"):
        bar = admin.see(path).select_one("[data-live-part=pause-bar]")
        assert bar is not None
        assert "Everything is paused" in bar.text
        assert "bob" in bar.text
        assert "<b>upgrade</b>" in bar.text
        assert bar.select_one("form[action='/resume'] button") is not None
    assert before is not None
    assert before.text.strip() == ""
    assert "Everything is paused." in admin.see("/").select_one(".wb-answer").text  # type: ignore[union-attr]


def test_a_paused_task_says_so_on_its_page_and_in_the_list(admin: Person, db: Database) -> None:
    add_task(db, "calm")
    task = add_task(db, "backup")
    pauses.pause(db, pauses.task_scope(task.id), now=clock.now(), actor="bob", reason="full disk")

    page, rows = admin.see(f"/tasks/{task.id}"), admin.see("/tasks").select("tbody tr")

    assert "This task is paused" in page.select_one(".wb-notice").text  # type: ignore[union-attr]
    assert [("paused" in row.text) for row in rows] == [True, False]
    assert [row["paused"] for row in admin.get("/tasks.json").json] == [True, False]  # type: ignore[union-attr]
    assert "task backup" in admin.see("/").select_one("#paused").text  # type: ignore[union-attr]


@pytest.mark.parametrize(("scope", "said"), [("everything", "Everything is paused"), ("task:1", "It is paused")])
def test_a_task_that_is_saved_while_it_is_paused_is_not_said_to_start(
    admin: Person, db: Database, scope: str, said: str
) -> None:
    task = add_task(db, "backup")
    pauses.pause(db, scope, now=clock.now(), actor="bob")

    answer = admin.post(f"/tasks/{task.id}/edit", {**edit_fields(admin, task.id), "asap": "y"}, follow_redirects=True)

    assert f"backup is saved. {said}: it does not start before that is over." in answer.text


def test_resuming_leads_back_to_where_one_was_and_nowhere_else(admin: Person, db: Database) -> None:
    for target, expected in (("/tasks?enabled=yes", "/tasks?enabled=yes"), ("//evil.example/", "/")):
        pauses.pause(db, pauses.EVERYTHING, now=clock.now(), actor="bob")
        assert admin.post("/resume", {"scope": "everything", "next": target}).headers["Location"] == expected


def test_the_pause_of_a_deleted_task_breaks_no_page(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    pauses.pause(db, pauses.task_scope(task.id), now=clock.now(), actor="bob")
    tasks.delete(db, task.id, now=clock.now(), actor="bob")

    assert admin.see("/").select_one("#paused") is None


def test_only_who_may_operate_pauses(enter: Enter, db: Database) -> None:
    viewer, operator = enter("viewer"), enter("operator")

    assert viewer.post("/pause", {"scope": "everything"}).status_code == 403
    assert in_force(db) == []
    assert operator.post("/pause", {"scope": "everything"}).status_code == 303
    assert viewer.post("/resume", {"scope": "everything"}).status_code == 403
    assert in_force(db) == ["everything"]


def test_resuming_in_a_filtered_list_keeps_its_filters(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    pauses.pause(db, f"task:{task.id}", now=clock.now(), actor="ann", reason="", until=None)
    fields = {"scope": f"task:{task.id}", "next": "/tasks"}

    answer = admin.post("/resume", fields, headers={"Referer": "http://localhost/tasks?q=back&order=-2"})
    assert answer.headers["Location"] == "/tasks?q=back&order=-2"

    elsewhere = admin.post("/resume", fields, headers={"Referer": "http://evil.example/tasks?q=x"})
    assert elsewhere.headers["Location"] == "/tasks"
    assert admin.post("/resume", fields).headers["Location"] == "/tasks"
