"""Pages offer only what whoever reads them may do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.database import add_run, add_task
from tests.web_fixtures import Enter
from watchbell import clock
from watchbell.domain.permissions import ROUTES, Role, rights_of
from watchbell.domain.run_state import RunState
from watchbell.services import pauses, queues
from watchbell.store.session import Database

PAGES = (
    "/",
    "/tasks",
    "/tasks/1",
    "/tasks/2",
    "/runs",
    "/runs/1",
    "/runs/2",
    "/next-runs",
    "/queues",
    "/heartbeats",
    "/log",
)


@pytest.fixture
def busy(db: Database) -> None:
    """Fill an installation with something to press a button for on each page."""
    now = clock.now()
    task = add_task(db, "backup", now=now, every="1h")
    add_task(db, "held", now=now, every="1h")
    add_run(db, task, RunState.FAILED, due_at=now, ended_at=now)
    add_run(db, task, RunState.RUNNING, due_at=now)
    add_run(db, task, RunState.LOST, due_at=now, ended_at=now, decision="open")
    queues.set_bounds(db, "nightly", max_running=2, comment="", now=now, actor="ann")
    for scope in ("task:2", "queue:nightly", "everything"):
        pauses.pause(db, scope, now=now, actor="ann", reason="", until=now + timedelta(hours=1))


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("role", list(Role))
def test_no_button_and_no_link_leads_to_a_refusal(app: Flask, enter: Enter, role: Role) -> None:
    person = enter(role.value)
    adapter = app.url_map.bind("localhost")
    offered = 0

    for page in PAGES:
        seen = person.see(page)
        forms = [(form["action"], str(form.get("method", "get")).upper()) for form in seen.select("form[action]")]
        links = [(link["href"], "GET") for link in seen.select("a[href^='/']")]
        for address, method in forms + links:
            endpoint, _values = adapter.match(str(address).partition("?")[0].partition("#")[0], method=method)
            assert ROUTES[endpoint] in rights_of(role.value), (page, address)
            offered += ROUTES[endpoint] not in rights_of(Role.VIEWER.value)

    # Whoever may do something is offered it; logging out, the language and views of one's own are open to everybody.
    assert (offered > len(PAGES)) is (role is not Role.VIEWER), offered


@pytest.mark.usefixtures("busy")
def test_a_menu_holds_what_one_may_do_and_no_more(enter: Enter) -> None:
    def names(role: str) -> list[str]:
        return [item.get_text().strip() for item in enter(role).see("/tasks/1").select("main .wb-menu .wb-menu__item")]

    assert names("viewer") == ["Why did it run, or why not?"]
    assert len(names("editor")) > 3
