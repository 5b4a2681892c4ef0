"""The pages of recurring orders: making them from a template, changing, pausing and deleting them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.fleet import DOCUMENT, STEP, add_device
from tests.unit import test_carried
from tests.unit.fleet_pages import text_of
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.carried import Outcome
from watchbell.services import fleet_schedules, job_library
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.session import Database
from watchbell.web.forms.fleet_schedule_form import filter_lines, read_filter_lines

FORM = {
    "name": "Nightly check", "description": "", "template": "", "variables": "", "document": json.dumps(DOCUMENT),
    "target": "all", "filter": "", "devices": "", "kind": "interval", "every": "2h", "cron": "", "max_executions": "",
    "timeout": "5m",
}  # fmt: skip


def only(db: Database) -> FleetSchedule:
    (found,) = fleet_schedules.list_all(db)
    return found


def add_template(db: Database) -> int:
    step = {**STEP, "input": {"command": "systemctl,restart,{{SERVICE}}"}}
    fields = {"name": "Restart", "document": {"version": "1.0", "steps": [step]}}
    return job_library.create_template(db, fields, now=clock.now(), actor="ann").id


def test_a_schedule_is_made_from_a_template_with_its_values_in_place(admin: Person, db: Database) -> None:
    number = add_template(db)
    assert f'value="{number}"' in admin.get(f"/fleet/schedules/new?template={number}").text

    answer = admin.post(
        "/fleet/schedules/new",
        {**FORM, "template": str(number), "variables": "SERVICE = cron\n", "kind": "cron", "cron": "0 2 * * *"},
    )

    made = only(db)
    assert answer.status_code == 303 and str(answer.location).endswith(made.schedule_id)
    assert made.document["steps"][0]["input"]["command"] == "systemctl,restart,cron"
    assert (made.schedule_type, made.cron_expression, made.timeout_seconds) == ("cron", "0 2 * * *", 300)
    page = admin.see(f"/fleet/schedules/{made.schedule_id}")
    assert "At 02:00" in page.text and "Europe/Berlin" in page.text and "all devices" in page.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"document": ""}, "template"),
        ({"document": "{"}, "document"),
        ({"document": '{"version": "1.0"}'}, "document"),
        ({"template": "77"}, "template"),
        ({"target": "group"}, "filter"),
        ({"target": "group", "filter": "colour = red"}, "filter"),
        ({"target": "group", "filter": "site"}, "filter"),
        ({"target": "device"}, "devices"),
        ({"target": "device", "devices": "nobody"}, "devices"),
        ({"target": "nonsense"}, "target"),
        ({"every": "90s"}, "every"),
        ({"every": "often"}, "every"),
        ({"kind": "cron", "cron": ""}, "cron"),
        ({"kind": "cron", "cron": "61 * * * *"}, "cron"),
        ({"kind": "nonsense"}, "kind"),
        ({"max_executions": "0"}, "max_executions"),
        ({"timeout": "0"}, "timeout"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_at_its_field(admin: Person, db: Database, fields: dict[str, str], field: str) -> None:
    answer = admin.post("/fleet/schedules/new", {**FORM, **fields})

    assert answer.status_code == 422
    assert soup(answer.text).select_one(f"#{field}-error") is not None, soup(answer.text).select("[id$=-error]")
    assert not fleet_schedules.list_all(db)
    told = soup(admin.post("/fleet/schedules/preview", {**FORM, **fields}).text)
    assert [item["data-field"] for item in told.select("#field-problems li")] == [field]


def test_the_form_tells_when_it_is_due_and_for_how_many(admin: Person, db: Database) -> None:
    add_device(db, tags={"site": "north"})
    add_device(db)

    told = soup(admin.post("/fleet/schedules/preview", {**FORM, "target": "group", "filter": "tag:site = north"}).text)

    assert "Every 2 hours" in told.text
    assert len(told.select(".wb-moments li")) == 5
    assert "Now it would be for 1 device." in told.text
    assert not fleet_schedules.list_all(db)


def test_an_edit_changes_what_it_names_and_lets_the_interval_count_on(admin: Person, db: Database) -> None:
    admin.post("/fleet/schedules/new", {**FORM, "target": "group", "filter": "device_type = gateway\ntag:site = north"})
    made = only(db)
    address = f"/fleet/schedules/{made.schedule_id}/edit"
    page = admin.see(address)
    assert text_of(page, "#filter") == "device_type = gateway tag:site = north"
    assert page.select_one("#every")["value"] == "2h"  # type: ignore[index]

    shown = {**FORM, "target": "group", "filter": "device_type = gateway\ntag:site = south"}
    assert admin.post(address, {**shown, "name": "Renamed"}).status_code == 303
    after = only(db)
    assert (after.name, after.target_filter) == ("Renamed", {"device_type": "gateway", "tags": {"site": "south"}})
    assert (after.anchor_at, after.next_at) == (made.anchor_at, made.next_at)
    admin.post(address, {**shown, "name": "Renamed", "every": "3h"})
    assert only(db).anchor_at > made.anchor_at
    assert (
        "Nothing was changed"
        in admin.post(address, {**shown, "name": "Renamed", "every": "3h"}, follow_redirects=True).text
    )


def test_a_schedule_rests_goes_on_and_is_deleted(admin: Person, enter: Enter, db: Database) -> None:
    admin.post("/fleet/schedules/new", FORM)
    address = f"/fleet/schedules/{only(db).schedule_id}"
    operator = enter("operator")

    assert "Undo" in operator.post(f"{address}/pause", follow_redirects=True).text
    assert not only(db).is_active
    assert text_of(operator.see("/fleet/schedules?state=paused"), "tbody tr").startswith("Nightly check paused")
    assert not operator.see("/fleet/schedules?state=active").select("tbody tr")
    operator.post(f"{address}/resume")
    assert only(db).is_active
    assert operator.post(f"{address}/delete").status_code == 403
    assert operator.get(f"{address}/edit").status_code == 403
    admin.post(f"{address}/delete")
    assert not fleet_schedules.list_all(db)
    assert admin.get(address).status_code == 404


def test_what_a_schedule_has_led_to_stands_at_it(admin: Person, db: Database) -> None:
    add_device(db)
    admin.post("/fleet/schedules/new", {**FORM, "max_executions": "1"})
    assert fleet_schedules.give_due(db, now=clock.now() + timedelta(hours=3)).orders == 1
    made = only(db)

    page = admin.see(f"/fleet/schedules/{made.schedule_id}")

    assert text_of(page, "#history tbody td") == "Nightly check"
    assert "1 / 1" in page.text and "at its end" in page.text
    assert len(admin.see(f"/fleet/executions?schedule={made.schedule_id}").select("tbody tr")) == 1
    told = admin.get("/fleet/schedules.json").json
    assert told is not None and (told[0]["executions"], told[0]["next_at"]) == (1, None)
    assert "Nightly check" in admin.get("/fleet/schedules.csv").text


def test_a_filter_is_the_same_after_it_was_shown_as_lines() -> None:
    chosen = {"device_type": "gateway", "group": "kitchens", "is_online": True, "tags": {"site": "a = b"}}

    assert read_filter_lines(filter_lines(chosen)) == chosen


def test_a_schedule_that_devices_carry_shows_who_carries_it_and_what_became_of_its_moments(
    admin: Person, db: Database
) -> None:
    chosen = {"kind": "cron", "cron": "0 2 * * *", "carried": "y", "catch_up": "skip", "max_executions": "7"}
    answer = admin.post("/fleet/schedules/new", {**FORM, **chosen})
    made = only(db)
    assert (made.is_carried, made.catch_up, made.max_executions, made.next_at) == (True, "skip", None, None)
    address = str(answer.location)
    uuid = test_carried.join(db, "pi-kitchen")
    assert "not yet" in text_of(admin.see(address), "main")
    test_carried.carry(db, uuid, made.schedule_id)
    test_carried.tell(db, uuid, made.schedule_id)
    test_carried.tell(db, uuid, made.schedule_id, day=23, outcome=Outcome.MISSED, reason="the device was off")

    page = text_of(admin.see(address), "main")

    for words in ("by the clock of each device", "version 1", "pi-kitchen", "the device was off", "missed", "run none"):
        assert words in page, words
    assert "on each device" in text_of(admin.see("/fleet/schedules"), "main")
    assert "version 1" in text_of(admin.see(f"/fleet/devices/{uuid}"), "#carried")
    (device,) = admin.get(f"/fleet/schedules/{made.schedule_id}/devices.json").json
    assert (device["device_name"], device["version"], device["is_current"]) == ("pi-kitchen", 1, True)
    rows = admin.get(f"/fleet/schedules/{made.schedule_id}/moments.json").json
    assert [(row["outcome"], row["status"]) for row in rows] == [("missed", None), ("run", "SUCCEEDED")]
    for name in ("devices", "moments"):
        assert "pi-kitchen" in admin.get(f"/fleet/schedules/{made.schedule_id}/{name}.csv").text
    told = admin.get(f"/api/v1/jobs/schedules/{made.schedule_id}/moments?outcome=run&limit=1").json
    assert (told["total"], told["moments"][0]["device_uuid"]) == (1, uuid)
    carriers = admin.get(f"/api/v1/jobs/schedules/{made.schedule_id}/devices").json
    assert (carriers["version"], carriers["devices"][0]["version"]) == (1, 1)
    # The form shows what it is, and saving it unchanged changes nothing.
    form = soup(admin.get(f"/fleet/schedules/{made.schedule_id}/edit").text)
    assert form.select_one("#carried[checked]") is not None
