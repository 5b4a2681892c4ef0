from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output, finished
from tests.web_fixtures import Person
from watchbell.config import Config
from watchbell.domain.run_state import RunState
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.web.outputs import PAGE_PART, plain_text

HOSTILE = b"\x1b[31mred\x1b[0m <script>alert(1)</script></pre> \x1b]8;;javascript:x\x07link\x1b]8;;\x07 \x1b]52;c;aGk=\x07\x00\xff\xfe\xe2\x82\xac"


def test_output_without_scripts_is_text_and_nothing_else(admin: Person, db: Database) -> None:
    run = finished(db, HOSTILE)

    terminal = admin.see(f"/runs/{run.id}").select_one("[data-output-text]")

    assert terminal is not None
    assert not terminal.select("script, a")
    assert terminal.text == "red <script>alert(1)</script></pre> link \u2400\ufffd\ufffd€"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b[2J\x1b[1;1Hover\x1b[0m", "over"),
        (b"\x1bPq#0;2;0;0;0\x1b\\after", "after"),
        (b"\x1b]0;title\x07x\x1b]2;never ended", "x"),
        (b"a\x08b\x7f", "a\u2408b\u2421"),
        (b"\xc2\x9b31mred", "red"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"one\r\ntwo", "one\ntwo"),
    ],
)
def test_no_escape_sequence_reaches_the_page(data: bytes, text: str) -> None:
    assert plain_text(data) == text


def read_all(admin: Person, run: Run, query: str = "") -> tuple[str, list[dict[str, Any]]]:
    """Read an output as the page's script does."""
    offset, text, answers = 0, "", []
    while True:
        answer = admin.get(f"/runs/{run.id}/output?offset={offset}{query}").get_json()
        answers.append(answer)
        text += answer["text"]
        if answer["next_offset"] == offset:
            return text, answers
        offset = answer["next_offset"]


def test_no_character_is_cut_in_two_between_answers(admin: Person, db: Database, web_config: Config) -> None:
    text = "x" + "€" * 200_000
    web_config.output_path.mkdir()
    (web_config.output_path / "kept").write_bytes(text.encode())
    run = finished(db, None, size=len(text.encode()), head_size=len(text.encode()), file="kept")  # type: ignore[arg-type]

    found, answers = read_all(admin, run)

    assert found == text
    assert len(answers) > 2
    assert answers[-1]["done"]


def test_a_character_whose_end_is_not_written_yet_waits(admin: Person, db: Database, tmp_path: Path) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder=str(tmp_path / "1.1"), ended=False)
    (tmp_path / "1.1.out").write_bytes("a€".encode()[:-1])

    before = admin.get(f"/runs/{run.id}/output?offset=0").get_json()
    (tmp_path / "1.1.out").write_bytes("a€b".encode())
    after = admin.get(f"/runs/{run.id}/output?offset={before['next_offset']}").get_json()

    assert (before["text"], before["next_offset"], before["done"]) == ("a", 1, False)
    assert (after["text"], after["next_offset"]) == ("€b", 5)


def test_bytes_that_were_dropped_are_told_in_place_and_nowhere_in_the_download(admin: Person, db: Database) -> None:
    run = finished(db, b"HEADTAIL", size=1_000_008, head_size=4, dropped=1_000_000)

    page = admin.see(f"/runs/{run.id}").select_one("[data-output-text]")
    text, answers = read_all(admin, run)
    raw = admin.get(f"/runs/{run.id}/download/stdout")

    assert page.text.startswith("HEAD1,000,000 bytes dropped in the middle")  # type: ignore[union-attr]
    assert page.text.endswith("TAIL")  # type: ignore[union-attr]
    assert text == "HEADTAIL"
    assert [(answer["next_offset"], answer["dropped"]) for answer in answers[:2]] == [
        (1_000_004, [4, 1_000_004]),
        (1_000_008, [4, 1_000_004]),
    ]
    assert raw.data == b"HEADTAIL"
    assert (raw.headers["X-Watchbell-Dropped"], raw.headers["X-Watchbell-Size"]) == ("1000000", "1000008")


