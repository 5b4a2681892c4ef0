from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Person
from watchbell.config import Config
from watchbell.domain.run_state import RunState
from watchbell.services import runs, triggers
from watchbell.store import ledger
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.web.outputs import PAGE_PART, plain_text
from watchbell.web.presenters_runs import today_sentence
from watchbell.web.run_list import RunQuery, as_filter

HOSTILE = b"\x1b[31mred\x1b[0m <script>alert(1)</script></pre> \x1b]8;;javascript:x\x07link\x1b]8;;\x07 \x1b]52;c;aGk=\x07\x00\xff\xfe\xe2\x82\xac"


def add_attempt(db: Database, run: Run, *, number: int = 1, folder: str = "", ended: bool = True, **values: Any) -> int:
    """Put an attempt of a run into the ledger."""
    row = {
        "run_id": run.id,
        "number": number,
        "fence": 1,
        "holder": "test",
        "folder": folder,
        "started_at": NOW,
        "ended_at": NOW if ended else None,
        **values,
    }
    with db.write() as session:
        return ledger.add_attempts(session, [row])[run.id]


def add_output(db: Database, attempt_id: int, content: bytes | None, stream: str = "stdout", **values: Any) -> None:
    """Put what is kept of a stream into the ledger."""
    size = len(content or b"")
    row = {
        "attempt_id": attempt_id, "stream": stream, "size": size, "head_size": size, "dropped": 0, "content": content,
        "file": None, **values,
    }  # fmt: skip
    with db.write() as session:
        ledger.add_outputs(session, [row])


def finished(db: Database, content: bytes, **values: Any) -> Run:
    """Make a run that has succeeded and written something."""
    run = add_run(db, add_task(db), RunState.SUCCEEDED, started_at=NOW, attempts=1, exit_code=0)
    add_output(db, add_attempt(db, run, exit_code=0), content, **values)
    return run


def listed(page: BeautifulSoup) -> list[int]:
    return [int(row["id"].removeprefix("run-")) for row in page.select("#runs-list tbody tr")]  # type: ignore[union-attr]


def test_an_empty_history_says_what_will_be_here(admin: Person) -> None:
    page = admin.see("/runs")

    assert "No run yet" in page.text
    assert "No run yet today." in page.select_one(".wb-answer").text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("today", "sentence"),
    [
        ({}, "No run yet today."),
        ({"succeeded": 1}, "1 run today, none failed."),
        ({"succeeded": 125, "failed": 3}, "3 failed of 128 runs today."),
        ({"succeeded": 1, "failed": 2, "lost": 1, "missed": 4}, "2 failed, 1 lost and 4 missed of 8 runs today."),
        ({"running": 2}, "2 runs today, none failed. 2 not finished."),
    ],
)
def test_the_answer_counts_what_went_wrong_today(today: dict[str, int], sentence: str) -> None:
    assert today_sentence(today) == sentence


def test_pages_lead_to_older_and_back_to_newer_runs(admin: Person, db: Database) -> None:
    task = add_task(db)
    ids = [add_run(db, task, RunState.SUCCEEDED).id for _ in range(120)]

    seen, url = [], "/runs"
    while url:
        page = admin.see(url)
        seen += listed(page)
        older = page.select_one('a[rel="next"]')
        url = str(older["href"]) if older else ""

    assert seen == sorted(ids, reverse=True)
    newer = admin.see(str(page.select_one('a[rel="prev"]')["href"]))  # type: ignore[index]
    assert listed(newer) == seen[50:100]


def test_the_page_before_the_newest_run_is_the_first_page(admin: Person, db: Database) -> None:
    run = finished(db, b"x")

    answer = admin.get(f"/runs?after={run.id}&state=succeeded")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/runs?state=succeeded")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", ["bad"]),
        ("state=failed&state=queued", ["bad", "waiting"]),
        ("trigger=manual", ["waiting"]),
        ("task=other", ["elsewhere"]),
        ("task=no-such-task", []),
        ("q=disk+full", ["bad"]),
        ("since=2026-11-22", ["good", "bad", "waiting", "elsewhere"]),
    ],
)
def test_runs_are_filtered_by_the_address(admin: Person, db: Database, query: str, expected: list[str]) -> None:
    task, other = add_task(db), add_task(db, "other")
    made = {
        "good": add_run(db, task, RunState.SUCCEEDED),
        "bad": add_run(db, task, RunState.FAILED, reason="the disk is full"),
        "waiting": add_run(db, task, RunState.RETRY_WAIT, trigger="manual"),
        "elsewhere": add_run(db, other, RunState.SUCCEEDED),
    }

    found = listed(admin.see(f"/runs?{query}"))

    assert sorted(found) == sorted(made[name].id for name in expected)


