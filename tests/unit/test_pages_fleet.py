"""The first page of the fleet and the list of its executions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fleet import add_device, execute
from tests.unit.fleet_pages import ROLLOUT, finish, give, hold, text_of
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs, devices, fleet_jobs, fleet_rollouts
from watchbell.services.device_jobs import Report
from watchbell.store.devices import Device
from watchbell.store.session import Database


def test_without_devices_the_page_says_what_a_fleet_is(admin: Person) -> None:
    page = admin.see("/fleet")

    assert "A fleet is the machines that ask this server for work" in page.text
    assert not page.select(".wb-stats")


def test_the_bar_of_tabs_has_the_pages_that_there_are(admin: Person) -> None:
    tabs = {str(link["href"]) for link in admin.see("/fleet").select("nav[aria-label='Pages of the fleet'] a")}

    assert {"/fleet", "/fleet/executions", "/fleet/schedules"} <= tabs
    assert all(admin.get(href).status_code == 200 for href in tabs)


def test_the_first_page_counts_devices_and_what_became_of_jobs(admin: Person, db: Database) -> None:
    seen, gone, _never = (add_device(db, name) for name in ("seen", "gone", "never"))
    add_device(db, "off", active=False)
    devices.touch(db, gone, now=clock.now() - timedelta(hours=1), address="")
    good, bad = give(db, [seen]), give(db, [seen])
    finish(db, good, seen)
    finish(db, bad, seen, "failed", exit_code=2)
    give(db, [seen, gone])

    told = admin.get("/fleet.json").json

    assert told is not None
    assert [told[f"devices_{name}"] for name in ("online", "offline", "never_seen", "inactive")] == [1, 1, 1, 1]
    assert (told["queued_now"], told["in_progress_now"], told["going_on"]) == (2, 0, 1)
    assert (told["succeeded_24h"], told["failed_24h"], told["success_percentage_7d"]) == (1, 1, 50.0)
    page = admin.see("/fleet")
    assert "50.0 %" in text_of(page, ".wb-stats") and "1 offline, 1 never seen, 1 not active" in text_of(
        page, ".wb-stats"
    )
    assert len(page.select("#recent .wb-timeline__label")) == 3
    assert "success_percentage_24h,50.0" in admin.get("/fleet.csv").text


def test_what_ended_before_the_week_does_not_count(admin: Person, db: Database) -> None:
    uuid = add_device(db)
    old = clock.now() - timedelta(days=3)
    job = execute(db, uuid, now=old).execution.job_id
    hold(db, uuid, old)
    device_jobs.report(db, uuid, job, Report(DeviceJobState.FAILED), now=old)

    told = admin.get("/fleet.json").json

    assert told is not None
    assert (told["failed_24h"], told["failed_7d"], told["success_percentage_24h"]) == (0, 1, None)


def test_what_a_rule_has_stopped_needs_attention_and_says_by_which(admin: Person, db: Database) -> None:
    uuids = [add_device(db) for _ in range(5)]
    job = give(db, uuids, name="update <b>all</b>", rollout=ROLLOUT)
    finish(db, job, uuids[0], "failed", exit_code=1)
    fleet_rollouts.move_on(db, now=clock.now())

    page = admin.see("/fleet")

    attention = text_of(page, "#attention")
    assert "update <b>all</b>" in attention
    assert (
        "1 of 5 done (1 failed), wave 1 of 3, paused by rule: 1 of 1 devices have failed, 100 %; the limit is 50 %"
        in attention
    )
    assert text_of(page, ".wb-answer") == "1 execution was stopped by its rules; 1 execution goes on."
    assert [text_of(row, "strong") for row in page.select("#going .wb-map__row")] == ["Wave 1", "Wave 2", "Wave 3"]
    assert "waits for its turn" in text_of(page, "#going")


def test_a_device_that_went_silent_at_work_needs_attention(admin: Person, db: Database) -> None:
    uuid = add_device(db, "lighthouse")
    give(db, [uuid], name="long")
    hold(db, uuid, clock.now() - timedelta(seconds=10))
    assert "lighthouse" not in admin.see("/fleet").text

    devices.touch(db, uuid, now=clock.now(), address="")
    with db.write() as session:
        session.get(Device, 1).seen_at = clock.now() - timedelta(minutes=10)  # type: ignore[union-attr]

    page = admin.see("/fleet")
    assert "lighthouse" in text_of(page, "#attention")
    assert "1 device went silent at work" in text_of(page, ".wb-answer")


def test_what_a_person_has_taken_back_needs_nobody(admin: Person, db: Database) -> None:
    uuids = [add_device(db), add_device(db)]
    job = give(db, uuids)
    finish(db, job, uuids[0], "failed", exit_code=1)
    assert "has failures" in admin.see("/fleet").text

    fleet_jobs.cancel(db, job, now=clock.now(), actor="ann", force=False)

    assert "nothing needs you" in text_of(admin.see("/fleet"), ".wb-answer")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["fifth", "fourth", "third", "second", "first"]),
        ("state=going", ["fourth"]),
        ("state=queued", ["fourth"]),
        ("state=succeeded", ["first"]),
        ("state=failed", ["fifth", "second"]),
        ("state=cancelled", ["third"]),
        ("state=paused", []),
        ("q=FI", ["fifth", "first"]),
        ("q=f+th", ["fifth", "fourth"]),
        ("q=100%25", []),
        ("template=77", []),
        ("schedule=nobody", []),
        ("since=1h", ["fifth", "fourth", "third", "second"]),
        ("until=2001-01-01", []),
        ("before=3", ["second", "first"]),
    ],
)
def test_the_list_is_filtered(admin: Person, db: Database, asked: str, names: list[str]) -> None:
    uuid = add_device(db)
    jobs = {
        name: execute(db, uuid, name=name, now=clock.now() - timedelta(hours=9 * (name == "first"))).execution.job_id
        for name in ("first", "second", "third", "fourth")
    }
    for name, state in (("first", "succeeded"), ("second", "failed")):
        finish(db, jobs[name], uuid, state)
    fleet_jobs.cancel(db, jobs["third"], now=clock.now(), actor="ann", force=False)
    other = add_device(db)
    finish(db, give(db, [other], name="fifth"), other, "failed")

    rows = admin.see(f"/fleet/executions?{asked}").select("#executions tbody tr")
    told = admin.get(f"/fleet/executions.json?{asked}").json

    assert [text_of(row, "td") for row in rows] == names
    assert told is not None and [row["job_name"] for row in told] == names
    assert admin.get(f"/fleet/executions.csv?{asked}").text.count("\r\n") == 1 + len(names)


def test_a_wrong_filter_is_named(admin: Person, db: Database) -> None:
    for asked in ("state=nonsense", "since=yesterday", "template=x", "before=-1"):
        assert admin.get(f"/fleet/executions?{asked}").status_code == 422, asked
    job = give(db, [add_device(db)])
    for asked in ("state=x", "wave=x", "tag=%3Dx", "after=x"):
        assert admin.get(f"/fleet/executions/{job}?{asked}").status_code == 422, asked
    assert admin.get("/fleet/executions/nobody").status_code == 404
    assert admin.get(f"/fleet/executions/{job}/devices/nobody").status_code == 404


def test_the_list_has_pages(admin: Person, db: Database) -> None:
    uuid = add_device(db)
    for number in range(52):
        give(db, [uuid], name=f"job-{number}")

    first = admin.see("/fleet/executions")
    older = first.select_one("a[rel=next]")

    assert len(first.select("#executions tbody tr")) == 50
    assert older is not None
    second = admin.see(str(older["href"]))
    assert [text_of(row, "td") for row in second.select("#executions tbody tr")] == ["job-1", "job-0"]
    assert second.select_one("a[rel=prev]") is not None
