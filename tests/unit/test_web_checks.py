from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from flask import Flask

from tests.web_fixtures import Person
from watchbell.config import Config
from watchbell.errors import ConfigError
from watchbell.store.session import Database
from watchbell.web.assets import asset
from watchbell.web.checks import allowed_hosts
from watchbell.web.factory import create_app
from watchbell.web.secret_key import secret_key

STOP = "/scheduler/stop"


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:8080", "[::1]:5000", "[::1]", "LOCALHOST"])
def test_this_machine_is_called_by_its_names(anonymous: Person, host: str) -> None:
    assert anonymous.get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:5000", "169.254.169.254", "localhost.evil.example", "localhost:0", "localhost:70000",
        "localhost@evil.example", "evil.example#localhost", "localhost, evil.example", "local host", "", "127.0.0.2",
        "[::1].evil.example", "localhost:5000:5000", "watchtower", "a..b", ".example", "x" * 300,
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused_before_anything_happens(admin: Person, host: str) -> None:
    for url in ("/", "/login", "/health", "/no-such-page", "/static/x/css/base.css", "/overview.json"):
        answer = admin.get(url, headers={"Host": host})

        assert answer.status_code == 400, url
        assert host not in answer.text or not host


def test_more_names_come_from_the_settings(web_config: Config) -> None:
    beyond = dataclasses.replace(web_config, host="192.0.2.10", allowed_hosts=("bell.example",))

    assert {"bell.example", "192.0.2.10", "watchtower", "localhost"} <= allowed_hosts(beyond)
    assert "0.0.0.0" not in allowed_hosts(dataclasses.replace(web_config, host="0.0.0.0"))
    assert "watchtower" not in allowed_hosts(web_config)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost.evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)  # fmt: skip
def test_a_form_of_another_site_is_refused_even_with_a_token(admin: Person, headers: dict[str, str]) -> None:
    answer = admin.post(STOP, headers=headers)

    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_method_that_changes_something_is_forgotten(admin: Person, method: str) -> None:
    assert admin.client.open(STOP, method=method, headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_form_of_ours_is_accepted(admin: Person, headers: dict[str, str]) -> None:
    assert admin.post(STOP, headers=headers).status_code == 303


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", "http://[x]"])
def test_an_origin_that_is_no_url_is_another_site_and_no_error(anonymous: Person, origin: str) -> None:
    answer = anonymous.client.post("/login", data={"password": "x"}, headers={"Origin": origin})

    assert answer.status_code == 403
    assert "another site" in answer.text


def test_a_login_from_another_site_is_refused(anonymous: Person) -> None:
    answer = anonymous.client.post("/login", data={"password": "x"}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403


@pytest.mark.parametrize("url", ["/scheduler/start", "/scheduler/stop", "/scheduler/restart", "/log/clear"])
def test_looking_changes_nothing(admin: Person, url: str) -> None:
    for method in ("GET", "HEAD"):
        answer = admin.client.open(url, method=method, headers={"X-HTTP-Method-Override": "POST"})

        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("url", ["/", "/login", "/no-such-page", "/overview.json", "/health", "/static/x/css/base.css"])
def test_every_answer_carries_the_policy(admin: Person, url: str) -> None:
    headers = admin.get(url).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert {"frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"} <= {p.strip() for p in policy.split(";")}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert len(headers["X-Request-ID"]) >= 12
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_pages_are_never_kept_and_stamped_files_always(admin: Person) -> None:
    page = admin.get("/")
    sheet = admin.see("/").select_one("link[href*='css/base.css']")
    assert sheet is not None
    stamped = admin.get(str(sheet["href"]))
    of_before = admin.get("/static/0123456789ab/css/base.css")

    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]
    assert "immutable" in stamped.headers["Cache-Control"]
    assert (of_before.status_code, of_before.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name", ["../pyproject.toml", "..%2fpyproject.toml", "css/../../pyproject.toml", "css/none.css"]
)
def test_static_addresses_lead_nowhere_else(anonymous: Person, name: str) -> None:
    assert anonymous.get(f"/static/x/{name}").status_code == 404


def test_more_than_the_server_takes_is_refused(anonymous: Person) -> None:
    answer = anonymous.client.post("/login", data={"password": "x" * 10_000_000})

    assert answer.status_code == 413


def test_a_missing_page_says_so_to_people_and_to_programs(admin: Person, anonymous: Person) -> None:
    page = admin.get("/no-such-page")
    assert (page.status_code, page.content_type) == (404, "text/html; charset=utf-8")
    assert 'aria-label="Main"' in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert 'aria-label="Main"' not in anonymous.get("/no-such-page").text

    told = admin.get("/no-such-page", headers={"Accept": "application/json"})
    assert told.get_json() == {"error": told.get_json()["error"], "request_id": told.headers["X-Request-ID"]}


def test_a_database_that_does_not_answer_makes_things_late_and_not_dead(
    admin: Person, app: Flask, tmp_path: Path
) -> None:
    empty = Database.open(f"sqlite:///{tmp_path}/empty.db")
    app.extensions["watchbell.database"] = empty

    page = admin.get("/")
    told = admin.get("/overview.json")
    health = admin.get("/health")

    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) > 0
    assert "request" in page.text
    assert not {"SELECT", "Traceback", str(tmp_path)} & set(page.text.split())
    assert (told.status_code, set(told.get_json())) == (503, {"error", "request_id"})
    assert (health.status_code, health.get_json()["status"]) == (503, "unhealthy")
    empty.close()