@pytest.mark.parametrize(
    ("since", "start"),
    [
        ("", None),
        ("1h", NOW - timedelta(hours=1)),
        ("7d", NOW - timedelta(days=7)),
        ("today", datetime(2026, 11, 21, 23, 0, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, 0, tzinfo=UTC)),
    ],
)
def test_days_begin_when_they_do_where_the_reader_is(since: str, start: datetime | None) -> None:
    assert as_filter(RunQuery(since=since), now=NOW, zone=ZoneInfo("Europe/Berlin")).since == start


@pytest.mark.parametrize(
    "query",
    [
        "state=broken",
        "since=yesterday",
        "since=2026-13-40",
        "trigger=magic",
        "before=x",
        "after=-1",
        "before=1&after=1",
        "before=99999999999999999999",
    ],
)
def test_a_filter_that_means_nothing_is_refused(admin: Person, query: str) -> None:
    assert admin.get(f"/runs?{query}").status_code == 422


def test_a_chip_takes_its_state_out_again(admin: Person, db: Database) -> None:
    finished(db, b"x")

    page = admin.see("/runs?state=failed&state=lost&q=x")

    chosen = page.select('.wb-chips a[aria-current="true"]')
    assert [chip["href"] for chip in chosen] == ["/runs?state=lost&q=x", "/runs?state=failed&q=x"]


def test_json_and_csv_hold_the_runs_of_the_filter(admin: Person, db: Database) -> None:
    task = add_task(db)
    add_run(db, task, RunState.SUCCEEDED)
    bad = add_run(db, task, RunState.FAILED, reason="=HYPERLINK(1)")

    as_json = admin.get("/runs.json?state=failed").get_json()
    as_csv = list(csv.DictReader(io.StringIO(admin.get("/runs.csv?state=failed").text)))

    assert [row["id"] for row in as_json] == [bad.id]
    assert [(row["id"], row["reason"]) for row in as_csv] == [(str(bad.id), "'=HYPERLINK(1)")]


def test_a_run_that_failed_says_how_and_why(admin: Person, db: Database) -> None:
    late = NOW + timedelta(milliseconds=200)
    run = add_run(
        db, add_task(db), RunState.FAILED, started_at=late, ended_at=late + timedelta(seconds=12), exit_code=2, attempts=1,
        reason="exit code 2",
    )  # fmt: skip

    head = admin.see(f"/runs/{run.id}").select_one("[data-live-part=run-head]")

    words = " ".join(head.text.split())  # type: ignore[union-attr]
    assert "failed exit 2" in words
    assert "started +200 ms" in words
    assert "took 12 s" in words
    assert "Exit code 2." in words


def test_death_by_a_signal_is_named(admin: Person, db: Database) -> None:
    run = add_run(
        db, add_task(db), RunState.FAILED, started_at=NOW, attempts=1, reason="killed by SIGKILL, out of memory?"
    )
    add_attempt(db, run, signal=9)

    assert "killed by SIGKILL" in admin.see(f"/runs/{run.id}").select_one(".wb-status--large").text  # type: ignore[union-attr]


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
    add_attempt(db, run, folder=str(tmp_path), ended=False)
    (tmp_path / "out").write_bytes("a€".encode()[:-1])

    before = admin.get(f"/runs/{run.id}/output?offset=0").get_json()
    (tmp_path / "out").write_bytes("a€b".encode())
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

    assert [viewer["data-stream"] for viewer in page.select("[data-output]")] == ["stdout", "stderr"]
    assert "wrote nothing to stderr" in page.text


def test_each_attempt_has_its_own_output(admin: Person, db: Database) -> None:
    run = finished(db, b"first try")
    add_output(db, add_attempt(db, run, number=2), b"second try")

    assert "second try" in admin.see(f"/runs/{run.id}").text
    assert "first try" in admin.see(f"/runs/{run.id}?attempt=1").text
    assert admin.get(f"/runs/{run.id}/download/stdout?attempt=1").data == b"first try"
    assert admin.get(f"/runs/{run.id}/download/stdout?attempt=3").status_code == 404


