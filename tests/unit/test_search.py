"""Searching everything: which words find what, what is marked, and how far outputs are looked through."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output
from watchbell.domain import searching
from watchbell.domain.run_state import RunState
from watchbell.services import search, tasks
from watchbell.services.search import Budget
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task


def wrote(db: Database, task: Task, content: bytes, stream: str = "stdout", **values: object) -> Run:
    """Make a run of a task that has written something."""
    run = add_run(db, task, RunState.SUCCEEDED, started_at=NOW, attempts=1)
    add_output(db, add_attempt(db, run), content, stream, **values)
    return run


def names(found: search.Found) -> list[str]:
    return [row.name for row in found.rows]


def test_a_task_is_found_by_each_thing_that_it_says(db: Database) -> None:
    add_task(
        db,
        "nightly",
        command="tar czf /srv/home.tgz",
        tags=["backup"],
        comment="Ask Ann",
        cron="30 2 * * *",
        zone="UTC",
    )
    add_task(db, "other")

    for text in ("NIGHT", "home.tgz", "backup", "ask", "02:30", "nightly backup ann"):
        assert names(search.find_tasks(db, text, limit=10)) == ["nightly"], text
    assert names(search.find_tasks(db, "nightly other", limit=10)) == []
    assert names(search.find_tasks(db, " ", limit=10)) == []
    assert names(search.find_tasks(db, "%", limit=10)) == []


def test_a_task_that_is_called_so_comes_before_those_that_only_mention_it(db: Database) -> None:
    add_task(db, "a-mention", command="sync everything")
    add_task(db, "my-sync")
    add_task(db, "sync-files")
    add_task(db, "sync")

    found = search.find_tasks(db, "sync", limit=3)

    assert names(found) == ["sync", "sync-files", "my-sync"]
    assert found.has_more


def test_a_deleted_task_is_not_found_but_its_runs_are(db: Database) -> None:
    task = add_task(db, "gone")
    run = add_run(db, task, RunState.FAILED, reason="exit code 3")
    tasks.delete(db, task.id, now=NOW, actor="ann")

    assert names(search.find_tasks(db, "gone", limit=10)) == []
    assert [row.id for row in search.find_runs(db, "gone", limit=10).rows] == [run.id]


def test_a_run_is_found_by_its_number_its_task_and_its_reason(db: Database) -> None:
    first = add_run(db, add_task(db, "backup"), RunState.FAILED, reason="the disk is full")
    second = add_run(db, add_task(db, "report"), RunState.SUCCEEDED, reason=f"after #{first.id}")

    for text, ids in (
        (f"#{first.id}", [first.id]),
        (str(first.id), [first.id, second.id]),
        ("disk backup", [first.id]),
        ("report", [second.id]),
        ("#99999", []),
    ):
        assert [row.id for row in search.find_runs(db, text, limit=10).rows] == ids, text


def test_a_line_of_an_output_is_found_with_its_number_and_stream(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    wrote(db, task, b"nothing here\n")
    run = wrote(db, task, b"one\nNo Space left on device\nno room\nspace, but no more\n", "stderr")

    found = search.find_outputs(db, tmp_path, "space no")

    (hit,) = found.hits
    assert (hit.run.id, hit.stream) == (run.id, "stderr")
    assert [(line.number, line.text) for line in hit.lines] == [
        (2, "No Space left on device"),
        (4, "space, but no more"),
    ]
    assert (found.looked_at, found.further) == (2, None)


def test_lines_behind_what_was_dropped_have_the_numbers_of_the_page(db: Database, tmp_path: Path) -> None:
    content = b"a\nb\nhalf" + b"of a line\nfound\n"
    wrote(db, add_task(db), content, size=len(content) + 500, head_size=8, dropped=500)

    (hit,) = search.find_outputs(db, tmp_path, "found").hits

    assert [line.number for line in hit.lines] == [5]


def test_an_output_in_a_file_and_one_that_goes_on_are_looked_at(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    (tmp_path / "kept").write_bytes(b"x\n" * 40_000 + b"needle\n")
    wrote(db, task, None, size=80_007, head_size=80_007, file="kept")  # type: ignore[arg-type]
    going = add_run(db, task, RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, going, folder=str(tmp_path / "1.1"), ended=False)
    (tmp_path / "1.1.out").write_bytes(b"a needle, too")

    found = search.find_outputs(db, tmp_path, "needle")

    assert [[line.number for line in hit.lines] for hit in found.hits] == [[1], [40_001]]


def test_a_search_ends_when_its_bytes_are_used_up_and_goes_on_from_there(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    runs = [wrote(db, task, b"needle " + b"x" * 993) for _ in range(5)]

    first = search.find_outputs(db, tmp_path, "needle", budget=Budget(bytes=2000))
    assert first.further is not None
    rest = search.find_outputs(db, tmp_path, "needle", below=first.further)

    assert [hit.run.id for hit in (*first.hits, *rest.hits)] == [run.id for run in reversed(runs)]
    assert (first.looked_at, first.read_bytes, rest.further) == (2, 2000, None)


def test_a_search_ends_when_its_time_is_over(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    for _ in range(3):
        wrote(db, task, b"text")

    found = search.find_outputs(db, tmp_path, "needle", budget=Budget(seconds=0))

    assert found.looked_at == 1
    assert found.further is not None


def test_of_a_very_long_output_the_beginning_is_looked_at_and_that_is_told(db: Database, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"needle\n" + b"x" * (3 * 1024 * 1024) + b"\nneedle")
    size = (tmp_path / "kept").stat().st_size
    wrote(db, add_task(db), None, size=size, head_size=size, file="kept")  # type: ignore[arg-type]

    found = search.find_outputs(db, tmp_path, "needle")

    assert [len(hit.lines) for hit in found.hits] == [1]
    assert found.cut == 1


def test_two_people_do_not_search_outputs_at_once(db: Database, tmp_path: Path) -> None:
    wrote(db, add_task(db), b"needle")
    with search._TURN:
        assert search.find_outputs(db, tmp_path, "needle", budget=Budget(patience=0)).is_busy
    assert search.find_outputs(db, tmp_path, "needle").hits


def test_runs_that_never_began_are_passed_by(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    run = wrote(db, task, b"needle")
    for minute in range(250):
        add_run(db, task, RunState.SKIPPED, due_at=NOW + timedelta(minutes=minute))

    found = search.find_outputs(db, tmp_path, "needle", budget=Budget(seconds=20, processor=20))

    assert [hit.run.id for hit in found.hits] == [run.id]


@pytest.mark.parametrize(
    ("text", "words", "pieces"),
    [
        ("backup-db", "back", [("back", True), ("up-db", False)]),
        ("a <b> A", "a", [("a", True), (" <b> ", False), ("A", True)]),
        ("backup", "back backup", [("backup", True)]),
        ("(x)", "(", [("(", True), ("x)", False)]),
        ("none", "other", [("none", False)]),
        ("", "x", []),
    ],
)
def test_what_was_found_is_marked(text: str, words: str, pieces: list[tuple[str, bool]]) -> None:
    assert searching.marked(text, searching.words_of(words)) == pieces


def test_a_line_that_is_found_is_shown_as_plain_text_around_the_word() -> None:
    line = b"\x1b[31m" + b"x" * 300 + b" needle \x1b[0m\x00 " + "€".encode() * 300
    (hit,) = searching.find_lines(line, b"", ("needle",))

    assert hit.text.startswith("… ")
    assert hit.text.endswith(" …")
    assert "needle" in hit.text
    assert "\x1b" not in hit.text
    assert len(hit.text) < 200


def test_a_line_that_was_written_over_is_found_and_shown_with_what_it_said_before() -> None:
    progress = b"10 %\r50 %\rdone\r\n"

    for words in (("done",), ("50",)):
        assert [hit.text for hit in searching.find_lines(progress, b"", words)] == ["10 %␍50 %␍done"]


@pytest.mark.parametrize(
    ("text", "number"), [("4711", 4711), ("#4711", 4711), (" #1 ", 1), ("47 11", None), ("x1", None), ("#", None)]
)
def test_a_number_means_a_run(text: str, number: int | None) -> None:
    assert searching.run_number(text) == number
