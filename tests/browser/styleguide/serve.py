"""Every part of the pages on one page, without the application: for the eye, and for the tests of their looks.

``python -m tests.browser.styleguide.serve 8000`` serves it; /, /login, /password, /error and /bar?state=stopped.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import jinja2
from flask import Flask
from wtforms import BooleanField, Form, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from watchbell.web import i18n, presenters, schedule_words, times, told
from watchbell.web.pictures import outcomes
from watchbell.web.places import places

ROOT = Path(__file__).resolve().parents[3]
#: The policy of DESIGN 7: nothing inline, nothing from elsewhere.
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'"
STATES = "queued claimed starting running cancelling retry_wait succeeded failed timed_out cancelled lost skipped missed".split()
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Small, so that the short output comes in several parts.
CHUNK = 1500
OUTPUT = "".join(
    [
        "\x1b[1mBacking up\x1b[0m 3 databases\n",
        *(f"  copied table_{n:03d} \x1b[32mok\x1b[0m {n * 37 % 900} rows\n" for n in range(60)),
        "\x1b[33mwarning:\x1b[0m index is 4 days old, it will be built again <b>soon</b>\n",
        "10 %\r50 %\r100 %\n",
        "NUL \x00 and bell \x07, a long line: " + "lorem ipsum dolor " * 30 + "\n",
        "\x1b[41;97m FATAL \x1b[0m \x1b[31mdisk of db1 is full\x1b[0m\n",
    ]
)


class TaskForm(Form):
    """A form with one field of each look."""

    name = StringField("Name", description="How the task is called everywhere.")
    command = TextAreaField("Command")
    cron = StringField("Cron text", description="Minute, hour, day, month, weekday.")
    kind = SelectField(
        "Schedule",
        choices=[
            SelectChoice("cron", "Cron text"),
            SelectChoice("interval", "Every so often"),
            SelectChoice("manual", "By hand"),
        ],
    )
    enabled = BooleanField("Enabled", description="A disabled task keeps its schedule but never starts.")
    overlap = RadioField(
        "While it still runs",
        choices=[SelectChoice("skip", "skip"), SelectChoice("wait", "wait"), SelectChoice("both", "run both")],
    )


class LoginForm(Form):
    """Logging in with a name and a password."""

    username = StringField("User name")
    password = PasswordField("Password")


class PasswordForm(Form):
    """A first password after a login link."""

    #: Asked for when a password is changed, not after a login link.
    current = None
    password = PasswordField("New password", description="At least 10 characters; a short sentence is best.")
    repeat = PasswordField("Once more")


def wrong_task_form() -> TaskForm:
    form = TaskForm(
        data={"name": "backup-db", "command": "backup --all", "cron": "61 2 * * *", "enabled": True, "overlap": "skip"}
    )
    form.cron.errors = ["61 is not a minute: they go from 0 to 59."]
    return form


def some_tasks(now: datetime) -> list[SimpleNamespace]:
    dice = random.Random(7)  # the same picture every time, nothing secret
    ends = ["succeeded"] * 24 + ["failed", "timed_out", "lost", "missed", "skipped", "cancelled", "running"]
    names = ["backup-db", "check-web", "summarise-access-log-of-all-machines", "disk-space", "pipeline", "report-daily"]
    return [
        SimpleNamespace(
            name=name,
            enabled=n != 3,
            schedule=["every day at 02:00, Europe/Berlin", "every 10 s", "at 07:00 on weekdays"][n % 3],
            next=now + timedelta(seconds=12 * 9**n % 900000),
            usual=2.5 * (n + 1),
            runs=[
                presenters.Outcome(
                    id=4000 + k,
                    state=dice.choice(ends) if n else ends[k % len(ends)],
                    duration_seconds=2.5 * (n + 1) * dice.uniform(0.3, 2.1),
                    due_at=now - timedelta(hours=30 - k),
                    reason="",
                )
                for k in range(0 if name == "pipeline" else 30)
            ],
        )
        for n, name in enumerate(names)
    ]


def context(query: dict[str, list[str]], cookies: dict[str, str]) -> dict[str, Any]:
    now = datetime.now(UTC)
    state = query.get("state", ["running"])[0]
    return {
        "now": now,
        "past": now - timedelta(minutes=3, seconds=7),
        "server_zone": ZoneInfo("Europe/Berlin"),
        "shown_zone": ZoneInfo("Europe/Berlin"),
        "reader_zone": SimpleNamespace(choice="server", told=""),
        "version": "0.1.0",
        "request": SimpleNamespace(
            method="GET", cookies=cookies, blueprint="tasks", path="/", full_path="/?", args={}, script_root=""
        ),
        "current_user": SimpleNamespace(is_authenticated=True, username="ann", role="admin"),
        "scheduler": SimpleNamespace(
            state=state,
            pid=4242,
            host="db1",
            user="ann",
            version="0.1.0",
            started_at=now - timedelta(days=3, hours=4),
            last_beat_at=now - timedelta(seconds=2 if state == "running" else 190),
            message="",
            tick_age=0.3 if state == "running" else 190.0,
        ),
        "pause_of_everything": SimpleNamespace(
            since=now - timedelta(minutes=5), until=None, by="bob", reason="the rack is moved"
        ),
        "health": SimpleNamespace(
            engine=None,
            is_well=False,
            trouble="read_only",
            sentences=("The database cannot be written to.",),
            troubled_since=now - timedelta(minutes=4),
            incidents=[SimpleNamespace(kind="suspended", at=now - timedelta(hours=2))],
        ),
        "log_lines": [
            SimpleNamespace(level="info", text="12:00:01 INFO    run 4711 of backup-db started, pid 5151"),
            SimpleNamespace(level="warning", text="12:00:13 WARNING run 4711 of backup-db failed with exit code 2"),
        ],
        "tasks": some_tasks(now),
        "states": STATES,
        "run_address": "#run-",
        "output_address": "/output",
        "form": wrong_task_form(),
        "code": 404,
        "title": "There is no such page",
        "text": "Nothing is at this address. The task or run may have been deleted.",
    }


def environment() -> jinja2.Environment:
    folders = [ROOT / "templates", Path(__file__).parent]
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: text, ngettext=lambda one, many, num: one if num == 1 else many, newstyle=True
    )
    made.globals.update(
        url_for=lambda endpoint, **values: f"/{endpoint}" + "".join(f"/{value}" for value in values.values()),
        csrf_token=lambda: "a-token",
        asset=lambda path: f"/static/stamp/{path}",
        get_flashed_messages=lambda **_: [],
        may=lambda _address, _method="GET": True,
        language=lambda: "en",
        grouped=i18n.grouped,
        languages={"en": "English"},
        places=places,
        words_stamp=lambda _name: "0",
        utc=UTC,
        zone_named=ZoneInfo,
        draw_outcomes=outcomes.strip,
        draw_time=times.tag,
        exact_time=times.exact,
        time_everywhere=times.everywhere,
    )
    made.filters.update(
        duration_words=presenters.duration_words,
        age_words=presenters.age_words,
        told=told.told,
        sentence=told.sentence,
        schedule_sentence=schedule_words.sentence_of,
    )
    return made


ENVIRONMENT = environment()
#: Nobody asks for another language here, but texts are only found within an application.
APP = Flask("styleguide")
i18n.init_app(APP)


def render(path: str, query: dict[str, list[str]], cookies: dict[str, str]) -> str | None:
    """Return the page at that path, or None."""
    values = context(query, cookies)
    page = {
        "/": "parts.html",
        "/login": "auth/login.html",
        "/password": "auth/set_password.html",
        "/error": "errors/error.html",
        "/scheduler_control.panel": "scheduler_control/panel.html",
    }.get(path)
    if page is None:
        return None
    if path == "/login":
        values["form"] = LoginForm()
    if path == "/password":
        values |= {"form": PasswordForm(), "first": True}
    with APP.app_context():
        return ENVIRONMENT.get_template(page).render(values)


class Handler(BaseHTTPRequestHandler):
    """Pages, static files and one output that grows by a request."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.startswith("/static/stamp/"):
            file = ROOT / "static" / address.path.removeprefix("/static/stamp/")
            self.answer(file.read_bytes() if file.is_file() else None, TYPES.get(file.suffix, "text/plain"))
        elif address.path == "/overview.tab_marks":
            self.answer(json.dumps({"failed": [], "decide": [], "scheduler": "running"}).encode(), "application/json")
        elif address.path == "/output":
            offset = int(parse_qs(address.query)["offset"][0])
            chunk = OUTPUT[offset : offset + CHUNK]
            end = offset + len(chunk)
            said = {"text": chunk, "next_offset": end, "size": len(OUTPUT), "dropped": None, "done": False}
            self.answer(json.dumps(said).encode(), "application/json")
        else:
            cookies = dict(
                part.strip().split("=", 1) for part in self.headers.get("Cookie", "").split(";") if "=" in part
            )
            page = render(address.path, parse_qs(address.query), cookies)
            self.answer(None if page is None else page.encode(), "text/html; charset=utf-8")

    def answer(self, body: bytes | None, kind: str) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Stay quiet: the tests look at the page, not at its requests."""


def server(port: int = 0) -> ThreadingHTTPServer:
    """Return a server on loopback; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    server(int(sys.argv[1])).serve_forever()
