"""Which login at a provider opens which account: linked by its owner, and unlinked by them or an administrator."""

from __future__ import annotations

from flask import Flask

from tests.provider_people import ANN, FOUND, PASSWORD, ask_link, come_back, link, log_in, make_old, told
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import accounts, identities
from watchbell.store.session import Database


def test_one_links_ones_own_account_and_unlinks_it_which_ends_its_other_sessions(
    browser: Person, app: Flask, db: Database
) -> None:
    browser.client.post("/login", data={"username": "ann", "password": PASSWORD})
    assert "Not linked" in browser.see("/account/identities").text

    # Neither a page elsewhere can begin it, nor does it count before its owner has said that it is them.
    assert browser.get("/account/identities/link").status_code == 405
    assert browser.client.post("/account/identities/link").status_code == 400
    assert browser.get(come_back(ask_link(browser), **ANN)).headers["Location"] == FOUND
    assert "ann@corp.example" in browser.see(FOUND).text
    assert identities.list_of(db, "ann") == []
    assert browser.client.post(FOUND).status_code == 400
    assert identities.list_of(db, "ann") == []

    assert browser.post(FOUND).headers["Location"] == "/account/identities"

    page = browser.see("/account/identities")
    assert "ann@corp.example" in page.text
    other = Person(app.test_client())
    assert log_in(other, **ANN).headers["Location"] == "/"
    form = page.select_one("form[action$='/remove']")
    assert form is not None
    browser.post(str(form["action"]))
    assert browser.is_in()
    assert not other.is_in()
    assert "no account here" in told(other, log_in(other, **ANN))


def test_whoever_has_logged_in_becomes_nobody_else_by_an_address_alone(
    browser: Person, db: Database, issuer: str
) -> None:
    link(db, issuer, "admin")
    browser.client.post("/login", data={"username": "ann", "password": PASSWORD})

    assert browser.get("/login/provider?next=/runs").headers["Location"] == "/runs"


def test_an_administrator_sees_and_removes_links_of_others(
    browser: Person, app: Flask, db: Database, issuer: str
) -> None:
    link(db, issuer)
    log_in(browser, **ANN)
    boss = Person(app.test_client())
    boss.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")
    address = f"/users/{accounts.find(db, 'ann').id}"
    button = boss.see(address).select_one("button[value^='unlink:']")
    assert button is not None
    assert "4711" in boss.see(address).text
    # The Enter key presses the first button of a form.
    assert boss.see(address).select("main form[action^='/users/'] button")[0]["value"] == "save"

    assert boss.post(address, {"act": button["value"]}).status_code == 303

    assert identities.list_of(db, "ann") == []
    assert not browser.is_in()
    (entry, *_rest) = boss.get("/audit.json").json  # type: ignore[misc]
    assert (entry["action"], entry["actor"], entry["detail"]["did"]) == ("account.identity", "admin", "unlink")
    assert boss.post(address, {"act": "unlink:x"}).status_code == 404


def test_what_is_linked_with_one_account_is_not_linked_with_another(browser: Person, db: Database, issuer: str) -> None:
    link(db, issuer, "admin")
    browser.client.post("/login", data={"username": "ann", "password": PASSWORD})

    browser.get(come_back(ask_link(browser), **ANN))
    browser.post(FOUND)

    assert "linked with another account already" in browser.see("/account/identities").text
    assert identities.list_of(db, "ann") == []


def test_linking_asks_for_the_password_if_the_login_is_not_of_just_now(
    browser: Person, db: Database, issuer: str
) -> None:
    link(db, issuer)
    browser.client.post("/login", data={"username": "ann", "password": PASSWORD})
    make_old(db)
    (identity,) = identities.list_of(db, "ann")

    assert browser.post("/account/identities/link").headers["Location"] == "/account/identities"
    browser.post(f"/account/identities/{identity.id}/remove")
    assert identities.list_of(db, "ann")

    assert browser.post("/account/identities", {"current": "wrong"}).status_code == 422
    assert browser.post("/account/identities", {"current": PASSWORD}).status_code == 303
    assert ask_link(browser)
