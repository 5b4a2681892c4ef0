"""The pages by which devices join: codes that are shown once, listed and revoked, and devices that wait to be let in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import accounts, device_groups, device_lists, devices, enrolment
from watchbell.services.enrolment import EnrolmentRefused
from watchbell.store.accounts import Account
from watchbell.store.session import Database

HOSTILE = "<img src=x onerror=alert(1)>"


def join(db: Database, secret: str, hostname: str = "pi") -> str:
    """Let a device join and return its uuid."""
    return enrolment.join(db, secret, hostname=hostname, now=clock.now(), address="10.0.0.7").uuid


def make(person: Person, **fields: str) -> str:
    """Make a code on the page and return its secret."""
    answer = person.post("/fleet/devices/join/new", {"expires": "1h", **fields})
    assert answer.status_code == 200, answer.text
    return str(BeautifulSoup(answer.text, "html.parser").select_one("#code")["value"])  # type: ignore[index]


def test_a_code_is_shown_once_with_the_line_for_the_device_and_works(admin: Person, db: Database) -> None:
    device_groups.create(db, "kitchens", now=clock.now(), actor="ann")
    answer = admin.post(
        "/fleet/devices/join/new", {"expires": "15m", "name": "pi-kitchen", "group": "kitchens", "tags": "site=north"}
    )

    page = BeautifulSoup(answer.text, "html.parser")
    secret = str(page.select_one("#code")["value"])  # type: ignore[index]
    line = str(page.select_one("#line")["value"])  # type: ignore[index]
    fetching = "curl -fsSo watchbell-agent.pyz http://localhost/agent/v1/program && "
    joining = f"--url http://localhost --enroll {secret}"
    assert line == f"{fetching}python3 watchbell-agent.pyz --state watchbell-agent {joining}"
    service = str(page.select_one("#service")["value"])  # type: ignore[index]
    assert service == f"{fetching}sudo python3 watchbell-agent.pyz --install {joining}"
    assert "--plain-http" not in page.text
    assert answer.headers["Cache-Control"] == "no-store"
    (code,) = enrolment.list_all(db, now=clock.now())
    assert timedelta(minutes=14) < code.expires_at - clock.now() <= timedelta(minutes=15)
    for path in ("/fleet/devices/join", "/fleet/devices/join.json", "/fleet/devices/join.csv", "/audit"):
        assert secret not in admin.get(path).text
        assert code.prefix in admin.get(path).text
    line_of = device_lists.line_of(db, join(db, secret), now=clock.now())
    assert (line_of.device.name, list(line_of.groups), dict(line_of.tags), line_of.device.is_active) == (
        "pi-kitchen", ["kitchens"], {"site": "north"}, True,
    )  # fmt: skip


def test_by_plain_http_from_elsewhere_the_line_says_so_and_the_page_warns(
    app: Flask, db: Database, admin_account: Account
) -> None:
    # The fixture puts back what stood there.
    app.extensions["watchbell.hosts"] |= {"bell.example.org"}
    client, there = app.test_client(), {"base_url": "http://bell.example.org"}
    client.get(f"/login/link/{accounts.make_link(db, admin_account.username, now=clock.now())}", **there)
    token = BeautifulSoup(client.get("/logout", **there).text, "html.parser").select_one("input[name=csrf_token]")
    assert token is not None

    answer = client.post("/fleet/devices/join/new", data={"expires": "1h", "csrf_token": token["value"]}, **there)

    page = BeautifulSoup(answer.text, "html.parser")
    assert "--url http://bell.example.org --enroll wbe_" in str(page.select_one("#line")["value"])  # type: ignore[index]
    assert str(page.select_one("#service")["value"]).endswith(" --plain-http")  # type: ignore[index]
    assert "plain HTTP" in page.select_one("main .wb-notice.wb-tone-missed").text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"expires": "forever"}, "expires"),
        ({"name": "a\tb"}, "name"),
        ({"group": "nobody"}, "group"),
        ({"tags": "north"}, "tags"),
    ],
    ids=str,
)
def test_a_wrong_code_is_refused_at_its_field_and_nothing_is_made(
    admin: Person, db: Database, fields: dict[str, str], field: str
) -> None:
    answer = admin.post("/fleet/devices/join/new", {"expires": "1h", **fields})

    assert answer.status_code == 422
    assert BeautifulSoup(answer.text, "html.parser").select_one(f"#{field}-error"), answer.text
    assert enrolment.list_all(db, now=clock.now()) == []


def test_codes_are_listed_by_what_can_be_done_with_them_and_revoked(admin: Person, db: Database) -> None:
    used, revoked = make(admin), make(admin)
    uuid = join(db, used)
    number = next(code.id for code in enrolment.list_all(db, now=clock.now()) if code.state == "open")

    assert len(admin.see("/fleet/devices/join").select("#codes tbody tr")) == 1
    assert admin.post(f"/fleet/devices/join/{number}/revoke").status_code == 303
    with pytest.raises(EnrolmentRefused):
        join(db, revoked)
    page = admin.see("/fleet/devices/join?state=all")
    assert {row.select("td")[1].text for row in page.select("#codes tbody tr")} == {"used", "revoked"}
    assert page.select_one(f"#codes a[href='/fleet/devices/{uuid}']")
    assert not page.select("#codes form")
    told = admin.get("/fleet/devices/join.json").get_json()
    assert {(one["state"], one["device_uuid"]) for one in told} == {("used", uuid), ("revoked", None)}
    assert admin.post("/fleet/devices/join/999/revoke").status_code == 404


def test_a_device_that_waits_is_let_in_or_turned_away(admin: Person, db: Database) -> None:
    good = join(db, make(admin, needs_approval="y"), "good")
    bad = join(db, make(admin, needs_approval="y"), HOSTILE)

    page = admin.see("/fleet/devices/join")
    assert "2 devices wait to be let in" in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert not page.select("main img") and HOSTILE in page.text
    let_in = admin.post(f"/fleet/devices/{good}/activate", {"back": "join"})
    assert let_in.headers["Location"] == "/fleet/devices/join"
    assert admin.post(f"/fleet/devices/{bad}/delete", {"back": "join"}).headers["Location"] == "/fleet/devices/join"
    assert devices.get(db, good, now=clock.now()).device.is_active
    assert [
        view.device.uuid
        for view in devices.list_page(db, now=clock.now(), is_active=None, is_online=None, page=1, limit=9)[0]
    ] == [good]
    assert not admin.see("/fleet/devices/join").select("#waiting")


def test_who_may_not_make_codes_sees_them_and_nothing_else(enter: Enter, db: Database) -> None:
    enrolment.create(db, now=clock.now(), actor="ann")
    operator = enter("operator")

    page = operator.see("/fleet/devices/join")
    assert not page.select("main form[method=post], main a[href='/fleet/devices/join/new']")
    assert operator.get("/fleet/devices/join/new").status_code == 403
    assert operator.post("/fleet/devices/join/new", {"expires": "1h"}).status_code == 403
