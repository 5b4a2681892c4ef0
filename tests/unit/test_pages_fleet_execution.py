"""The page of an order to devices: its sentence, its map, its devices, and what can be done with it."""

from __future__ import annotations

import pytest

from tests.fleet import DOCUMENT, STEP, add_device, states_of
from tests.unit.fleet_pages import ROLLOUT, add_many, end, finish, give, hold, text_of
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.errors import Conflict
from watchbell.services import fleet_rollouts
from watchbell.store.session import Database

HOSTILE = "<script>alert(1)</script>"


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
    steps = [STEP, {**STEP, "name": "second"}, {**STEP, "name": "third", "includeStdOut": False}]
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
    told = ["standard output is not sent" in row.text for row in page.select("#steps tbody tr")]
    assert told == [False, False, True]
    assert page.select_one(f".wb-facts a[href='/fleet/devices/{uuid}']") is not None
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


def test_why_an_order_stands_still_is_told_in_german(admin: Person, db: Database) -> None:
    uuids = [add_device(db) for _ in range(5)]
    job = give(db, uuids, rollout=ROLLOUT)
    finish(db, job, uuids[0], "failed", exit_code=1)
    fleet_rollouts.move_on(db, now=clock.now())
    admin.post("/language", {"language": "de"})

    told = text_of(admin.see(f"/fleet/executions/{job}"), ".wb-order__sentence")

    assert told.startswith("1 von 5 erledigt (1 fehlgeschlagen), Welle 1 von 3, durch Regel angehalten: ")
    assert "1 von 1 Geräten" in told and "limit" not in told


def test_details_that_no_page_can_carry_are_shown_harmlessly(admin: Person, db: Database) -> None:
    uuid = add_device(db)
    job = give(db, [uuid])
    finish(db, job, uuid, details={"step": "\ud800", "list": ["\ud800"]})

    page = admin.see(f"/fleet/executions/{job}/devices/{uuid}")

    assert "?" in page.text and admin.get(f"/fleet/devices/{uuid}").status_code == 200
