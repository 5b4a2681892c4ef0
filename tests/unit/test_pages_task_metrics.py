"""The page of a task's metrics: the band, what left it, what came with a revision, and both sides of any moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import DEFAULTS, add_task
from tests.unit.run_rows import add_execution
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import tasks
from watchbell.services.judgements import Judge
from watchbell.store import samples
from watchbell.store.session import Database
from watchbell.store.tasks import Task


@pytest.fixture
def task(db: Database) -> Task:
    """Give a task that took 20 s, once 90 s, and 30 s since its second revision; another one ran beside it."""
    made = add_task(db, "nightly")
    for number in range(40):
        if number == 25:
            changes = {"command": "sleep 30"}
            made = tasks.update(db, made.id, changes, now=clock.now(), actor="ann", defaults=DEFAULTS)
        seconds = 90.0 if number == 20 else 20.0 + number % 3 if number < 25 else 30.0 + number % 3
        run = add_execution(db, made, seconds, hours_ago=80 - 2 * number)
        with db.write() as session:
            if number == 20:
                Judge().judge(session, samples.list_measured_by_id(session, [run]))
    add_execution(db, add_task(db, "other"), 3)
    return made


def words(person: Person, address: str, place: str = "main") -> str:
    found = person.see(address).select_one(place)
    assert found is not None
    return " ".join(found.get_text(" ").split())


def test_it_opens_with_what_changed_and_since_when(admin: Person, task: Task) -> None:
    answer = words(admin, f"/tasks/{task.id}/metrics", ".wb-answer")

    assert "Execution time of 40 runs: usually 22s." in answer
    assert "Worse: the last 5 runs average" in answer or "Much worse: the last 5 runs average" in answer
    assert "Since revision 2 48 % more: usually 31s, after 21s." in answer
    assert "what was changed" in words(admin, f"/tasks/{task.id}/metrics", "#drift")


def test_the_band_lies_behind_the_values_and_revisions_divide_them(admin: Person, task: Task) -> None:
    page = admin.see(f"/tasks/{task.id}/metrics")

    assert page.select_one("rect.wb-durations__band") is not None
    assert [edge.text for edge in page.select("line.wb-trend__edge title")] == ["revision 2"]
    assert "Usual for the next run:" in page.select_one("#trend").text  # type: ignore[union-attr]
    assert "nightly" not in page.select_one("#trend table").text  # type: ignore[union-attr]


def test_before_and_after_are_those_of_the_newest_revision_unless_another_place_is_named(
    admin: Person, task: Task
) -> None:
    told = words(admin, f"/tasks/{task.id}/metrics", "#compare")
    assert "Clearly more: the median is 48 % higher." in told
    assert "Before revision 2" in told
    assert "Runs 25 15" in told

    moment = (clock.now() - timedelta(hours=61)).isoformat(timespec="minutes").replace("+", "%2B")
    told = words(admin, f"/tasks/{task.id}/metrics?moment={moment}", "#compare")
    assert "Runs 10 30" in told

    ago = (clock.now() - timedelta(days=20)).isoformat(timespec="minutes").replace("+", "%2B")
    assert "One of both sides has no run" in words(admin, f"/tasks/{task.id}/metrics?moment={ago}", "#compare")
    assert "One of both sides has no run" in words(admin, f"/tasks/{task.id}/metrics?revision=9", "#compare")


def test_what_was_unusual_is_listed_and_marked_as_expected_from_there(admin: Person, task: Task) -> None:
    address = f"/tasks/{task.id}/metrics"
    told = words(admin, address, "#unusual tbody")
    assert "slow" in told
    assert "took 1m 30s; usually" in told
    (form,) = admin.see(address).select("#unusual form")

    answer = admin.post(str(form["action"]), {"back": "metrics"})

    assert answer.headers["Location"] == f"{address}#unusual"
    assert "slow, expected" in words(admin, address, "#unusual tbody").replace(" ,", ",")
    marks = [title.text for title in admin.see(address).select("a.wb-duration.wb-tone-missed title")]
    assert not [title for title in marks if "1m 30s" in title]


def test_who_only_looks_sees_all_and_is_not_asked(enter: Enter, task: Task) -> None:
    assert enter("viewer").see(f"/tasks/{task.id}/metrics").select("#unusual form") == []


def test_the_twins_hold_the_runs_of_this_task_alone(admin: Person, task: Task) -> None:
    assert {row["task"] for row in admin.get(f"/tasks/{task.id}/metrics.json").json or ()} == {"nightly"}
    assert len(admin.get(f"/tasks/{task.id}/metrics.csv?range=24h").text.splitlines()) == 12


def test_without_runs_it_says_so_and_without_a_task_there_is_no_page(admin: Person, db: Database) -> None:
    fresh = add_task(db, "fresh")

    page = admin.see(f"/tasks/{fresh.id}/metrics")
    assert "No run of this task was due then" in page.text
    for suffix in ("", ".csv", ".json"):
        assert admin.get(f"/tasks/999/metrics{suffix}").status_code == 404
        assert admin.get(f"/tasks/{fresh.id}/metrics{suffix}?range=x").status_code == 422
    add_execution(db, fresh, 3)
    assert "One of both sides" in admin.see(f"/tasks/{fresh.id}/metrics").text
    assert admin.get(f"/tasks/{fresh.id}/metrics?moment=x").status_code == 422


def test_the_page_of_the_task_leads_there(admin: Person, task: Task) -> None:
    assert admin.see(f"/tasks/{task.id}").select_one(f'a[href="/tasks/{task.id}/metrics"]') is not None
