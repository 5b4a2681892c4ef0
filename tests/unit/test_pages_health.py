"""What the pages say of incidents, of a database in trouble, and of how long runs are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import add_run, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.control.health import Health
from watchbell.control.process import SchedulerStatus
from watchbell.domain.incidents import IncidentKind
from watchbell.domain.presence import SchedulerState
from watchbell.domain.run_state import RunState
from watchbell.errors import DatabaseTrouble
from watchbell.services import heartbeats, incidents
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database
from watchbell.web import current


def happen(db: Database, kind: str, message: str = "it happened", hours: float = 1) -> None:
    at = clock.now() - timedelta(hours=hours)
    incidents.add(db, kind, message, at=at, host="db1", incarnation="i", data={"seconds": 60})


def test_without_incidents_the_page_says_what_would_be_there(admin: Person) -> None:
    assert "Nothing has happened" in admin.see("/heartbeats").select_one("#incidents").text  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [*IncidentKind, "something_new"])
def test_every_kind_of_incident_is_told_in_words(admin: Person, db: Database, kind: str) -> None:
    happen(db, kind, "the clock was <b>set</b>")

    for path in ("/heartbeats", "/heartbeats/parts"):
        row = admin.see(path).select_one("[aria-label=Incidents] tbody tr")
        assert row is not None
        assert "the clock was <b>set</b>" in row.text
        assert "_" not in row.select_one("td").text  # type: ignore[union-attr]
    (told,) = admin.get("/heartbeats.json").json["incidents"]  # type: ignore[index]
    assert (told["kind"], told["host"], told["data"]) == (kind, "db1", {"seconds": 60})


def _begin(db: Database, host: str) -> None:
    scheduler = Scheduler(
        incarnation=f"{host}.home", user="ann", host=host, environment="production", session_id="1", version="0.1.0",
        pid=7, start_ticks=5, boot_id="boot", started_at=clock.now(), beat_at=clock.now(), load=1.25,
    )  # fmt: skip
    heartbeats.begin(db, scheduler)


def test_of_several_schedulers_the_leader_is_named_and_of_a_single_one_nothing_is_said(
    admin: Person, db: Database
) -> None:
    _begin(db, "west")
    assert "Leader" not in admin.see("/heartbeats").select_one(".wb-cards").text  # type: ignore[union-attr]
    _begin(db, "east")

    cards = {card.select_one("h2").text: card.text for card in admin.see("/heartbeats").select(".wb-card")}  # type: ignore[union-attr]

    # The embedded database is of one machine, on which the newest leads; elsewhere one leads until its lease has ended.
    leader, other = ("east", "west") if db.is_sqlite else ("west", "east")
    assert "Leader" in cards[f"ann@{leader}"] and "Leader" not in cards[f"ann@{other}"]
    assert "1.25" in cards["ann@west"]
    twin = admin.get("/heartbeats.json").json["heartbeats"]  # type: ignore[index]
    items = admin.get("/api/v2/heartbeats").json["items"]  # type: ignore[index]
    for found in (twin, items):
        told = {one["host"]: (one["leads"], one["load_average"]) for one in found}
        assert told == {leader: (True, 1.25), other: (False, 1.25)}


def test_the_panel_tells_what_happened_lately(admin: Person, db: Database) -> None:
    happen(db, "suspended", hours=2)
    happen(db, "clock_set_back", hours=30)

    panel = admin.see("/").select_one(".wb-main .wb-panel__lately")

    assert panel is not None
    assert "machine asleep" in panel.text
    assert "clock set back" not in panel.text


@pytest.mark.parametrize("trouble", list(DatabaseTrouble))
def test_a_database_in_trouble_stands_on_every_page(
    admin: Person, db: Database, monkeypatch: pytest.MonkeyPatch, trouble: DatabaseTrouble
) -> None:
    status = SchedulerStatus(SchedulerState.RUNNING, "It runs.", tick_age=0.25)
    sick = Health(is_well=False, scheduler=status, trouble=trouble, sentences=("The disk is full.",))
    assert admin.see("/tasks").select_one("[data-live-part=health-bar]").text.strip() == ""  # type: ignore[union-attr]

    monkeypatch.setattr(current, "health", lambda: sick)

    for path in ("/tasks", "/scheduler/panel"):
        bar = admin.see(path).select_one("[data-live-part=health-bar] .wb-alarm--stalled")
        assert bar is not None
        assert "The disk is full." in bar.text


def test_the_task_says_how_long_its_runs_are_kept(admin: Person, db: Database) -> None:
    own = add_task(db, "own", keep_days=7, keep_runs=1)
    other = add_task(db, "other")

    assert "7 days" in admin.see(f"/tasks/{own.id}").select_one("#decisions").text  # type: ignore[union-attr]
    decisions = admin.see(f"/tasks/{other.id}").select_one("#decisions")
    assert decisions is not None
    assert "90 days, as the server's settings say" in decisions.text
    assert "the newest 10,000, as the server's settings say" in decisions.text
    assert "Empty: 90, the server's setting." in admin.see("/tasks/new").text


def test_a_run_that_was_deleted_says_so(admin: Person, db: Database) -> None:
    task = add_task(db)
    old, _ = add_run(db, task, RunState.SUCCEEDED), add_run(db, task, RunState.SUCCEEDED)
    with db.write() as session:
        session.connection().exec_driver_sql(f"DELETE FROM run_event WHERE run_id = {old.id}")
        session.connection().exec_driver_sql(f"DELETE FROM run WHERE id = {old.id}")

    for path in ("", "/output?offset=0", "/download/stdout"):
        answer = admin.get(f"/runs/{old.id}{path}")
        assert answer.status_code == 410
        assert "has been deleted: runs are kept for a time" in answer.text
    assert admin.get("/runs/999").status_code == 404
