"""Runs in the native family: filters, pages, output in parts and as bytes, waiting, and events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output, finished
from tests.waiting import wait_until
from watchbell.domain.run_state import RunState
from watchbell.services import runs, tasks, triggers
from watchbell.store import history, retention
from watchbell.store.session import Database
from watchbell.web.realtime import waiting


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("state=failed&state=lost", [3, 2]),
        ("state=running", [4]),
        ("state=queued", [5]),
        ("task=backup", [5, 3, 2, 1]),
        ("task=2", [4]),
        ("task=nobody", []),
        ("trigger=manual", [5]),
        ("queue=nightly", [4]),
        ("queue=nightly&state=failed", []),
        ("queue=default&search=exit", [2]),
        ("search=EXIT%20code", [2]),
        ("search=%25", []),
        ("search=(a%2B)%2B%24", []),
        ("decision=open", [3]),
        ("decision=open&queue=nightly", []),
        ("since=2026-11-22", [5, 4, 3, 2]),
        ("since=2026-11-22T11:59:59%2B00:00", [5, 4, 3, 2]),
        ("before=4&limit=2", [3, 2]),
        ("after=3", [5, 4]),
    ],
)
def test_a_list_shows_what_the_filters_let_through(
    program: Program, db: Database, asked: str, found: list[int]
) -> None:
    task, other = add_task(db, "backup"), add_task(db, "other")
    add_run(db, task, RunState.SUCCEEDED, due_at=NOW - timedelta(days=9), created_at=NOW - timedelta(days=9))
    add_run(db, task, RunState.FAILED, reason="exit code 1")
    add_run(db, task, RunState.LOST, decision="open")
    add_run(db, other, RunState.RUNNING, queue="nightly")
    add_run(db, task, trigger="manual")

    page = program.get(f"/api/v2/runs?{asked}")

    assert [run["id"] for run in page["items"]] == found
    assert program.get(f"/api/v2/runs?{asked}&count=true&limit=1").get("at_least", 0) >= bool(found)


def test_pages_lead_on_until_the_oldest(program: Program, db: Database) -> None:
    task = add_task(db)
    ids = [add_run(db, task, RunState.SUCCEEDED).id for _ in range(7)]

    shown, path = [], "/api/v2/runs?limit=3&state=succeeded&state=failed"
    while path:
        answer = program.call("GET", path)
        shown += [run["id"] for run in answer.get_json()["items"]]
        path = answer.headers["Link"].split(";")[0].strip("<>") if answer.get_json()["next"] else ""

    assert shown == ids[::-1]


def test_runs_of_a_queue_are_looked_for_a_part_at_a_time(
    program: Program, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SEARCHED", 3)
    task = add_task(db)
    wanted = [add_run(db, task, RunState.SUCCEEDED, queue="nightly").id for _ in range(2)]
    for _ in range(4):
        add_run(db, task, RunState.SUCCEEDED)

    page = program.get("/api/v2/runs?queue=nightly")
    rest = program.get(f"/api/v2/runs?queue=nightly&before={page['next']}")

    assert page["items"] == [] and page["is_partial"]
    assert [run["id"] for run in rest["items"]] == wanted[::-1]


def test_a_run_is_told_with_all_that_is_known_of_it(program: Program, db: Database) -> None:
    run = finished(db, b"hello")
    (listed,) = program.get("/api/v2/runs")["items"]

    told = program.get(f"/api/v2/runs/{run.id}")

    assert {name: told[name] for name in listed} == listed
    assert [attempt["exit_code"] for attempt in told["attempt_list"]] == [0]
    assert told["definition"]["command"] == "true" and told["task_exists"]


def test_a_run_that_was_deleted_is_gone_and_one_that_never_was_is_not_there(program: Program, db: Database) -> None:
    task = add_task(db)
    add_run(db, task, RunState.SUCCEEDED)
    add_run(db, task, RunState.SUCCEEDED)
    with db.write() as session:
        session.connection().exec_driver_sql("DELETE FROM run WHERE id = 1")

    for rest in ("", "/wait", "/output", "/output/raw"):
        assert program.get(f"/api/v2/runs/1{rest}", 410)["type"] == "/problems/gone"
        program.get(f"/api/v2/runs/99{rest}", 404)


def test_output_is_told_in_parts_that_cut_no_character_in_two(program: Program, db: Database) -> None:
    run = finished(db, "a€".encode() * 10)

    text, offset, done = "", 0, False
    while not done:
        part = program.get(f"/api/v2/runs/{run.id}/output?offset={offset}&limit=6")
        text, offset, done = text + part["text"], part["next_offset"], part["done"]

    assert text == "a€" * 10 and offset == part["size"] == 40


@pytest.mark.parametrize(
    ("asked", "status", "data"),
    [
        ("", 200, b"headtail"),
        ("bytes=0-3", 206, b"head"),
        ("bytes=2-5", 206, b"adta"),
        ("bytes=4-", 206, b"tail"),
        ("bytes=6-6", 206, b"i"),
        ("bytes=-2", 206, b"il"),
        ("bytes=5-900", 206, b"ail"),
        ("bytes=8-", 416, None),
        ("bytes=0-1,4-5", 200, b"headtail"),
        ("lines=0-1", 200, b"headtail"),
        ("garbage", 200, b"headtail"),
    ],
)
def test_the_bytes_come_as_they_are_or_a_range_of_what_is_kept(
    program: Program, db: Database, asked: str, status: int, data: bytes | None
) -> None:
    run = finished(db, b"headtail", size=100, head_size=4, dropped=92)

    answer = program.call("GET", f"/api/v2/runs/{run.id}/output/raw", headers={"Range": asked} if asked else {})

    assert answer.status_code == status
    if data is not None:
        assert answer.data == data and int(answer.headers["Content-Length"]) == len(data)
        assert (answer.headers["X-Watchbell-Size"], answer.headers["X-Watchbell-Dropped"]) == ("100", "92")
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_range_behind_the_end_is_told_how_long_the_output_is(program: Program, db: Database) -> None:
    run = finished(db, b"headtail", size=8)

    answer = program.call("GET", f"/api/v2/runs/{run.id}/output/raw", headers={"Range": "bytes=100-200"})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */8")
    assert answer.get_json()["detail"] == "There are no bytes in the range that was asked for."


def test_hostile_output_is_data_and_nothing_else(program: Program, db: Database) -> None:
    run = finished(db, b'</script>{"complete": 1}\n::set-env name=X::y\x00\xff')

    part = program.get(f"/api/v2/runs/{run.id}/output")

    assert part["text"].startswith("</script>") and part["text"].endswith("\x00\ufffd")
    assert program.call("GET", f"/api/v2/runs/{run.id}/output?callback=x").mimetype == "application/json"


def _later(act: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(0.3, act)
    timer.start()
    return timer


def test_whoever_waits_for_a_run_hears_when_it_has_ended(program: Program, db: Database) -> None:
    run = add_run(db, add_task(db))
    timer = _later(lambda: runs.cancel(db, run.id, now=NOW, actor="ann"))

    assert program.get(f"/api/v2/runs/{run.id}/wait?timeout=20")["state"] == "cancelled"
    timer.join()
    # It has ended, so nobody waits.
    assert program.get(f"/api/v2/runs/{run.id}/wait?timeout=50")["state"] == "cancelled"


def test_whoever_waits_in_vain_is_told_the_state_after_the_time(program: Program, db: Database) -> None:
    run = add_run(db, add_task(db))

    assert program.get(f"/api/v2/runs/{run.id}/wait?timeout=1")["state"] == "queued"


def test_output_is_waited_for(program: Program, db: Database, tmp_path: Path) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder=str(tmp_path / "1.1"), ended=False)
    (tmp_path / "1.1.out").write_bytes(b"one")
    timer = _later(lambda: (tmp_path / "1.1.out").write_bytes(b"onetwo"))

    part = program.get(f"/api/v2/runs/{run.id}/output?offset=3&wait=20")

    timer.join()
    assert (part["text"], part["next_offset"], part["done"]) == ("two", 6, False)


def test_more_requests_than_may_wait_are_told_to_come_again(program: Program, db: Database) -> None:
    run = add_run(db, add_task(db))
    taken = 0
    while waiting._places.acquire(blocking=False):
        taken += 1
    try:
        refused = program.call("GET", f"/api/v2/runs/{run.id}/wait?timeout=5")
    finally:
        waiting._places.release(taken)

    assert (taken, refused.status_code) == (waiting.MOST_WAITING, 503)
    assert int(refused.headers["Retry-After"]) > 0


def test_events_are_followed_without_missing_one_or_seeing_one_twice(program: Program, db: Database) -> None:
    place = program.get("/api/v2/events")["next"]
    task = add_task(db)
    triggers.run_now(db, task.id, now=NOW, actor="ann")

    seen: list[dict[str, Any]] = []
    for _ in range(3):
        page = program.get(f"/api/v2/events?after={place}&limit=1")
        seen, place = seen + page["items"], page["next"]

    assert [event["type"] for event in seen] == ["task_created", "run_queued"]
    assert [event["task_id"] for event in seen] == [task.id, task.id]
    assert int(place) == page["newest"]


def test_whoever_has_seen_more_than_there_is_hears_of_it_and_of_what_comes(program: Program, db: Database) -> None:
    """A backup was restored; nobody waits for ids that may take years to come."""
    task = add_task(db)

    told = program.get("/api/v2/events?after=4711&wait=20")
    tasks.delete(db, task.id, now=NOW, actor="ann")
    page = program.get(f"/api/v2/events?after={told['next']}")

    assert (told["items"], told["has_gap"], int(told["next"])) == ([], True, told["newest"])
    assert ([event["type"] for event in page["items"]], page["has_gap"]) == (["task_deleted"], False)


def test_whoever_has_not_asked_for_so_long_that_events_are_gone_hears_of_it(program: Program, db: Database) -> None:
    for name in "abc":
        add_task(db, name)
    with db.write() as session:
        retention.delete_outbox(session, NOW + timedelta(days=1), 2)

    first = program.get("/api/v2/events?after=1")
    later = program.get("/api/v2/events?after=2")

    assert ([event["id"] for event in first["items"]], first["has_gap"]) == ([3], True)
    assert ([event["id"] for event in later["items"]], later["has_gap"]) == ([3], False)


def test_events_of_some_types_are_waited_for(program: Program, db: Database) -> None:
    task = add_task(db)

    def act() -> None:
        tasks.set_enabled(db, task.id, False, now=NOW, actor="ann")
        tasks.delete(db, task.id, now=NOW, actor="ann")

    timer = _later(act)
    page = program.get("/api/v2/events?after=0&wait=20&types=task_deleted,%20run_lost")

    timer.join()
    assert [event["type"] for event in page["items"]] == ["task_deleted"]
    assert program.get(f"/api/v2/events?after={page['next']}&wait=0")["items"] == []


def test_nobody_waits_longer_than_the_server_lives(program: Program, db: Database) -> None:
    """A wait ends by itself, so that its thread is free again."""
    program.get("/api/v2/events?after=0&wait=1")

    wait_until(lambda: waiting._places._value == waiting.MOST_WAITING, what="all places to be free")


def test_each_attempt_has_its_own_output(program: Program, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED, started_at=NOW, attempts=2)
    for number, content in ((1, b"first"), (2, b"second")):
        add_output(db, add_attempt(db, run, number=number), content)

    assert program.get(f"/api/v2/runs/{run.id}/output")["text"] == "second"
    assert program.get(f"/api/v2/runs/{run.id}/output?attempt=1")["text"] == "first"
