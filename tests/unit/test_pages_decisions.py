"""Deciding about a run of which nobody knows whether it ran, and what else its page says of retries and queues."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import add_run, add_task
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import queues, runs
from watchbell.store.session import Database


def lost(db: Database, name: str = "backup") -> int:
    task = add_task(db, name, uncertain="ask")
    return add_run(db, task, RunState.LOST, decision="open", reason="nobody knows").id


def test_an_open_decision_is_asked_for_everywhere(admin: Person, db: Database) -> None:
    number = lost(db)

    overview, listed, page = admin.see("/"), admin.see("/runs?decision=open"), admin.see(f"/runs/{number}")

    assert "1 lost run waits for your decision." in overview.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert f"Decide about #{number}" in overview.select_one("#decisions").text  # type: ignore[union-attr]
    assert admin.get("/overview.json").json["open_decisions"] == 1  # type: ignore[index]
    assert [row["id"] for row in listed.select("tbody tr")] == [f"run-{number}"]
    assert "1 run that waits for a decision." in listed.select_one(".wb-answer").text  # type: ignore[union-attr]
    card = page.select_one("#decision")
    assert card is not None
    assert [button.text for button in card.select("button")] == ["Run it again", "Leave it"]
    assert all(form.has_attr("data-confirm") for form in card.select("form"))


def test_nothing_is_asked_where_nothing_is_open(admin: Person, db: Database) -> None:
    number = add_run(db, add_task(db), RunState.LOST).id

    assert admin.see(f"/runs/{number}").select_one("#decision") is None
    assert admin.see("/").select_one("#decisions") is None
    assert admin.see("/runs").find(string="to decide") is None


def test_running_it_again_links_the_two_runs(admin: Person, db: Database) -> None:
    number = lost(db)

    answer = admin.post(f"/runs/{number}/decide", {"choice": "run_again"})

    made = int(answer.headers["Location"].rpartition("/")[2])
    assert made != number
    before, after = admin.see(f"/runs/{number}"), admin.see(f"/runs/{made}")
    assert before.select_one("#decision") is None
    assert "decided to run it again" in before.text
    assert before.select_one(f"[data-live-part=run-decision] a[href='/runs/{made}']") is not None
    assert after.select_one(f".wb-run-head a[href='/runs/{number}']") is not None


def test_leaving_it_makes_no_run_and_ends_the_question(admin: Person, db: Database) -> None:
    number = lost(db)

    answer = admin.post(f"/runs/{number}/decide", {"choice": "leave"})

    assert answer.headers["Location"].endswith(f"/runs/{number}")
    assert runs.list_page(db).filtered == 1
    page = admin.see(f"/runs/{number}")
    assert "decided to leave it" in page.text
    assert page.select_one("#decision") is None


def test_the_second_to_decide_is_told_so(admin: Person, db: Database) -> None:
    number = lost(db)
    admin.post(f"/runs/{number}/decide", {"choice": "leave"})

    answer = admin.post(f"/runs/{number}/decide", {"choice": "run_again"}, follow_redirects=True)

    assert "has been left as it is already." in answer.text
    assert runs.list_page(db).filtered == 1


@pytest.mark.parametrize("choice", ["", "perhaps"])
def test_there_are_two_choices(admin: Person, db: Database, choice: str) -> None:
    assert admin.post(f"/runs/{lost(db)}/decide", {"choice": choice}).status_code == 422


def test_a_viewer_does_not_decide(enter: Enter, db: Database) -> None:
    assert enter("viewer").post(f"/runs/{lost(db)}/decide", {"choice": "leave"}).status_code == 403


def test_the_filter_goes_with_the_others(admin: Person, db: Database) -> None:
    first, second = lost(db, "backup"), lost(db, "report")

    def found(query: str) -> list[str]:
        return [str(row["id"]) for row in admin.see(f"/runs?decision=open{query}").select("tbody tr")]

    assert found("") == [f"run-{second}", f"run-{first}"]
    assert found("&task=backup") == [f"run-{first}"]
    assert found("&q=report") == [f"run-{second}"]
    assert found("&state=failed") == []
    assert admin.get("/runs?decision=maybe").status_code == 422


def test_a_waiting_run_says_where_it_waits_and_until_when(admin: Person, db: Database) -> None:
    task = add_task(db, queue="database")
    number = add_run(
        db, task, RunState.QUEUED, queue="database", priority=7, start_by=clock.now() + timedelta(minutes=5)
    ).id

    head = admin.see(f"/runs/{number}").select_one("[data-live-part=run-head]")

    assert head is not None
    assert "Waits in queue database with priority 7; given up at" in head.text
    assert queues.list_all(db, now=clock.now())[0].name == "database"


def test_a_run_between_two_attempts_says_which_comes_when(admin: Person, db: Database) -> None:
    task = add_task(db, retries=3)
    number = add_run(db, task, RunState.RETRY_WAIT, attempts=1, retry_at=clock.now() + timedelta(seconds=30)).id

    head = admin.see(f"/runs/{number}").select_one("[data-live-part=run-head]")

    assert head is not None
    assert "attempt 1 of 4" in head.text
    assert "Next attempt in" in head.text
