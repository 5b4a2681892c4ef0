from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, finished
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.services import runs, triggers
from watchbell.services.lives import name_call
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database
from watchbell.web.presenters_runs import today_sentence
from watchbell.web.run_list import RunQuery, as_filter


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
def test_days_begin_when_they_do_where_the_reader_is(db: Database, since: str, start: datetime | None) -> None:
    assert as_filter(db, RunQuery(since=since), now=NOW, zone=ZoneInfo("Europe/Berlin")).since == start


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
    assert "took 12s" in words
    assert "Exit code 2." in words


def test_death_by_a_signal_is_named(admin: Person, db: Database) -> None:
    run = add_run(
        db, add_task(db), RunState.FAILED, started_at=NOW, attempts=1, reason="killed by SIGKILL, out of memory?"
    )
    add_attempt(db, run, signal=9)

    assert "killed by SIGKILL" in admin.see(f"/runs/{run.id}").select_one(".wb-status--large").text  # type: ignore[union-attr]


def test_the_history_names_every_state_with_its_actor_and_reason(admin: Person, db: Database) -> None:
    task = add_task(db)
    run = triggers.run_now(db, task.id, now=NOW, actor="ann")
    runs.cancel(db, run.id, now=NOW + timedelta(seconds=3), actor="bob")

    steps = [" ".join(step.text.split()) for step in admin.see(f"/runs/{run.id}?tab=history").select(".wb-steps li")]

    assert len(steps) == 2
    assert steps[0].startswith("queued 2026-11-22 13:00:00 run by hand by ann")
    assert steps[1].startswith("cancelled 2026-11-22 13:00:03 +3s cancelled by bob")


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
        "run-decision",
        "run-history",
        "run-verdict",
        "run-runbook",
    }


@pytest.mark.parametrize(
    "url", ["/runs/999", "/runs/999/output", "/runs/999/download/stdout", "/runs/999/fragment", "/runs/-1", "/runs/.."]
)
def test_a_run_that_is_not_there_is_not_found(admin: Person, url: str) -> None:
    assert admin.get(url).status_code in {404, 308}


def test_the_runs_of_a_queue_are_listed(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    mine = add_run(db, task, RunState.FAILED, queue="nightly")
    add_run(db, task, RunState.FAILED)

    found = admin.get("/runs.json?queue=nightly").get_json()

    assert [run["id"] for run in found] == [mine.id]
    page = admin.see("/runs?queue=nightly")
    assert "1 run in queue nightly." in page.text
    assert page.select_one("#filter-queue")["value"] == "nightly"  # type: ignore[index]
    assert admin.get("/runs.json?queue=nightly&q=backup&state=failed").get_json() == found
    assert admin.get("/runs.json?queue=nightly&q=other").get_json() == []
    assert admin.see("/queues").select_one("a[href='/runs?queue=default']")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "order=id",
        "page=last",
        "order=id&page=last",
        "before={4}",
        "after={4}",
        "order=id&before={4}",
        "order=id&after={4}",
        "order=id&q=backup",
        "state=succeeded&state=failed&order=id",
    ],
)
def test_what_is_exported_follows_the_list_from_the_first_row_of_its_page_on(
    admin: Person, db: Database, query: str
) -> None:
    task = add_task(db)
    ids = [add_run(db, task, RunState.SUCCEEDED).id for _ in range(8)]
    query = query.format(*ids) + "&length=3"

    page = listed(admin.see(f"/runs?{query}"))
    json_ids = [row["id"] for row in admin.get(f"/runs.json?{query}").get_json()]
    rows = csv.DictReader(io.StringIO(admin.get(f"/runs.csv?{query}").get_data(as_text=True).removeprefix("\ufeff")))

    is_turned = page[0] < page[-1]
    assert json_ids[: len(page)] == page
    assert json_ids == sorted(json_ids, reverse=not is_turned)
    assert json_ids[-1] == (ids[-1] if is_turned else ids[0])
    assert [int(row["id"]) for row in rows] == json_ids


def test_the_runs_of_a_host_are_those_that_ran_there_or_wait_for_it(admin: Person, db: Database) -> None:
    for name, host in (("first", "Watchtower"), ("second", "watchtower"), ("away", "lighthouse")):
        life = Scheduler(incarnation=name, user="ann", host=host, environment="production", session_id="1", version="0",
                         pid=1, start_ticks=1, boot_id="b", started_at=NOW, beat_at=NOW)  # fmt: skip
        with db.write() as session:
            session.add(life)
    anywhere, pinned = add_task(db, "anywhere"), add_task(db, "pinned", host="watchtower")
    there = [add_run(db, anywhere, RunState.SUCCEEDED, holder=name).id for name in ("first", "second")]
    called = add_run(db, anywhere, RunState.FAILED, holder=name_call("1", "watchtower", "/home")).id
    waiting = add_run(db, pinned, RunState.QUEUED).id
    add_run(db, pinned, RunState.SUCCEEDED, holder="away")
    add_run(db, anywhere, RunState.QUEUED)
    add_run(db, anywhere, RunState.FAILED, holder=name_call("2", "lighthouse", "/home"))

    def found(query: str) -> list[int]:
        return [run["id"] for run in admin.get(f"/runs.json?host={query}").get_json()]

    assert found("watchtower") == [waiting, called, *reversed(there)]
    assert found("watchtower&state=failed") == [called]
    assert found("watchtower&q=pinned") == [waiting]
    assert found("nowhere") == []
    page = admin.see("/runs?host=watchtower")
    assert "4 runs on watchtower." in page.text
    assert {"lighthouse", "watchtower"} <= {str(one["value"]) for one in page.select("datalist option")}


def test_a_time_that_ends_before_it_begins_is_told(admin: Person, db: Database) -> None:
    add_run(db, add_task(db), RunState.SUCCEEDED)
    query = "from=2026-11-20T10:00&to=2026-11-19T10:00"

    page = admin.see(f"/runs?{query}")
    file = admin.get(f"/runs.json?{query}")

    answer = page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert "No run due from 2026-11-20 10:00 until 2026-11-19 10:00. That time ends before it begins" in answer
    assert file.status_code == 422
    assert "ends before it begins" in file.text
    assert "due from 2026-11-19 until 2026-11-20." in admin.see("/runs?from=2026-11-19&to=2026-11-20").text
