"""The pages of groups of devices: their list with its twins, making and changing one, and who belongs to it."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.fleet import add_device
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import device_groups
from watchbell.store.session import Database


def make(db: Database, name: str = "kitchens") -> int:
    return device_groups.create(db, name, now=clock.now(), actor="ann").id


def members(db: Database, group_id: int) -> int:
    return device_groups.get(db, group_id, now=clock.now()).devices


def test_without_a_group_the_page_says_what_one_is_for(admin: Person) -> None:
    assert admin.see("/fleet/groups").select_one("main .wb-empty a[href='/fleet/groups/new']")


def test_groups_are_listed_with_their_devices_and_leave_as_twins(admin: Person, db: Database) -> None:
    group = make(db)
    device_groups.add_named(db, group, [add_device(db, "pi")], now=clock.now(), actor="ann")

    page = admin.see("/fleet/groups")

    cells = [" ".join(cell.text.split()) for cell in page.select("tbody td")]
    assert cells[:3] == ["kitchens", "1", "0"]
    assert page.select_one("td a[href='/fleet/devices?group=kitchens']")
    (told,) = admin.get("/fleet/groups.json").get_json()
    assert (told["name"], told["devices"], told["created_by"]) == ("kitchens", 1, "ann")
    assert admin.get("/fleet/groups.csv").text.splitlines()[0].startswith("id,name,description,devices")


def test_a_group_is_made_changed_and_deleted(admin: Person, db: Database) -> None:
    made = admin.post("/fleet/groups/new", {"name": "kitchens", "description": "all"})
    assert made.status_code == 303
    address = made.headers["Location"]
    assert admin.see(f"{address}/edit").select_one("#name")["value"] == "kitchens"  # type: ignore[index]

    assert admin.post(f"{address}/edit", {"name": "a/b & c", "description": ""}).status_code == 303
    assert admin.see(address).select_one("h1").text == "a/b & c"  # type: ignore[union-attr]
    assert admin.post(f"{address}/delete").headers["Location"] == "/fleet/groups"
    assert admin.get(address).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"), [({"name": ""}, "name"), ({"name": "cellars"}, "name"), ({"name": "x", "description": "y" * 501}, "description")], ids=str
)  # fmt: skip
def test_a_wrong_group_is_refused_at_its_field(admin: Person, db: Database, fields: dict[str, str], field: str) -> None:
    make(db, "cellars")
    group = make(db)

    for path in ("/fleet/groups/new", f"/fleet/groups/{group}/edit"):
        answer = admin.post(path, fields)

        assert answer.status_code == 422, path
        assert BeautifulSoup(answer.text, "html.parser").select_one(f"#{field}-error"), path
    assert [view.group.name for view in device_groups.list_all(db, now=clock.now())] == ["cellars", "kitchens"]


def test_devices_are_added_by_name_and_taken_out_with_a_way_back(admin: Person, db: Database) -> None:
    group = make(db)
    uuid = add_device(db, "pi")

    assert admin.post(f"/fleet/groups/{group}/add", {"devices": "pi\r\n"}).status_code == 303
    page = admin.see(f"/fleet/groups/{group}")
    assert page.select_one("#members td a").text == "pi"  # type: ignore[union-attr]
    out = admin.post(f"/fleet/groups/{group}/remove", {"device": uuid}, follow_redirects=True)
    assert members(db, group) == 0
    undo = BeautifulSoup(out.text, "html.parser").select_one(
        f"form[action='/fleet/groups/{group}/add'] input[name=devices]"
    )
    assert undo is not None and undo["value"] == uuid
    wrong = admin.post(f"/fleet/groups/{group}/add", {"devices": "pi\nnobody"})
    assert wrong.status_code == 422 and "nobody" in wrong.text
    assert members(db, group) == 0


def test_deleting_asks_with_the_number_of_devices(admin: Person, db: Database) -> None:
    group = make(db)
    device_groups.add_named(db, group, [add_device(db), add_device(db)], now=clock.now(), actor="ann")

    form = admin.see("/fleet/groups").select_one(f"form[action='/fleet/groups/{group}/delete']")

    assert "2 devices stay" in form["data-confirm"]  # type: ignore[index]


def test_who_may_not_change_groups_is_offered_nothing_that_does(enter: Enter, db: Database) -> None:
    group = make(db)
    operator = enter("operator")

    for path in ("/fleet/groups", f"/fleet/groups/{group}"):
        page = operator.see(path)
        assert not page.select("main form[method=post]"), path
        assert not page.select(f"main a[href='/fleet/groups/new'], main a[href='/fleet/groups/{group}/edit']")
    assert operator.post(f"/fleet/groups/{group}/delete").status_code == 403