def test_what_is_open_to_everybody_asks_the_database_nothing_about_a_cookie(
    admin: Person, app: Flask, tmp_path: Path
) -> None:
    empty = Database.open(f"sqlite:///{tmp_path}/empty.db")
    app.extensions["watchbell.database"] = empty

    with app.test_request_context():
        sheet = asset("css/base.css")

    assert admin.get(sheet).status_code == 200
    empty.close()


def test_a_fault_of_ours_tells_its_number_and_nothing_else(
    admin: Person, app: Flask, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with db.write() as session:
        # No time of ours, in either database.
        session.connection().exec_driver_sql("UPDATE account SET created_at = 'infinity'")
    app.testing = False
    try:
        answer = admin.get("/account/password\r\nforged")
        fault = admin.get("/overview.json?x=\r\nforged")
    finally:
        app.testing = True

    assert answer.status_code in {404, 500}
    assert fault.status_code == 500
    number = fault.get_json()["request_id"]
    assert set(fault.get_json()) == {"error", "request_id"}
    assert "time" not in fault.text
    assert any(number in record.getMessage() for record in caplog.records)
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_making_the_application_opens_no_connection(tmp_path: Path) -> None:
    app = create_app(Config.load({"home": tmp_path}, {}))

    database = app.extensions["watchbell.database"]
    assert database.engine.pool.checkedin() == database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert not (tmp_path / "watchbell.db").exists()


def test_without_logins_nothing_beyond_loopback_is_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        create_app(Config.load({"home": tmp_path, "auth": "off", "host": "0.0.0.0"}, {}))


def test_behind_a_proxy_the_cookie_needs_tls_and_the_proxy_names_the_client(tmp_path: Path) -> None:
    app = create_app(Config.load({"home": tmp_path, "behind_proxy": "on", "allowed_hosts": "bell.example"}, {}))

    assert app.config["SESSION_COOKIE_SECURE"]
    assert app.config["SESSION_COOKIE_NAME"].startswith("__Host-")
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    assert app.test_client().get("/health", headers=forwarded).status_code == 400


@pytest.mark.parametrize("key", ["changeme", "x" * 31])
def test_a_key_that_protects_nothing_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="at least 32"):
        secret_key(Config.load({"home": tmp_path, "secret_key": key}, {}))


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    config = Config.load({"home": tmp_path / "new"}, {})

    first = secret_key(config)

    path = tmp_path / "new" / "secret.key"
    assert secret_key(config) == first
    assert len(first) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]


def test_a_damaged_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("short\n")

    with pytest.raises(ConfigError, match=r"secret\.key"):
        secret_key(Config.load({"home": tmp_path}, {}))
