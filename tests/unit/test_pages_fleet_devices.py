"""The pages of devices: the list, its twins and what is done with many, one device, its form, its key and its jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.unit.device_rows import add, give, line_of, names, put
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import agents, device_groups, devices, enrolment
from watchbell.services.agents import Asked, DuplicateIdentity
from watchbell.store.session import Database

HOSTILE = "<img src=x onerror=alert(1)>"
NOBODY = "8479359e-dbeb-4858-813c-e8a9008dde04"


def rows(page: BeautifulSoup, table: str = "#devices") -> dict[str, list[str]]:
    """Return the texts of the cells of each row, by the one that names it."""
    found = {}
    for row in page.select(f"{table} tbody tr"):
        cells = {cell["data-label"]: " ".join(cell.text.split()) for cell in row.select("td[data-label]")}
        if cells:
            found[cells.get("Device") or cells["Job"]] = [text for label, text in cells.items() if label != "Actions"]
    return found


def test_without_a_device_the_page_says_what_one_is_and_how_to_add_it(admin: Person) -> None:
    page = admin.see("/fleet/devices")

    assert page.select_one("main .wb-empty a[href='/fleet/devices/join/new']")
    assert admin.get("/fleet/devices.json").get_json() == []


def test_the_list_tells_how_each_device_stands_and_what_it_is_at(admin: Person, db: Database) -> None:
    uuid = add(db, "pi-kitchen", tags={"site": "north"}, type="sensor")
    add(db, "pi-attic", active=False)
    put(db, uuid, seen_at=clock.now())
    give(db, uuid, "patch", end="failed", exit_code=3)

    page = admin.see("/fleet/devices")

    assert page.select_one(".wb-answer").text == "2 devices: 1 online, 1 pending."  # type: ignore[union-attr]
    found = rows(page)
    assert found["pi-kitchen"][1:] == ["online", "just now", "failed patch", "sensor", "", "site=north"]
    assert found["pi-attic"][1:4] == ["pending", "never", "none yet"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=kitchen", ["pi-kitchen"]),
        ("q=site%3Dnorth", ["pi-kitchen"]),
        ("state=pending", ["pi-attic"]),
        ("state=offline", []),
        ("tag=site", ["pi-kitchen"]),
        ("group=upstairs", ["pi-attic"]),
        ("type=sensor&state=never", ["pi-kitchen"]),
        ("order=-name", ["pi-kitchen", "pi-attic"]),
        ("length=1&page=2", ["pi-kitchen"]),
    ],
)
def test_page_table_and_twins_answer_to_the_same_filters(
    admin: Person, db: Database, query: str, found: list[str]
) -> None:
    add(db, "pi-kitchen", tags={"site": "north"}, type="sensor")
    devices.put_group(db, "upstairs", [add(db, "pi-attic", active=False)], now=clock.now(), actor="ann")

    assert list(rows(admin.see(f"/fleet/devices?{query}"))) == found
    if "page" in query:
        return
    sent = query.replace("q=", "search[value]=").replace("order=-name", "order[0][name]=name&order[0][dir]=desc")
    table = admin.get(f"/fleet/devices/data?draw=3&start=0&{sent}").get_json()
    assert [BeautifulSoup(row["1"], "html.parser").text for row in table["data"]] == found
    assert (table["draw"], table["recordsTotal"], table["recordsFiltered"]) == (3, 2, len(found))
    assert [row["name"] for row in admin.get(f"/fleet/devices.json?{query}").get_json()] == found
    csv = admin.get(f"/fleet/devices.csv?{query}").text.splitlines()
    assert [line.split(",")[1] for line in csv[1:]] == found


@pytest.mark.parametrize(
    "query",
    ["state=asleep", "order=key_hash", "order=--name", "page=x", "cols=nothing", f"tag={'x' * 400}", "length=0"],
)
def test_what_no_list_knows_is_refused_by_its_name(admin: Person, query: str) -> None:
    answer = admin.get(f"/fleet/devices?{query}")

    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


def test_a_page_behind_the_last_leads_to_the_last(admin: Person, db: Database) -> None:
    add(db)

    assert admin.get("/fleet/devices?page=9").headers["Location"].endswith("page=1")


def test_a_device_that_is_added_by_hand_gets_a_key_that_is_shown_once(admin: Person, db: Database) -> None:
    device_groups.create(db, "kitchens", now=clock.now(), actor="ann")
    fields = {
        "name": "pi-kitchen",
        "type": "gateway",
        "zone": "Europe/Berlin",
        "tags": "site=north\n\n floor = 2 ",
        "groups": "kitchens",
    }
    answer = admin.post("/fleet/devices/new", fields)

    page = BeautifulSoup(answer.text, "html.parser")
    secret = str(page.select_one("#key")["value"])  # type: ignore[index]
    line = line_of(db, str(page.select_one("#uuid")["value"]))  # type: ignore[index]
    assert devices.resolve(db, secret, now=clock.now()).uuid == line.device.uuid
    assert secret in str(page.select_one("#ask")["value"])  # type: ignore[index]
    assert answer.headers["Cache-Control"] == "no-store"
    assert (line.device.name, line.device.zone, dict(line.tags), list(line.groups)) == (
        "pi-kitchen", "Europe/Berlin", {"floor": "2", "site": "north"}, ["kitchens"],
    )  # fmt: skip
    for path in (f"/fleet/devices/{line.device.uuid}", "/fleet/devices", "/audit", "/fleet/devices.json"):
        assert secret not in admin.get(path).text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"type": ""}, "type"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"ip_address": "10.0.0.7; id"}, "ip_address"),
        ({"tags": "north"}, "tags"),
        ({"tags": "a=1\na=2"}, "tags"),
        ({"tags": "uuid=1"}, "tags"),
        ({"groups": "nobody"}, "groups"),
    ],
    ids=str,
)
def test_a_wrong_device_is_refused_at_its_field_and_nothing_is_made(
    admin: Person, db: Database, fields: dict[str, str], field: str
) -> None:
    device_groups.create(db, "kitchens", now=clock.now(), actor="ann")
    answer = admin.post("/fleet/devices/new", {"name": "pi", "type": "gateway", **fields})

    assert answer.status_code == 422
    assert BeautifulSoup(answer.text, "html.parser").select_one(f"#{field}-error") is not None
    assert names(db) == []


def test_the_form_shows_what_a_device_is_and_changes_only_that(admin: Person, db: Database) -> None:
    uuid = add(db, "pi", tags={"site": "north"}, ip_address="10.0.0.7")
    devices.put_group(db, "kitchens", [uuid], now=clock.now(), actor="ann")
    put(db, uuid, os_version="Debian 12", facts={"cpu": "arm"})

    page = admin.see(f"/fleet/devices/{uuid}/edit")
    assert page.select_one("#name")["value"] == "pi"  # type: ignore[index]
    assert page.select_one("#tags").text.strip() == "site=north"  # type: ignore[union-attr]
    assert page.select_one("input[name=groups][value=kitchens]").has_attr("checked")  # type: ignore[union-attr]
    answer = admin.post(f"/fleet/devices/{uuid}/edit", {"name": "pi-2", "type": "gateway", "ip_address": ""})

    assert answer.headers["Location"] == f"/fleet/devices/{uuid}"
    line = line_of(db, uuid)
    assert (line.device.name, line.device.ip_address, dict(line.tags), list(line.groups)) == ("pi-2", "", {}, [])
    assert (line.device.os_version, line.device.facts, line.device.is_active) == ("Debian 12", {"cpu": "arm"}, True)


def test_one_device_tells_what_it_is_at_what_it_has_done_and_what_it_says_of_itself(
    admin: Person, db: Database
) -> None:
    uuid = add(db, "pi", tags={"site": "north"})
    give(db, uuid, "first", end="succeeded", exit_code=0)
    give(db, uuid, "second", end="failed", exit_code=3, reason="no space left", failed_step="fetch")
    give(db, uuid, "third", end="in_progress")
    put(db, uuid, seen_at=clock.now(), seen_from="10.0.0.9", facts={"load": [0.5, 0.4], "disk": {"free": 12}})

    page = admin.see(f"/fleet/devices/{uuid}")

    assert "At work on third." in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert rows(page, "#now")["third"][1] == "in progress"
    history = rows(page, "#history")
    assert list(history) == ["third", "second", "first"]
    assert (history["second"][1], history["second"][4], history["second"][5]) == ("failed", "3", "fetch: no space left")
    assert "1 of 2 jobs of the last 30 days succeeded (50 %)." in page.text
    facts = {dt.text: dt.find_next("dd").text for dt in page.select("#facts dt")}  # type: ignore[union-attr]
    assert facts == {"Load": "0.50 · 0.40", "disk.free": "12"}
    only = admin.see(f"/fleet/devices/{uuid}?state=failed")
    assert list(rows(only, "#history")) == ["second"]


def test_the_jobs_of_a_device_are_turned_by_key_and_leave_as_twins(
    admin: Person, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchbell.web.device_page.JOB_ROWS", 2)
    uuid = add(db, "pi")
    for number in range(5):
        give(db, uuid, f"job-{number}", end="succeeded", exit_code=0)

    seen = []
    address = f"/fleet/devices/{uuid}"
    for _turn in range(3):
        page = admin.see(address)
        seen += list(rows(page, "#history"))
        older = page.select_one(".wb-pager a[rel=next]")
        address = str(older["href"]) if older else ""
    assert (seen, address) == ([f"job-{n}" for n in (4, 3, 2, 1, 0)], "")
    told = admin.get(f"/fleet/devices/{uuid}/jobs.json").get_json()
    assert [(job["name"], job["state"], job["duration_seconds"]) for job in told][:2] == [
        ("job-4", "succeeded", 5.0), ("job-3", "succeeded", 5.0),
    ]  # fmt: skip
    assert len(admin.get(f"/fleet/devices/{uuid}/jobs.csv?state=failed").text.splitlines()) == 1
    assert admin.get(f"/fleet/devices/{uuid}?before=999999").status_code == 422


def test_a_device_is_switched_off_and_on_and_each_can_be_taken_back(admin: Person, db: Database) -> None:
    uuid = add(db, "pi")

    page = BeautifulSoup(admin.post(f"/fleet/devices/{uuid}/deactivate", follow_redirects=True).text, "html.parser")
    assert page.select_one(f"form[action='/fleet/devices/{uuid}/activate']")
    assert line_of(db, uuid).standing == "inactive"
    assert admin.post(f"/fleet/devices/{uuid}/activate", {"back": "list"}).headers["Location"] == "/fleet/devices"
    assert line_of(db, uuid).standing == "never"


def test_two_agents_with_its_credentials_are_told_until_somebody_says_that_one_is_left(
    admin: Person, db: Database
) -> None:
    code = enrolment.create(db, name=HOSTILE, now=clock.now(), actor="ann").secret
    uuid = enrolment.join(db, code, now=clock.now()).uuid
    agents.poll(db, uuid, Asked("1" * 32, (), 1), now=clock.now())
    assert "Two agents" not in admin.get(f"/fleet/devices/{uuid}").text
    with pytest.raises(DuplicateIdentity):
        agents.poll(db, uuid, Asked("2" * 32, (), 1), now=clock.now(), address="10.0.0.7")

    notice = admin.see(f"/fleet/devices/{uuid}").select_one(".wb-notice[role=alert]")
    assert notice is not None
    assert "the second one from 10.0.0.7" in notice.text
    answer = admin.post(f"/fleet/devices/{uuid}/settle", follow_redirects=True)

    assert "The next agent that asks" in answer.text
    assert "Two agents" not in answer.text
    assert agents.list_conflicts(db) == []


def test_a_key_is_replaced_shown_once_and_taken_away(admin: Person, db: Database) -> None:
    made, first = devices.add(db, {"name": "pi"}, now=clock.now(), actor="ann")
    uuid = made.device.uuid

    page = BeautifulSoup(admin.post(f"/fleet/devices/{uuid}/key").text, "html.parser")
    second = str(page.select_one("#key")["value"])  # type: ignore[index]
    assert second != first
    assert devices.find_by_key(db, devices.hash_of(first), now=clock.now()) is None
    assert devices.find_by_key(db, devices.hash_of(second), now=clock.now()) is not None
    assert admin.post(f"/fleet/devices/{uuid}/key/revoke").status_code == 303
    assert devices.find_by_key(db, devices.hash_of(second), now=clock.now()) is None
    assert "It has no key" in admin.see(f"/fleet/devices/{uuid}").text


def test_deleting_asks_with_what_goes_and_is_done(admin: Person, db: Database) -> None:
    uuid = add(db, "pi")
    give(db, uuid, end="succeeded", exit_code=0)

    form = admin.see(f"/fleet/devices/{uuid}").select_one(f"form[action='/fleet/devices/{uuid}/delete']")
    assert "1 job" in form["data-confirm"] and "cannot be undone" in form["data-confirm"]  # type: ignore[index]
    assert admin.post(f"/fleet/devices/{uuid}/delete").headers["Location"] == "/fleet/devices"
    assert admin.get(f"/fleet/devices/{uuid}").status_code == 404


def test_names_tags_facts_and_reasons_are_text_and_nothing_else(admin: Person, db: Database) -> None:
    uuid = add(db, HOSTILE, tags={"site": HOSTILE}, type=HOSTILE, os_version=HOSTILE)
    devices.put_group(db, HOSTILE, [uuid], now=clock.now(), actor="ann")
    give(db, uuid, HOSTILE, end="failed", exit_code=1, reason=HOSTILE, failed_step=HOSTILE)
    deep: Any = HOSTILE
    for _level in range(30):
        deep = {HOSTILE: deep}
    put(
        db,
        uuid,
        seen_from=HOSTILE,
        zone=HOSTILE,
        facts={
            HOSTILE: HOSTILE,
            "deep": deep,
            "long": "x" * 9000,
            "none": None,
            "list": [{"a": HOSTILE}],
            **{f"f{n}": n for n in range(400)},
        },
    )
    (group,) = device_groups.list_all(db, now=clock.now())

    for path in (
        *("/fleet/devices?view=all", f"/fleet/devices/{uuid}", f"/fleet/devices/{uuid}/edit", "/fleet/groups"),
        *(f"/fleet/groups/{group.group.id}", f"/fleet/groups/{group.group.id}/edit", "/search?q=img"),
        "/fleet/devices?cols=name.state.seen.job.type.groups.tags.address.os.agent.zone.uuid.made.acts",
    ):
        page = admin.see(path)
        assert not page.select("main img"), path
        assert HOSTILE in page.text or HOSTILE in str([field.get("value") for field in page.select("input")]), path
    cells = admin.get("/fleet/devices/data?draw=1").get_json()["data"][0]
    assert not BeautifulSoup("".join(cells.values()), "html.parser").select("img")
    assert json.loads(admin.get("/fleet/devices.json").text)[0]["name"] == HOSTILE
    facts = admin.see(f"/fleet/devices/{uuid}").select("#facts dt")
    assert len(facts) == 200


def test_a_name_that_a_spreadsheet_would_compute_is_defused(admin: Person, db: Database) -> None:
    add(db, "=cmd|' /C calc'!A0")

    assert "'=cmd" in admin.get("/fleet/devices.csv").text


@pytest.mark.parametrize("path", ["", "/edit", "/jobs.csv", "/jobs.json"])
@pytest.mark.parametrize("uuid", [NOBODY, "x", "%ed%a0%80"])
def test_a_device_that_is_not_there_is_not_found(admin: Person, uuid: str, path: str) -> None:
    assert admin.get(f"/fleet/devices/{uuid}{path}").status_code in {404, 400}


def test_a_list_is_kept_as_a_view_with_its_filters(admin: Person, db: Database) -> None:
    add(db, "pi")

    admin.post("/views", {"page": "fleet_devices", "name": "silent", "query": "state=offline&order=seen"})

    page = admin.see("/views")
    (link,) = [one for one in page.select("a") if one.text.strip() == "silent"]
    assert admin.get(str(link["href"])).headers["Location"].startswith("/fleet/devices?state=offline")
