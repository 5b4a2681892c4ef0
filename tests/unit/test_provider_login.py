"""Logging in through a real OpenID provider, which is a process of its own: what is believed, what is not, and who is meant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import requests
from flask import Flask

from tests.openid_provider import CLIENT_ID, CLIENT_SECRET
from tests.provider_people import ANN, PASSWORD, ask, come_back, link, log_in, make_old, told, use
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.config import Config
from watchbell.errors import ConfigError
from watchbell.services import accounts, second_factors
from watchbell.store.session import Database
from watchbell.web.factory import create_app


def test_whoever_is_linked_logs_in_by_the_button_and_goes_where_they_wanted(
    browser: Person, db: Database, issuer: str
) -> None:
    link(db, issuer)
    button = browser.see("/login?next=/runs%3Fstate%3Dfailed").find("a", string="Log in with Corp")
    assert button is not None

    answer = log_in(browser, str(button["href"]), **ANN)  # type: ignore[index]

    assert answer.headers["Location"] == "/runs?state=failed"
    assert browser.is_in()
    assert "ann" in browser.see("/").select_one(".wb-header__name").text  # type: ignore[union-attr]
    (login,) = accounts.list_logins(db, "ann", now=clock.now())
    assert login.way == "provider"
    assert "provider" in browser.see("/account/sessions").text


def test_the_question_has_a_state_a_nonce_and_a_challenge_and_no_secret(browser: Person) -> None:
    asked, again = (parse_qs(urlsplit(ask(browser)).query) for _ in range(2))

    assert asked["response_type"] == ["code"] and asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://localhost/login/provider/callback"]
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))
    assert CLIENT_SECRET not in str(asked)


TWISTS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "an issuer that begins so": {"iss": "http://127.0.0.1"},
    "another audience": {"aud": "another program"},
    "no audience": {"aud": None},
    "another party": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "another key": {"key": "wrong"},
    "our own secret as key": {"alg": "HS256"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 4711},
}


def test_nothing_is_believed_that_is_not_signed_for_this_login(browser: Person, db: Database, issuer: str) -> None:
    link(db, issuer)

    for name, twist in TWISTS.items():
        said = told(browser, log_in(browser, **ANN, twist=twist))
        assert "begin again" in said or "subject" in said, name

    with db.read() as session:
        rows = session.connection().exec_driver_sql("SELECT count(*) FROM audit_entry WHERE action = 'login.refuse'")
        assert rows.scalar_one() == len(TWISTS)


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    browser: Person, app: Flask, db: Database, issuer: str
) -> None:
    link(db, issuer)
    back = come_back(ask(browser), **ANN)
    other = Person(app.test_client())

    assert "begun in this browser" in told(other, other.get(back))
    # One that has begun a login of its own has another state.
    ask(other)
    assert "begun in this browser" in told(other, other.get(back))
    name = app.config["SESSION_COOKIE_NAME"]
    kept = browser.client.get_cookie(name)
    assert kept is not None
    assert browser.get(back).headers["Location"] == "/"
    assert browser.is_in()
    browser.post("/logout")
    assert "begun in this browser" in told(browser, browser.get(back))
    # Nor does it with the cookie of before: it is not even shown to the provider again, nor written down like the other one.
    for _ in range(3):
        browser.client.set_cookie(name, kept.value)
        assert "begun in this browser" in told(browser, browser.get(back))
    with db.read() as session:
        rows = session.connection().exec_driver_sql("SELECT count(*) FROM audit_entry WHERE action = 'login.refuse'")
        assert rows.scalar_one() == 1


def test_a_code_of_another_login_does_not_fit_the_verifier(
    browser: Person, app: Flask, db: Database, issuer: str
) -> None:
    link(db, issuer)
    victim = Person(app.test_client())
    stolen = parse_qs(urlsplit(come_back(ask(victim), **ANN)).query)["code"][0]
    own = parse_qs(urlsplit(ask(browser)).query)["state"][0]

    answer = browser.get("/login/provider/callback", query_string={"code": stolen, "state": own})

    assert "did not accept the login" in told(browser, answer)


def test_what_the_provider_says_against_it_is_told_as_text_and_ends_the_question(browser: Person) -> None:
    address = ask(browser)
    assert "did not log you in: <b>not you</b>" in told(browser, browser.get(come_back(address, **ANN, denies=True)))
    assert "begun in this browser" in told(browser, browser.get(come_back(address, **ANN)))
    answer = browser.get("/login/provider/callback?state=x&code=y")
    assert "begun in this browser" in told(browser, answer)


def test_an_answer_of_another_provider_is_none(browser: Person, db: Database, issuer: str) -> None:
    link(db, issuer)

    assert "Another provider" in told(
        browser, browser.get(f"{come_back(ask(browser), **ANN)}&iss=https://evil.example")
    )


def test_nobody_is_meant_by_a_name_or_an_address_alone(browser: Person, db: Database, issuer: str) -> None:
    link(db, issuer)
    accounts.add(db, "ann@corp.example", role="admin", password=None, now=clock.now())

    for claims in ({**ANN, "sub": "4712"}, {**ANN, "sub": "47110"}, {"sub": "ann"}, {"sub": "ann@corp.example"}):
        assert "no account here" in told(browser, log_in(browser, **claims))


def test_by_the_rule_a_verified_address_links_the_account_of_exactly_this_name_once(
    browser: Person, app: Flask, config: Config, db: Database
) -> None:
    use(app, config, oidc_match="email")
    accounts.add(db, "ann@corp.example", role="editor", password=None, now=clock.now())
    refused: list[dict[str, Any]] = [
        {**ANN, "email_verified": False},
        {**ANN, "email_verified": "true"},
        {key: value for key, value in ANN.items() if key != "email_verified"},
        {**ANN, "email": "ann@corp.example.evil.org"},
        {**ANN, "email": "ann@corp-example"},
        {**ANN, "email": "xann@corp.example"},
        {**ANN, "email": ["ann@corp.example"]},
        {**ANN, "email": "%@corp.example"},
    ]
    for claims in refused:
        assert "no account here" in told(browser, log_in(browser, **claims)), claims

    accounts.add(db, "kate@corp.example", role="editor", password=None, now=clock.now())
    for address in ("ANN@corp.example", "\u212aate@corp.example", "Kate@corp.example"):
        assert "no account here" in told(browser, log_in(browser, **{**ANN, "email": address})), address

    assert log_in(browser, **ANN).headers["Location"] == "/"
    browser.post("/logout")
    # From now on only the subject counts: the address of somebody new is another person's.
    assert "no account here" in told(browser, log_in(browser, **{**ANN, "sub": "new here"}))
    assert log_in(browser, sub="4711").headers["Location"] == "/"


def test_an_account_is_made_if_the_settings_give_a_role_and_never_in_the_place_of_one_that_is_there(
    browser: Person, app: Flask, config: Config, db: Database
) -> None:
    use(app, config, oidc_role="viewer")

    assert "no account here" in told(browser, log_in(browser, sub="1", preferred_username="Admin"))
    assert "no account here" in told(browser, log_in(browser, sub="1", preferred_username="no name at all"))
    # Nobody has verified that this address is theirs.
    assert "no account here" in told(browser, log_in(browser, sub="1", preferred_username="cy@corp.example"))
    assert log_in(browser, sub="2", preferred_username="bo").headers["Location"] == "/"
    made = accounts.find(db, "bo")
    assert (made.role, made.password_hash) == ("viewer", None)
    browser.post("/logout")
    assert log_in(browser, sub="2", preferred_username="another name by now").headers["Location"] == "/"
    assert {one.username for one in accounts.list_all(db)} == {"admin", "ann", "bo"}


def test_a_disabled_account_is_not_opened_and_its_sessions_are_over(browser: Person, db: Database, issuer: str) -> None:
    link(db, issuer)
    log_in(browser, **ANN)
    assert browser.is_in()

    accounts.set_active(db, "ann", False, now=clock.now(), actor="admin")

    assert not browser.is_in()
    assert "no account here" in told(browser, log_in(browser, **ANN))


def test_an_account_with_a_second_factor_is_asked_for_its_code_here_too(
    browser: Person, db: Database, issuer: str
) -> None:
    link(db, issuer)
    now = clock.now()
    second_factors.begin(db, "ann", now=now)
    waiting = second_factors.set_up_of(db, "ann", begun=now, now=now)
    assert waiting is not None
    totp = pyotp.TOTP(waiting.secret)
    assert second_factors.confirm(db, "ann", totp.at(now), begun=now, now=now, keep_token="")

    assert log_in(browser, **ANN).headers["Location"] == "/login/code"
    assert not browser.is_in()
    assert browser.post("/login/code", {"code": totp.at(clock.now() + timedelta(seconds=30))}).status_code == 303
    assert browser.is_in()


def test_who_has_no_password_logs_in_there_again_before_a_token_is_made(
    browser: Person, app: Flask, config: Config, db: Database
) -> None:
    use(app, config, oidc_role="viewer")
    log_in(browser, sub="2", preferred_username="bo")
    make_old(db)
    fields = {"name": "x", "scope": "read", "expires": "7d"}
    assert browser.post("/account/tokens/new", fields).status_code == 422
    passwords = {"password": PASSWORD, "repeat": PASSWORD}
    assert browser.post("/account/password", passwords).status_code == 200
    assert accounts.find(db, "bo").password_hash is None
    way = browser.see("/account/tokens/new").find("a", string="Log in again, then come back here")
    assert way is not None
    address = ask(browser, str(way["href"]))  # type: ignore[index]
    assert {"prompt=login", "max_age=0"} <= set(urlsplit(address).query.split("&"))

    # Neither somebody else there, nor one whom the provider has not asked again.
    for claims in ({"sub": "3"}, {"sub": "2", "twist": {"auth_time": 1}}, {"sub": "2", "twist": {"auth_time": None}}):
        log_in(browser, str(way["href"]), **claims)  # type: ignore[index]
        assert browser.post("/account/tokens/new", fields).status_code == 422, claims

    assert log_in(browser, str(way["href"]), sub="2").headers["Location"] == "/account/tokens/new"  # type: ignore[index]
    assert browser.post("/account/tokens/new", fields).status_code == 200


def test_a_provider_that_calls_itself_otherwise_or_does_not_answer_is_told(
    browser: Person, app: Flask, config: Config, issuer: str
) -> None:
    for given, said in (
        (f"{issuer}/", f"calls itself {issuer}; WATCHBELL_OIDC_ISSUER must say exactly that"),
        ("http://127.0.0.1:1", "does not answer"),
        (f"{issuer}/elsewhere", "does not answer"),
    ):
        use(app, config, oidc_issuer=given)
        assert said in told(browser, browser.get("/login/provider"))


def test_a_provider_that_sends_the_server_elsewhere_is_not_followed(
    browser: Person, app: Flask, config: Config, issuer: str
) -> None:
    use(app, config, oidc_issuer=f"{issuer}/moved")
    assert "does not answer" in told(browser, browser.get("/login/provider"))

    use(app, config, oidc_issuer=f"{issuer}/sends-on")
    assert "does not answer" in told(browser, browser.get(come_back(ask(browser), **ANN)))

    assert requests.get(f"{issuer}/how-often-followed", timeout=20).text == "0"


def test_without_a_provider_there_is_no_button_and_no_way(browser: Person, app: Flask, web_config: Config) -> None:
    use(app, web_config)

    assert "Log in with" not in browser.see("/login").text
    assert browser.get("/login/provider").status_code == 404
    assert browser.get("/login/provider/callback?state=x&code=y").headers["Location"] == "/login"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_issuer": "http://corp.example"}, "https://"),
        ({"oidc_issuer": "https://corp.example?x"}, "https://"),
        ({"oidc_issuer": "https://corp.example"}, "belong together"),
        ({"oidc_client_id": "x"}, "belong together"),
        ({"oidc_match": "name"}, "one of none, email"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        create_app(Config.load({"home": tmp_path, **given}, {}))
