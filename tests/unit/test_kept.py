"""What is answered again while the database stands still, and only then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask import Flask

from tests.api_fixtures import Program
from tests.database import add_run, add_task, url_of
from watchbell.domain.run_state import RunState
from watchbell.services import runs
from watchbell.store import history
from watchbell.store.session import Database
from watchbell.store.stillness import Stillness
from watchbell.web import kept
from watchbell.web.kept import Kept


@pytest.fixture(autouse=True)
def on_this_database(app: Flask, database_file: Path) -> None:
    app.extensions["watchbell.kept"] = Kept(Stillness(url_of(database_file)))


def test_the_mark_changes_with_every_commit_and_with_nothing_else(db: Database, database_file: Path) -> None:
    stillness = Stillness(url_of(database_file))
    first = stillness.mark()
    with db.read() as session:
        history.list_runs(session)

    assert stillness.mark() == first is not None
    task = add_task(db)
    second = stillness.mark()
    add_run(db, task)
    assert len({first, second, stillness.mark()}) == 3


def test_a_file_that_takes_the_place_of_the_database_has_a_mark_of_its_own(db: Database, database_file: Path) -> None:
    stillness = Stillness(url_of(database_file))
    first = stillness.mark()
    other = database_file.with_name("other.db")
    shutil.copyfile(database_file, other)

    other.rename(database_file)

    assert stillness.mark() != first


def test_a_database_that_is_gone_has_no_mark(database_file: Path) -> None:
    stillness = Stillness(url_of(database_file))
    assert stillness.mark() is not None

    database_file.rename(database_file.with_name("moved.db"))

    assert stillness.mark() is None


def test_a_list_is_made_once_until_something_changes(program: Program, db: Database, monkeypatch) -> None:
    made: list[int] = []
    make = runs.list_page_rows

    def count(*arguments: object, **options: object) -> object:
        made.append(1)
        return make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "list_page_rows", count)
    task = add_task(db)
    answers = [program.call("GET", "/api/v2/runs") for _ in range(3)]

    assert len(made) == 1
    assert len({(answer.text, answer.headers["ETag"], answer.headers.get("Link")) for answer in answers}) == 1
    run = add_run(db, task, RunState.FAILED)
    assert [row["id"] for row in program.get("/api/v2/runs")["items"]] == [run.id]
    assert program.get("/api/v2/runs?state=succeeded")["items"] == []
    assert len(made) == 3


def test_what_is_told_from_now_is_found_anew(program: Program, app: Flask) -> None:
    program.get("/api/v2/runs?since=24h")

    assert not [key for key in app.extensions["watchbell.kept"]._found if "since" in str(key)]


def test_only_so_much_is_kept(app: Flask) -> None:
    found = app.extensions["watchbell.kept"]
    mark = found.mark()
    assert mark is not None
    for number in range(200):
        found.recall(number, mark, lambda number=number: number)

    assert len(found._found) == kept._MOST
    assert found.recall(199, mark, lambda: -1) == 199
    assert found.recall(0, mark, lambda: -1) == -1
