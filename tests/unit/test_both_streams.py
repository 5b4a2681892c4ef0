"""Both streams of a run as one text: in the order of time where it is known, and never a byte twice or left out."""

from __future__ import annotations

import itertools
import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.execution.order import Mark, encode_marks
from watchbell.services.both_streams import BothStreams, Place, Together, Window
from watchbell.store.runs import Run
from watchbell.store.session import Database

_numbers = itertools.count()
OUT, ERR = b"one\ntwo\nthree\n", b"bad\nworse\n"
MARKS = [Mark(0, 10, 4, 0), Mark(10, 20, 4, 4), Mark(20, 30, 8, 4), Mark(30, 45, 14, 10)]


def ended(db: Database, out: bytes = OUT, err: bytes = ERR, marks: list[Mark] | None = None, **values: object) -> Run:
    run = add_run(
        db, add_task(db, f"task {next(_numbers)}"), RunState.SUCCEEDED, started_at=NOW, attempts=1, exit_code=0
    )
    attempt = add_attempt(db, run, exit_code=0)
    for stream, content in (("stdout", out), ("stderr", err), ("order", encode_marks(marks or []))):
        if content:
            add_output(db, attempt, content, stream, **(values if stream == "stdout" else {}))
    return run


def going(db: Database, folder: Path, out: bytes, err: bytes, marks: list[Mark]) -> Run:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder=str(folder / "1.1"), ended=False)
    for name, content in (("out", out), ("err", err), ("order", encode_marks(marks))):
        (folder / f"1.1.{name}").write_bytes(content)
        os.utime(folder / f"1.1.{name}", (NOW.timestamp(), NOW.timestamp()))
    return run


def read(
    db: Database, run: Run, place: Place = Place(), limit: int = 1 << 20, late: float = 0, window: Window | None = None
) -> Together | None:
    both = BothStreams(db, Path("/nowhere"), run.id, part=window)
    return both.read(place, limit, now=NOW + timedelta(seconds=late))


def told(found: Together | None) -> list[tuple[str, bytes]]:
    assert found is not None
    return [(piece.stream, piece.data) for piece in found.pieces]


def test_pieces_come_in_the_order_of_the_marks(db: Database) -> None:
    found = read(db, ended(db, marks=MARKS))

    assert told(found) == [
        ("stdout", b"one\n"),
        ("stderr", b"bad\n"),
        ("stdout", b"two\n"),
        ("stdout", b"three\n"),
        ("stderr", b"worse\n"),
    ]
    assert found is not None
    assert (found.place, found.is_complete, found.has_more) == (Place(14, 10), True, False)


def test_a_run_whose_order_is_not_known_is_told_from_one_that_used_one_stream(db: Database) -> None:
    assert read(db, ended(db)) is None
    assert told(read(db, ended(db, err=b""))) == [("stdout", OUT)]
    assert told(read(db, ended(db, out=b""))) == [("stderr", ERR)]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_whatever_the_size_of_an_answer_every_byte_comes_once(db: Database, limit: int) -> None:
    run = ended(
        db,
        "zwölf\nδύω".encode() * 3,
        "ä\n€\n\U0001f514".encode() * 4,
        marks=[Mark(0, 5, 9, 0), Mark(5, 9, 9, 13), Mark(9, 20, 20, 20)],
    )
    both: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    place = Place()
    for _ in range(500):
        found = read(db, run, place, limit)
        assert found is not None
        for piece in found.pieces:
            both[piece.stream] += piece.data
        place = found.place
        if not found.has_more:
            break

    assert both == {"stdout": "zwölf\nδύω".encode() * 3, "stderr": "ä\n€\n\U0001f514".encode() * 4}


def test_a_line_is_not_torn_by_what_the_other_stream_says_meanwhile(db: Database) -> None:
    run = ended(db, b"half a line\n", b"bad\n", marks=[Mark(0, 10, 4, 0), Mark(10, 20, 4, 4), Mark(20, 30, 12, 4)])

    assert told(read(db, run)) == [("stderr", b"bad\n"), ("stdout", b"half a line\n")]


