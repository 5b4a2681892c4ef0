from __future__ import annotations

from pathlib import Path

import pytest

from tests.database import add_run, add_task
from tests.unit.run_rows import add_attempt, add_output, finished
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.services import output_search
from watchbell.services.streams import Stream
from watchbell.store.session import Database


def stream_of(db: Database, run_id: int) -> Stream:
    return Stream(db, Path("/nowhere"), run_id, "stdout")


def found(db: Database, content: bytes, words: str, **values: object) -> list[tuple[int, str]]:
    run = finished(db, content, **values)
    return [(line.number, line.text) for line in output_search.find(stream_of(db, run.id), "stdout", words).lines]


@pytest.mark.parametrize(
    ("content", "words", "lines"),
    [
        (b"one\nTwo\nthree two", "two", [(2, "Two"), (3, "three two")]),
        (b"\x1b[31mre\x1b[0md\r\nother\r\n", "red", [(1, "red")]),
        (b"a\n\n\nb", "b", [(4, "b")]),
        (b"\xff\xfe x\n", "\ufffd x", [(1, "\ufffd\ufffd x")]),
        (b"<script>\n", "<SCRIPT", [(1, "<script>")]),
        ("Straße".encode(), "STRASSE", [(1, "Straße")]),
        (b"", "x", []),
        (b"nothing", "else", []),
    ],
)
def test_lines_are_found_as_they_are_seen(
    db: Database, content: bytes, words: str, lines: list[tuple[int, str]]
) -> None:
    assert found(db, content, words) == lines


def test_numbers_go_on_behind_what_was_dropped_as_they_do_on_the_page(db: Database) -> None:
    assert found(db, b"one\nhatail\nneedle\n", "needle", size=1018, head_size=6, dropped=1000) == [(4, "needle")]


def test_more_lines_than_are_listed_are_counted_and_a_long_one_is_cut_around_the_hit(db: Database) -> None:
    run = finished(db, b"needle\n" * 1000 + b"x" * 5000 + b"needle" + b"y" * 5000)

    result = output_search.find(stream_of(db, run.id), "stdout", "needle", most_lines=10)

    assert (len(result.lines), result.total, result.left) == (10, 1001, 0)
    long = output_search.find(stream_of(db, run.id), "stdout", "xneedle").lines[0].text
    assert "xneedley" in long
    assert len(long) < 400


def test_what_lies_behind_the_bound_is_told_and_not_looked_through(db: Database) -> None:
    run = finished(db, b"needle\n" + b"x" * 1000 + b"\nneedle\n")

    assert output_search.find(stream_of(db, run.id), "stdout", "needle", most_bytes=1).left == 0
    assert [line.number for line in output_search.lines_around(stream_of(db, run.id), 3, reach=1)] == [2, 3]
    assert output_search.lines_around(stream_of(db, run.id), 30) == ()


def test_the_page_lists_the_lines_with_links_and_shows_the_one_that_is_followed(admin: Person, db: Database) -> None:
    run = finished(db, b"".join(b"row %d <b>\n" % n for n in range(1, 101)))

    page = admin.see(f"/runs/{run.id}?find=ROW+9")

    assert "11 lines of stdout have “ROW 9”." in page.text
    link = page.select(".wb-hits__lines a")[3]
    assert link["href"] == f"/runs/{run.id}?stream=stdout&find=ROW+9&line=92#L92"
    followed = admin.see(str(link["href"]))
    assert followed.select_one("#L92.wb-line--marked .wb-line__text").text == "row 92 <b>"  # type: ignore[union-attr]
    assert len(followed.select("pre .wb-line")) == 29


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "%s %(x)s {{ 7*7 }}", "\u202e", "((((", "'\"&"])
def test_hostile_words_are_looked_for_as_they_are(admin: Person, db: Database, words: str) -> None:
    run = finished(db, f"see {words}\n".encode())

    page = admin.get(f"/runs/{run.id}", query_string={"find": words})

    assert page.status_code == 200
    assert "1 line of stdout has" in page.text
    assert "<script>alert" not in page.text


def test_a_search_in_an_output_that_is_gone_finds_nothing_and_breaks_nothing(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED, attempts=1)
    add_output(db, add_attempt(db, run), None, size=5)

    assert admin.get(f"/runs/{run.id}?find=x&line=3").status_code == 200
