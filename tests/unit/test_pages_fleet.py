"""The pages of the fleet that show what happens: how it does, the orders, and what became of one on each device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from tests.fleet import DOCUMENT, STEP, add_device, execute, states_of
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.errors import Conflict
from watchbell.services import device_jobs, devices, fleet_jobs, fleet_rollouts
from watchbell.services.device_jobs import Report
from watchbell.store.devices import Device
from watchbell.store.session import Database

HOSTILE = "<script>alert(1)</script>"
ROLLOUT = {"canary": 1, "wave": 2, "abort": [{"failure_type": "FAILED", "threshold_percentage": 50, "minimum": 1}]}


def hold(db: Database, uuid: str, now: datetime | None = None) -> None:
    """Let a device ask, be heard of, and have what waits for it."""
    devices.touch(db, uuid, now=now or clock.now(), address="192.0.2.7")
    assert device_jobs.poll(db, uuid, now=now or clock.now()).offer is not None


def end(db: Database, uuid: str, job_id: str, state: str, **result: Any) -> None:
    device_jobs.report(db, uuid, job_id, Report(DeviceJobState(state), result), now=clock.now())


def give(db: Database, uuids: Sequence[str], **fields: Any) -> str:
    return execute(db, *uuids, now=clock.now(), **fields).execution.job_id


def finish(db: Database, job_id: str, uuid: str, state: str = "succeeded", **result: Any) -> None:
    hold(db, uuid)
    end(db, uuid, job_id, state, **result)


def add_many(db: Database, count: int) -> list[str]:
    """Make many active devices at once."""
    uuids = [f"8479359e-dbeb-4858-813c-{number:012x}" for number in range(count)]
    with db.write() as session:
        session.add_all(
            Device(
                uuid=uuid, name=f"pi-{number}", type="gateway", is_active=True, facts={}, created_at=clock.now(),
                modified_at=clock.now(), provisioning_state="provisioned",
            )
            for number, uuid in enumerate(uuids)
        )  # fmt: skip
    return uuids


def text_of(page: BeautifulSoup | Tag, where: str) -> str:
    found = page.select_one(where)
    assert found is not None, where
    return " ".join(found.text.split())


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
    assert "1 execution was stopped by its rules" in text_of(page, ".wb-answer")
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


def test_the_page_of_an_order_tells_of_each_device(admin: Person, db: Database) -> None:
    uuids = [add_device(db, f"pi-{number}") for number in range(3)]
    job = give(db, uuids, name="check")
    finish(db, job, uuids[0])
    finish(db, job, uuids[1], "failed", exit_code=3, failed_step="disk", reason=HOSTILE)

    page = admin.see(f"/fleet/executions/{job}")

    assert text_of(page, ".wb-order__sentence") == "2 of 3 done (1 failed)"
    rows = {text_of(row, "td"): " ".join(row.text.split()) for row in page.select("#devices tbody tr")}
    assert list(rows) == ["pi-0", "pi-1", "pi-2"]
    assert "failed" in rows["pi-1"] and HOSTILE in rows["pi-1"] and "queued" in rows["pi-2"]
    assert not page.select("main script")
    assert '"command": "df,-h"' in text_of(page, "#document")
    assert [
        text_of(row, "td") for row in admin.see(f"/fleet/executions/{job}?state=failed").select("#devices tbody tr")
    ] == ["pi-1"]
    assert [text_of(row, "td") for row in admin.see(f"/fleet/executions/{job}?q=PI-2").select("#devices tbody tr")] == [
        "pi-2"
    ]
    told = admin.get(f"/fleet/executions/{job}/devices.json?state=failed").json
    assert told is not None and [(row["device_name"], row["exit_code"]) for row in told] == [("pi-1", 3)]
    assert f"{uuids[2]},pi-2,QUEUED" in admin.get(f"/fleet/executions/{job}/devices.csv").text


def test_the_map_puts_devices_together_by_a_tag(admin: Person, db: Database) -> None:
    sites = ("north", "south", "north", "")
    uuids = [add_device(db, f"pi-{n}", tags={"site": site} if site else None) for n, site in enumerate(sites)]
    job = give(db, uuids)
    finish(db, job, uuids[0], "failed")

    page = admin.see(f"/fleet/executions/{job}?by=site")

    labels = [text_of(row, ".wb-map__label") for row in page.select("#map .wb-map__row")]
    assert labels == ["site = north 2 devices", "site = south 1 device", "without site 1 device"]
    north = page.select("#map .wb-map__row")[0]
    assert [title.text for title in north.select("title")] == ["pi-0: failed", "pi-2: queued"]
    for tag, names in (("site=north", ["pi-0", "pi-2"]), ("site=", ["pi-3"]), ("site=east", [])):
        rows = admin.see(f"/fleet/executions/{job}?tag={tag}").select("#devices tbody tr")
        assert [text_of(row, "td") for row in rows] == names, tag


def test_the_map_of_many_devices_is_a_few_shapes_and_its_table_has_pages(admin: Person, db: Database) -> None:
    uuids = add_many(db, 700)
    job = give(db, uuids, target_type="all", rollout={"wave": 400})
    finish(db, job, uuids[3], "failed")

    page = admin.see(f"/fleet/executions/{job}")

    first, second = page.select("#map .wb-map__row")
    assert [title.text for title in first.select("title")] == ["1 failed", "399 queued"]
    failed = first.select("a")[0]
    found = admin.see(str(failed["href"]))
    assert [text_of(row, "td") for row in found.select("#devices tbody tr")] == ["pi-3"]
    assert "300 devices" in second.text
    names: list[str] = []
    while True:
        rows = page.select("#devices tbody tr")
        names += [text_of(row, "td") for row in rows]
        later = page.select_one("a[rel=next]")
        if later is None:
            break
        page = admin.see(str(later["href"]))
    assert names == [f"pi-{number}" for number in range(700)]
    earlier = page.select_one("a[rel=prev]")
    assert earlier is not None
    assert text_of(admin.see(str(earlier["href"])), "#devices tbody tr td") == "pi-600"


def test_a_device_shows_steps_output_and_what_came_too_late(admin: Person, db: Database) -> None:
    uuid = add_device(db, HOSTILE)
    steps = [STEP, {**STEP, "name": "second"}, {**STEP, "name": "third"}]
    job = give(db, [uuid], document={"version": "1.0", "steps": steps})
    finish(
        db,
        job,
        uuid,
        "failed",
        exit_code=7,
        executed_steps=2,
        failed_step="second",
        stdout=f"{HOSTILE}\x1b[31m",
        stderr="bad",
    )
    with pytest.raises(Conflict):
        end(db, uuid, job, "succeeded", stdout="late words")
    address = f"/fleet/executions/{job}/devices/{uuid}"

    page = admin.see(address)

    assert [text_of(row, ".wb-status") for row in page.select("#steps tbody tr")] == ["succeeded", "failed", "not run"]
    assert [pre.text for pre in page.select(".wb-terminal")] == [HOSTILE, "bad"]
    assert not page.select("main script")
    assert "late report" in text_of(page, "#attempt-1") and "late words" in text_of(page, "#attempt-1")
    saved = admin.get(f"{address}/attempts/1/stdout")
    assert (saved.text, saved.headers["X-Content-Type-Options"]) == (f"{HOSTILE}\x1b[31m", "nosniff")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert admin.get(f"{address}/attempts/2/stdout").status_code == 404

    admin.post(f"/fleet/executions/{job}/retry", {"device": uuid})
    assert states_of(db, job) == ["queued"]
    assert len(admin.see(address).select("[id^=attempt-].wb-section")) == 2


def test_an_order_is_paused_resumed_retried_and_cancelled(admin: Person, db: Database) -> None:
    uuids = [add_device(db) for _ in range(3)]
    job = give(db, uuids)
    page = f"/fleet/executions/{job}"
    finish(db, job, uuids[0], "failed")
    hold(db, uuids[1])

    admin.post(f"{page}/pause")
    assert text_of(admin.see(page), ".wb-order").endswith("1 of 3 done (1 failed), paused by admin")
    assert [
        text_of(row, "td") for row in admin.see("/fleet/executions?state=paused").select("#executions tbody tr")
    ] == ["check"]
    admin.post(f"{page}/resume")
    assert "paused" not in text_of(admin.see(page), ".wb-order")
    admin.post(f"{page}/retry")
    assert sorted(states_of(db, job)) == ["in_progress", "queued", "queued"]
    assert "try again" in admin.post(f"{page}/retry", follow_redirects=True).text
    assert "cancel it before" in admin.post(f"{page}/delete", follow_redirects=True).text
    admin.post(f"{page}/cancel")
    assert sorted(states_of(db, job)) == ["cancelled", "cancelled", "in_progress"]
    admin.post(f"{page}/cancel", {"force": "1"})
    assert states_of(db, job) == ["cancelled"] * 3
    assert "already completed" in admin.post(f"{page}/cancel", follow_redirects=True).text
    admin.post(f"{page}/delete")
    assert admin.get(page).status_code == 404


def test_an_order_is_rolled_back_by_another_that_names_it(admin: Person, db: Database) -> None:
    uuids = [add_device(db) for _ in range(2)]
    job = give(db, uuids, name="update", rollback_document=DOCUMENT)
    assert admin.see(f"/fleet/executions/{job}").find("button", string="Roll back") is None
    finish(db, job, uuids[0])

    answer = admin.post(f"/fleet/executions/{job}/rollback")

    undo = admin.see(str(answer.location))
    assert "Roll back update" in text_of(undo, "h1")
    assert "This undoes another execution: update" in " ".join(undo.text.split())
    assert "This was rolled back: Roll back update" in " ".join(admin.see(f"/fleet/executions/{job}").text.split())


def test_the_page_says_how_the_order_goes_through_the_fleet(admin: Person, db: Database) -> None:
    uuids = [add_device(db) for _ in range(5)]
    rules = {**ROLLOUT, "factor": 2, "largest": 9, "interval_seconds": 600, "success_percentage": 90}
    window = {"start": "02:00", "end": "04:00", "days": ["sat", "sun"]}
    job = give(db, uuids, rollout=rules, schedule={"window": window})

    told = text_of(admin.see(f"/fleet/executions/{job}"), "main .wb-facts")

    assert "1 device first; waves of 2; each 2 times the one before; at most 9 in one; at least 10m 0s apart" in told
    assert "the next one when 90 % have succeeded; paused when of at least 1 devices 50 % have failed" in told
    assert "from 02:00 to 04:00 by a device's own clock, Sat, Sun" in told


def test_each_role_sees_the_buttons_that_it_may_press(enter: Enter, db: Database) -> None:
    job = give(db, [add_device(db)])
    page = f"/fleet/executions/{job}"
    viewer, operator = enter("viewer"), enter("operator")

    assert {str(form["action"]).rpartition("/")[2] for form in operator.see(page).select("main form[method=post]")} == {
        "pause",
        "cancel",
    }
    assert not viewer.see(page).select("main form[method=post]")
    assert viewer.post(f"{page}/pause").status_code == 403
    assert operator.post(f"{page}/delete").status_code == 403