def test_a_long_output_shows_its_ends_without_scripts(admin: Person, db: Database) -> None:
    content = b"first\n" + b"." * (3 * PAGE_PART) + b"\nlast"
    run = finished(db, content)

    terminal = admin.see(f"/runs/{run.id}").select_one("[data-output-text]").text  # type: ignore[union-attr]

    hidden = len(content) - 2 * PAGE_PART
    assert terminal.startswith("first\n")
    assert terminal.endswith("last")
    assert f"{hidden:,} bytes are not shown here" in terminal


def test_the_download_is_the_bytes_and_no_browser_takes_them_for_a_page(admin: Person, db: Database) -> None:
    content = bytes(range(256)) * 5000
    run = finished(db, content)

    answer = admin.get(f"/runs/{run.id}/download/stdout")

    assert answer.data == content
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=run-{run.id}-stdout.txt"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("file", ["/etc/passwd", "../../etc/passwd", "a/../../x", "link"])
def test_no_row_can_name_a_file_elsewhere(admin: Person, db: Database, web_config: Config, file: str) -> None:
    web_config.output_path.mkdir()
    (web_config.output_path / "link").symlink_to("/etc/passwd")
    run = finished(db, None, size=100, head_size=100, file=file)  # type: ignore[arg-type]

    answer = admin.get(f"/runs/{run.id}/download/stdout")

    assert answer.status_code == 404
    assert b"root:" not in answer.data
    assert "not kept any more" in admin.see(f"/runs/{run.id}").text


@pytest.mark.parametrize("path", ["stream", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "out", "STDOUT"])
def test_only_the_two_streams_can_be_asked_for(admin: Person, db: Database, path: str) -> None:
    run = finished(db, b"x")

    assert admin.get(f"/runs/{run.id}/download/{path}").status_code in {404, 422}
    assert admin.get(f"/runs/{run.id}/output?stream={path}").status_code == 422


def test_a_run_whose_start_has_only_been_decided_has_no_output(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.STARTING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder="", ended=False)

    answer = admin.get(f"/runs/{run.id}/output").get_json()

    assert (answer["text"], answer["size"], answer["done"]) == ("", 0, False)


def test_both_streams_stand_on_one_page_when_asked_for(admin: Person, db: Database) -> None:
    run = finished(db, b"to stdout")
    page = admin.see(f"/runs/{run.id}?stream=both")

    viewers = page.select("[data-output]")
    assert [viewer["data-stream"] for viewer in viewers] == ["both"]
    assert "to stdout" in viewers[0].text
    assert [tab.text.strip() for tab in page.select('[aria-label="Streams"] [aria-current]')] == ["both"]


def test_each_attempt_has_its_own_output(admin: Person, db: Database) -> None:
    run = finished(db, b"first try")
    add_output(db, add_attempt(db, run, number=2), b"second try")

    assert "second try" in admin.see(f"/runs/{run.id}").text
    assert "first try" in admin.see(f"/runs/{run.id}?attempt=1").text
    assert admin.get(f"/runs/{run.id}/download/stdout?attempt=1").data == b"first try"
    assert admin.get(f"/runs/{run.id}/download/stdout?attempt=3").status_code == 404


TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", TURNS, ids=hex)
def test_output_cannot_turn_the_direction_of_the_page(admin: Person, db: Database, code: int) -> None:
    data = f"invoice{chr(code)}gpj.exe".encode()
    run = finished(db, data)

    terminal = admin.see(f"/runs/{run.id}").select_one("[data-output-text]")

    assert terminal is not None
    assert terminal.text == "invoice\ufffdgpj.exe"
    assert read_all(admin, run)[0] == terminal.text
    assert admin.get(f"/runs/{run.id}/download/stdout").data == data
