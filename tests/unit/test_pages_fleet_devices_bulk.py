"""What is done with many devices at once, from their list: changed, taken back, asked about, and refused."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup

from tests.unit.device_rows import add, line_of, names, number_of
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import device_groups, device_lists
from watchbell.store.session import Database


def bulk(person: Person, action: str, *ids: int, **fields: str) -> Any:
    given = {"action": action, "ids": ".".join(map(str, ids)), "sure": "1", "back": "/fleet/devices", **fields}
    return person.post("/fleet/devices/bulk", given, follow_redirects=True)


def test_many_devices_are_changed_together_and_that_is_taken_back(admin: Person, db: Database) -> None:
    ids = [number_of(db, add(db, name)) for name in ("a", "b")]

    page = BeautifulSoup(bulk(admin, "deactivate", *ids).text, "html.parser")
    assert "2 deactivated." in page.text
    undo = page.select_one(
        ".wb-notice form, [data-toast] form, form[action='/fleet/devices/bulk'] input[value=activate]"
    )
    assert undo is not None
    assert set(device_lists.count_standings(db, now=clock.now())) == {"inactive"}
    assert "2 activated." in bulk(admin, "activate", *ids).text


def test_what_needs_a_group_or_tags_asks_for_them_first(admin: Person, db: Database) -> None:
    uuid = add(db, "a")
    number = number_of(db, uuid)
    device_groups.create(db, "kitchens", now=clock.now(), actor="ann")

    question = BeautifulSoup(bulk(admin, "group", number).text, "html.parser")
    assert question.select_one("input[name=group][required]") and "a" in question.select_one(".wb-names").text  # type: ignore[union-attr]
    assert "1 put into the group." in bulk(admin, "group", number, group="kitchens").text
    assert "1 taken out of the group." in bulk(admin, "ungroup", number, group="kitchens").text
    assert bulk(admin, "group", number, group="nobody").status_code == 422
    assert BeautifulSoup(bulk(admin, "tag", number).text, "html.parser").select_one("input[name=tags][required]")
    assert "1 tagged." in bulk(admin, "tag", number, tags="site=north, floor=2").text
    assert dict(line_of(db, uuid).tags) == {"floor": "2", "site": "north"}
    assert bulk(admin, "tag", number, tags="north").status_code == 422
    assert "1 untagged." in bulk(admin, "untag", number, tags="floor, site=north").text
    assert dict(line_of(db, uuid).tags) == {}


def test_everything_that_matches_is_asked_about_by_its_number_before_it_is_deleted(admin: Person, db: Database) -> None:
    for number in range(30):
        add(db, f"old-{number}")
    add(db, "new")

    question = admin.post("/fleet/devices/bulk", {"action": "delete", "all": "1", "filters": "q=old", "sure": "1"})
    page = BeautifulSoup(question.text, "html.parser")
    assert page.select_one("h1").text == "Delete 30 devices?"  # type: ignore[union-attr]
    fields = {str(one["name"]): str(one["value"]) for one in page.select("main input[type=hidden]")}
    assert "30 deleted." in admin.post("/fleet/devices/bulk", fields, follow_redirects=True).text
    assert names(db) == ["new"]


def test_many_devices_leave_as_a_table(admin: Person, db: Database) -> None:
    ids = [number_of(db, add(db, name)) for name in ("a", "b", "c")]

    answer = admin.post("/fleet/devices/export", {"id": ids[:2]}, follow_redirects=True)

    assert [line.split(",")[1] for line in answer.text.splitlines()] == ["name", "a", "b"]


def test_who_may_not_change_devices_is_offered_nothing_that_does(enter: Enter, db: Database) -> None:
    uuid = add(db, "pi")
    operator = enter("operator")

    for path in ("/fleet/devices", f"/fleet/devices/{uuid}"):
        page = operator.see(path)
        offered = {str(form.get("action")) for form in page.select("main form[method=post]")}
        offered |= {str(one.get("formaction")) for one in page.select("main [formaction]")}
        assert not [one for one in offered if re.search(r"activate|/key|/delete|/new", one)], path
        assert not page.select(f"main a[href='/fleet/devices/new'], main a[href='/fleet/devices/{uuid}/edit']")
    assert bulk(operator, "deactivate", number_of(db, uuid)).status_code == 403
    assert line_of(db, uuid).device.is_active


def test_what_is_ticked_is_chosen_in_the_form_of_an_order_and_a_group_as_a_group(admin: Person, db: Database) -> None:
    uuids = [add(db, name) for name in ("xa", "xb", "xc")]
    group = device_groups.create(db, "kitchens", now=clock.now(), actor="ann").id
    device_groups.add_named(db, group, uuids, now=clock.now(), actor="ann")

    page = BeautifulSoup(bulk(admin, "execute", *(number_of(db, uuid) for uuid in uuids[:2])).text, "html.parser")
    assert {
        str(one["value"]) for one in page.select("input[name=device][checked], input[name=device][type=hidden]")
    } == set(uuids[:2])
    given = {"action": "execute", "all": "1", "filters": "group=kitchens"}
    assert admin.post("/fleet/devices/bulk", given).headers["Location"] == "/fleet/execute?group=kitchens"
    given = {"action": "execute", "all": "1", "filters": "q=xa"}
    assert admin.post("/fleet/devices/bulk", given).headers["Location"] == f"/fleet/execute?device={uuids[0]}"
