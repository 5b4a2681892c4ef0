"""A reader of German meets no English of the ledger on a page, and a program meets nothing else."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.store.runs import Run
from watchbell.store.session import Database

REASON = "overlap: run #12 is still running; policy: skip on overlap"
GERMAN = "Überschneidung: Lauf #12 ist noch nicht zu Ende (läuft); Regel: bei Überschneidung auslassen"


@pytest.fixture
def reader(admin: Person) -> Person:
    """Return somebody who has chosen German."""
    admin.post("/language", {"language": "de"})
    return admin


@pytest.fixture
def skipped(db: Database) -> Run:
    return add_run(db, add_task(db), RunState.SKIPPED, reason=REASON)


def test_reasons_stand_in_german_on_pages_and_in_english_beside_them(reader: Person, skipped: Run) -> None:
    for path in ("/runs", f"/runs/{skipped.id}", f"/tasks/{skipped.task_id}", "/search?q=overlap"):
        text = " ".join(reader.see(path).text.split())
        assert GERMAN in text, path
        assert REASON not in text, path

    assert REASON in reader.get("/runs.csv").text
    assert reader.get("/runs.json").json[0]["reason"] == REASON  # type: ignore[index]


def test_what_is_wrong_with_a_field_is_told_in_german(reader: Person) -> None:
    page = reader.see("/tasks/preview?kind=cron&cron=61+*+*+*+*&zone=UTC")

    assert "Minute: 61 liegt nicht zwischen 0 und 59." in page.text
    assert "not between" not in page.text


def test_pages_of_errors_are_told_in_german(reader: Person) -> None:
    answer = reader.get("/runs/4711")
    assert answer.status_code == 404
    assert "Einen Lauf 4711 gibt es nicht." in answer.text

    answer = reader.get("/tasks?order=command")
    assert answer.status_code == 422
    assert "nach der Spalte command lässt sich nicht sortieren" in answer.text
    assert reader.get("/api/v2/runs/4711").json["detail"] == "There is no run 4711."  # type: ignore[index]


def test_the_audit_tells_deeds_in_german_and_calls_them_by_their_names_to_programs(
    reader: Person, db: Database
) -> None:
    add_task(db, "nightly")

    cell = reader.see("/audit").select_one("span[title='task.create']")

    assert cell is not None
    assert cell.text == "Aufgabe angelegt"
    assert "task.create" in reader.get("/audit.csv").text


def test_a_strip_drawn_for_one_is_drawn_anew_in_the_words_and_the_zone_of_another(admin: Person, db: Database) -> None:
    add_run(db, add_task(db), RunState.FAILED, started_at=NOW)

    def hover() -> str:
        return admin.see("/tasks").select_one(".wb-strip title").text  # type: ignore[union-attr]

    first = hover()
    admin.post("/settings/zone", {"choice": "picked", "zone": "Asia/Kathmandu"})
    elsewhere = hover()
    admin.post("/language", {"language": "de"})

    assert " failed in <1s" in first and "+0545" in elsewhere and " fehlgeschlagen " in hover()


def test_thousands_stand_apart_as_the_language_has_them(reader: Person, db: Database) -> None:
    add_task(db, memory_limit_mib=1_500)

    page = reader.see("/tasks/1")

    assert "1\N{NARROW NO-BREAK SPACE}500" in page.text
    reader.post("/language", {"language": "en"})
    assert "1,500" in reader.see("/tasks/1").text


def test_the_list_says_why_a_task_is_not_due_by_itself(admin: Person, db: Database) -> None:
    add_task(db, "first")
    add_task(db, "second", after="first")

    def nexts() -> list[str]:
        return [cell.text for cell in admin.see("/tasks").select("td:nth-child(4)")]

    assert nexts() == ["by hand", "after other tasks"]
    admin.post("/language", {"language": "de"})
    assert nexts() == ["von Hand", "nach anderen Aufgaben"]