def test_the_history_names_every_state_with_its_actor_and_reason(admin: Person, db: Database) -> None:
    task = add_task(db)
    run = triggers.run_now(db, task.id, now=NOW, actor="ann")
    runs.cancel(db, run.id, now=NOW + timedelta(seconds=3), actor="bob")

    steps = [" ".join(step.text.split()) for step in admin.see(f"/runs/{run.id}?tab=history").select(".wb-steps li")]

    assert len(steps) == 2
    assert steps[0].startswith("queued 2026-11-22 13:00:00 run by hand by ann")
    assert steps[1].startswith("cancelled 2026-11-22 13:00:03 +3.00 s cancelled by bob")


def test_resources_are_drawn_and_listed(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED, started_at=NOW, attempts=1, exit_code=0)
    add_attempt(db, run, user_seconds=1.25, max_rss_kib=2048, series=[[0.5, 10.0, 1048576, 1], [1.0, 90.5, 2097152, 2]])

    page = admin.see(f"/runs/{run.id}?tab=resources")

    facts = {fact.dt.text: fact.dd.text for fact in page.select(".wb-facts div")}  # type: ignore[union-attr]
    assert (facts["User time"], facts["Most memory"]) == ("1.25 s", "2.0 MiB")
    assert "at most 90.5 % of one core" in page.text
    assert len(page.select("table tbody tr")) == len(page.select("polyline")) == 2


def test_the_definition_is_that_of_the_version_that_ran(admin: Person, db: Database) -> None:
    task = add_task(db, command="old command", environment={"A": "1"})
    run = add_run(db, task, RunState.SUCCEEDED)
    admin.post(
        f"/tasks/{task.id}/edit", {"name": task.name, "command": "new command", "kind": "manual", "version": "1"}
    )

    page = admin.see(f"/runs/{run.id}?tab=definition")

    assert [block.text.strip() for block in page.select(".wb-code")][:2] == ["old command", "A=1"]


def test_a_waiting_run_is_cancelled_and_one_that_ended_keeps_its_result(admin: Person, db: Database) -> None:
    task = add_task(db)
    waiting, done = triggers.run_now(db, task.id, now=NOW, actor="ann"), add_run(db, task, RunState.SUCCEEDED)

    admin.post(f"/runs/{waiting.id}/cancel")
    answer = admin.post(f"/runs/{done.id}/cancel")

    assert runs.get(db, waiting.id).state == "cancelled"
    assert runs.get(db, done.id).state == "succeeded"
    assert answer.status_code == 303
    assert "has ended already" in admin.see(f"/runs/{done.id}").text


def test_run_again_makes_a_new_run_of_the_task(admin: Person, db: Database) -> None:
    run = finished(db, b"x")

    answer = admin.post(f"/runs/{run.id}/again")

    made = runs.list_page(db).runs[0]
    assert (made.task_id, made.state, made.id != run.id) == (run.task_id, "queued", True)
    assert answer.headers["Location"] == f"/runs/{made.id}"


def test_the_head_goes_on_refreshing_only_while_something_is_to_come(admin: Person, db: Database) -> None:
    task = add_task(db)
    going, done = add_run(db, task, RunState.RUNNING, started_at=NOW), add_run(db, task, RunState.FAILED)

    parts = {
        run.id: BeautifulSoup(admin.get(f"/runs/{run.id}/fragment?tab=history").text, "html.parser")
        for run in (going, done)
    }

    assert parts[going.id].select_one("[data-active]") is not None
    assert parts[done.id].select_one("[data-active]") is None
    assert {part["data-live-part"] for part in parts[done.id].select("[data-live-part]")} == {
        "run-head",
        "run-acts",
        "run-history",
    }


@pytest.mark.parametrize(
    "url", ["/runs/999", "/runs/999/output", "/runs/999/download/stdout", "/runs/999/fragment", "/runs/-1", "/runs/.."]
)
def test_a_run_that_is_not_there_is_not_found(admin: Person, url: str) -> None:
    assert admin.get(url).status_code in {404, 308}