def test_what_is_dropped_is_counted_where_it_is_missing(db: Database) -> None:
    run = ended(
        db,
        b"headtail",
        b"bad\n",
        marks=[Mark(0, 10, 4, 0), Mark(10, 20, 500, 4), Mark(20, 30, 1008, 4)],
        size=1008,
        head_size=4,
        dropped=1000,
    )

    found = read(db, run)

    assert found is not None
    assert sum(piece.dropped_before + piece.dropped_behind for piece in found.pieces) == 1000
    assert b"".join(piece.data for piece in found.pieces if piece.stream == "stdout") == b"headtail"
    assert found.place == Place(1008, 4)


def test_while_it_runs_what_is_not_noted_yet_waits_for_the_next_look_but_not_for_ever(
    db: Database, tmp_path: Path
) -> None:
    run = going(db, tmp_path, b"one\ntwo\n", b"bad\nworse\n", [Mark(0, 10, 4, 0), Mark(10, 20, 4, 4)])

    assert told(read(db, run)) == [("stdout", b"one\n"), ("stderr", b"bad\n")]
    assert told(read(db, run, late=5))[2:] == [("stdout", b"two\n"), ("stderr", b"worse\n")]


def test_while_one_stream_grows_alone_its_text_is_there_at_once(db: Database, tmp_path: Path) -> None:
    run = going(db, tmp_path, b"one\ntwo\nthr", b"bad\n", [Mark(0, 10, 4, 0), Mark(10, 20, 4, 4)])

    assert told(read(db, run)) == [("stdout", b"one\n"), ("stderr", b"bad\n"), ("stdout", b"two\nthr")]


def test_a_step_shows_its_own_part_in_its_order(db: Database) -> None:
    window = Window(Place(4, 4), (8, 10))

    assert told(read(db, ended(db, marks=MARKS), Place(), window=window)) == [
        ("stdout", b"two\n"),
        ("stderr", b"worse\n"),
    ]


@pytest.mark.parametrize("marks", [[Mark(0, 1, 10**9, 10**9)], [Mark(0, 1, 0, 10**12), Mark(1, 2, 1, 10**12)]])
def test_marks_that_lie_cost_nothing_but_the_order(db: Database, marks: list[Mark]) -> None:
    found = read(db, ended(db, marks=marks))

    assert sorted(stream for stream, _data in told(found)) == ["stderr", "stdout"]
    assert dict(told(found)) == {"stdout": OUT, "stderr": ERR}


def test_the_page_shows_both_and_says_how_exact_the_order_is(admin: Person, db: Database) -> None:
    run = ended(db, b"<b>one</b>\ntwo\n", b"<script>\nx\n", marks=[Mark(0, 10, 11, 0), Mark(10, 32, 15, 11)])

    page = admin.see(f"/runs/{run.id}?stream=both")

    assert page.select_one("[data-output-text]").text == "<b>one</b>\ntwo\n<script>\nx\n"  # type: ignore[union-attr]
    assert not page.select("pre script, pre b")
    assert "of about 22 ms" in page.select_one("[data-output-exact]").text  # type: ignore[union-attr]
    assert [link["href"] for link in page.select("a[download]")] == [
        f"/runs/{run.id}/download/{name}" for name in ("stdout", "stderr")
    ]


def test_a_page_that_goes_on_asking_gets_what_follows_its_place(admin: Person, db: Database) -> None:
    run = ended(db, marks=MARKS)

    first = admin.get(f"/runs/{run.id}/output?stream=both").get_json()
    after = admin.get(f"/runs/{run.id}/output?stream=both&offset=8.4").get_json()

    assert (first["next"], first["done"], len(first["pieces"])) == ("14.10", True, 5)
    assert [piece["text"] for piece in after["pieces"]] == ["three\n", "worse\n"]
    assert first["pieces"][0]["at"] == "at 10 ms"
    assert admin.get(f"/runs/{run.id}/output?stream=both&offset=99999.99999").get_json()["pieces"] == []


@pytest.mark.parametrize("offset", ["x", "1", "1.", "-1.0", "1.2.3", "9" * 30 + ".0", "1.2\n"])
def test_a_place_that_is_none_is_refused(admin: Person, db: Database, offset: str) -> None:
    run = ended(db, marks=MARKS)

    assert admin.get(f"/runs/{run.id}/output", query_string={"stream": "both", "offset": offset}).status_code in {
        200,
        422,
    }
    if offset != "1.2\n":
        assert admin.get(f"/runs/{run.id}/output", query_string={"stream": "both", "offset": offset}).status_code == 422
