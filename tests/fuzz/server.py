"""A whole server, fed with bodies, headers and cookies: whatever is sent, it answers, and with no error of its own."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from werkzeug.test import TestResponse

from tests.fuzz.fuzzing import Target
from tests.fuzz.material import texts, values
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, enrolment
from watchbell.store import schema
from watchbell.store.session import Database
from watchbell.web.factory import create_app

_PAGES = (
    "/tasks/new",
    "/tasks/import",
    "/secrets/new",
    "/tokens/new",
    "/queues/new",
    "/users",
    "/login",
    "/search",
    "/views",
    "/tasks/preview",
    "/language",
)
_LOOKED_AT = ("/", "/overview.json", "/api/v1/tasks", "/runs?sort=x&page=-1", "/account", "/ws")
_HEADERS = (
    "Host", "Origin", "Authorization", "Accept", "Accept-Language", "Accept-Encoding", "X-Forwarded-For", "X-Request-ID", "Sec-Fetch-Site", "Range", "If-None-Match",
    "If-Modified-Since", "User-Agent", "Referer", "X-HTTP-Method-Override", "Content-Length", "Content-Type", "Upgrade", "Connection", "Idempotency-Key",
)  # fmt: skip
_AGENTS = ("poll", "report", "enroll")
_FIELDS = [
    "csrf_token", "name", "command", "steps", "cron", "every", "unit", "at", "zone", "every_word", "at_time", "environment", "tags", "comment", "text", "form", "act", "act_on",
    "username", "password", "next", "code", "retries", "retry_on", "gates", "queue", "host", "value", "q", "when", "back",
]  # fmt: skip


@dataclasses.dataclass
class Server:
    """The application, a browser whose user has logged in, and a device that has joined."""

    app: Flask
    admin: FlaskClient
    form_token: str
    cookie: tuple[str, str]
    device_key: str

    @classmethod
    def made_in(cls, folder: Path, database_file: Path | None = None) -> Server:
        """Return a new installation; ``database_file`` is a migrated database to be copied, which is quicker than another one."""
        config = Config.load({"home": folder}, {})
        if database_file is not None:
            shutil.copy(database_file, folder / "watchbell.db")
        db = Database.open(config.database_url)
        schema.upgrade(db)
        username = accounts.ensure_first(db, now=clock.now()).username
        app = create_app(config)
        admin = app.test_client()
        admin.get(f"/login/link/{accounts.make_link(db, username, now=clock.now())}")
        code = enrolment.create(db, name="pi", now=clock.now(), actor="ann").secret
        joined = app.test_client().post("/agent/v1/enroll", json={"code": code}).get_json()
        db.close()
        # What its pages are made of is read when they are looked at first, which is not what is measured.
        for address in _PAGES:
            admin.get(address)
        page = admin.get("/logout").text
        token = page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        cookie = next(iter(admin._cookies.values()))  # type: ignore[attr-defined]
        return cls(app, admin, token, (cookie.key, cookie.value), joined["key"])

    def targets(self) -> tuple[Target, ...]:
        """Return what of it is fed."""
        return (
            Target("form bodies", self._forms, self._take_form, 1_100_000),
            # A page with as many tasks as may be looked at together takes seconds.
            Target("imported texts", self._imports, self._take_form, 8_000_000, most_seconds=8.0),
            Target("cookies and headers", _cookies, self._take_cookie, 20_000),
            Target("agent messages", _agent_bodies, self._take_agent_body, 1_100_000),
        )

    def _take_form(self, given: tuple[int, bytes, str]) -> None:
        page, body, kind = given
        self._check(self.admin.post(_PAGES[page], data=body, content_type=_header(kind).decode("latin-1")))

    def _forms(self, longest: int) -> SearchStrategy[Any]:
        word = texts(
            [*_FIELDS, *("<script>", "../", "\r\n", "30 2 * * *", "on")], ["30 2 * * *", "echo a", "A=b"], longest
        )
        parts = st.lists(st.tuples(st.sampled_from(_FIELDS), word), max_size=8).map(
            lambda pairs: [("csrf_token", self.form_token), *pairs]
        )
        raw = texts(["&", "=", "%", "%zz", "+", ";", *_FIELDS], [f"csrf_token={self.form_token}&name=a"], longest)
        path = st.integers(0, len(_PAGES) - 1)
        return st.one_of(
            st.tuples(path, parts.map(_encoded), st.just("application/x-www-form-urlencoded")),
            st.tuples(path, raw.map(_bytes), st.just("application/x-www-form-urlencoded")),
            st.tuples(
                path,
                parts.flatmap(lambda pairs: _spoiled_multipart(pairs, longest)),
                st.just("multipart/form-data; boundary=bell"),
            ),
            st.tuples(
                path,
                raw.map(_bytes),
                texts(
                    ["multipart/form-data", "; boundary=", '"', "application/json", "charset=utf-7"],
                    ["multipart/form-data; boundary=" + "b" * 300],
                    2000,
                ),
            ),
        )

    def _imports(self, longest: int) -> SearchStrategy[Any]:
        signs = [
            "30 2 * * * echo a\n",
            "@daily root true\n",
            "A=b\n",
            "# c\n",
            "watchbell: 1\n",
            "tasks:\n",
            "- {name: a, command: b}\n",
            "\n",
            "#watchbell: {}\n",
            "MAILTO=a\n",
            "%",
            "\\",
        ]
        text = texts(
            signs,
            [
                "A=b\n30 2 * * * echo a\n",
                "watchbell: 1\ntasks:\n- {name: a, command: b, schedule: {cron: '* * * * *'}}\n",
            ],
            longest,
        )
        form = st.sampled_from(["auto", "crontab", "system", "document"])
        made = st.tuples(text, form).map(
            lambda pair: _multipart([("csrf_token", self.form_token), ("text", pair[0]), ("form", pair[1])])
        )
        return st.tuples(st.just(_PAGES.index("/tasks/import")), made, st.just("multipart/form-data; boundary=bell"))

    def _take_cookie(self, given: tuple[bytes, list[tuple[int, bytes]], int]) -> None:
        cookie, headers, page = given
        path = _LOOKED_AT[page]
        client = self.app.test_client(use_cookies=False)
        environ: dict[str, Any] = {
            f"HTTP_{_HEADERS[name].upper().replace('-', '_')}": value.decode("latin-1") for name, value in headers
        }
        environ["HTTP_COOKIE"] = cookie.decode("latin-1")
        answer = client.get(path, environ_overrides=environ)
        self._check(answer)
        known = f"{self.cookie[0]}={self.cookie[1]}".encode()
        if known not in cookie and path != "/health":
            assert answer.status_code != 200, answer.status
        for name, value in answer.headers:
            assert "\n" not in f"{name}{value}"

    def _take_agent_body(self, given: tuple[int, bytes, bool]) -> None:
        call, body, has_key = given
        path = _AGENTS[call]
        headers = {"Authorization": f"Bearer {self.device_key}"} if has_key else {}
        answer = self.app.test_client().post(
            f"/agent/v1/{path}", data=body, content_type="application/json", headers=headers
        )
        self._check(answer)
        if not has_key and path != "enroll":
            assert answer.status_code in {401, 403, 413, 415}, answer.status

    @staticmethod
    def _check(answer: TestResponse) -> None:
        """Hold an answer against what every answer has to be."""
        assert answer.status_code < 500, (answer.status, answer.text[:1000])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _encoded(pairs: list[tuple[str, str]]) -> bytes:
    return b"&".join(_quoted(name) + b"=" + _quoted(value) for name, value in pairs)


def _quoted(text: str) -> bytes:
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}" for byte in _bytes(text)
    ).encode()


def _multipart(pairs: list[tuple[str, str]]) -> bytes:
    made = [
        b'--bell\r\nContent-Disposition: form-data; name="' + _bytes(name) + b'"\r\n\r\n' + _bytes(value) + b"\r\n"
        for name, value in pairs
    ]
    return b"".join([*made, b"--bell--\r\n"])


def _spoiled_multipart(pairs: list[tuple[str, str]], longest: int) -> SearchStrategy[bytes]:
    """Return a body of several parts, right or with something in it that does not belong there."""
    whole = _multipart(pairs)
    signs = [
        "--bell",
        "--bell--",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "Content-Disposition: form-data; ",
        'name="',
        '"; filename="a',
        "filename*=utf-8''%ff",
        "Content-Type: text/html",
        "Content-Length: -1",
        "\0",
    ]
    more = texts(
        signs, ['--bell\r\nContent-Disposition: form-data; name="a"; filename="../b"\r\n\r\nx\r\n'], longest
    ).map(_bytes)
    return st.just(whole) | st.tuples(st.integers(0, len(whole)), more).map(
        lambda pair: whole[: pair[0]] + pair[1] + whole[pair[0] :]
    )


def _cookies(longest: int) -> SearchStrategy[Any]:
    signs = [
        "session",
        "watchbell",
        "=",
        ";",
        "; ",
        '"',
        ".",
        "eyJfaWQiOiJhIn0",
        ".aXo",
        "\\073",
        ",",
        "__Host-",
        "language",
        "zone",
        "reader_zone",
        "theme",
        "lasting",
        "%3B",
        "$Version",
    ]
    cookie = texts(
        signs,
        ["session=eyJfdXNlcl9pZCI6IjEifQ.aXoAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAA", "reader_zone=Europe/Berlin; language=de"],
        longest,
    )
    value = texts(
        [
            "Bearer ",
            "wbt_",
            "de",
            "q=",
            "*",
            "/",
            "bytes=",
            "-",
            "null",
            "http://localhost",
            "localhost",
            ":",
            "0",
            "Basic ",
        ],
        ["Bearer wbt_" + "0" * 40, "de-DE,de;q=0.9"],
        longest,
    )
    header = st.tuples(st.integers(0, len(_HEADERS) - 1), value.map(_header))
    return st.tuples(cookie.map(_header), st.lists(header, max_size=3), st.integers(0, len(_LOOKED_AT) - 1))


def _header(text: str) -> bytes:
    """Return what a server lets through in a header: no end of a line."""
    return _bytes(text).translate(None, b"\r\n\0")


def _agent_bodies(longest: int) -> SearchStrategy[Any]:
    asking = {
        "incarnation": "a" * 32,
        "seq": 1,
        "nonce": "0" * 32,
        "facts": {"hostname": "pi", "cpus": 4, "load_averages": [0, 1, 2], "zone": "UTC"},
        "clock": "2026-11-22T12:00:00Z",
    }
    reporting = {
        "report_id": "r",
        "job_id": "j",
        "fence": 1,
        "incarnation": "a" * 32,
        "status": "SUCCEEDED",
        "stdout": "x",
        "status_details": {"a": "b"},
        "exit_code": 0,
    }
    names = [
        *asking,
        *reporting,
        *asking["facts"],
        "earlier",
        "holds",
        "distrust",
        "code",
        "public_key",
        "stderr",
        "reason",
        "executed_steps",
        "failed_step",
    ]  # type: ignore[misc]
    word = texts(
        [*names, "wbe_", "SUCCEEDED", "IN_PROGRESS", "2026-11-22T12:00:00Z"],
        ["0f1e2d3c4b5a6978", "2026-11-22T12:00:00+00:00"],
        longest,
    )
    value = values(names, word)
    changed = st.tuples(
        st.sampled_from([asking, reporting, {"code": "wbe_x"}]),
        st.dictionaries(st.sampled_from(names) | word, value, max_size=3),
    ).map(lambda two: {**two[0], **two[1]})
    made = (changed | value).map(lambda one: json.dumps(one).encode())
    raw = texts(
        ['{"', '": ', "[", "{", "]", "}", ",", '"', "\\ud800", "1e400", "NaN", *names],
        [json.dumps(asking), json.dumps(reporting)],
        longest,
    ).map(_bytes)
    return st.tuples(st.integers(0, len(_AGENTS) - 1), made | raw, st.booleans() | st.just(True))
