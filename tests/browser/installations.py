"""A running installation as a person has it, and windows that notice what a person should never see."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Request, Response, expect

from tests.process.programs import Server, end_scheduler
from tests.waiting import wait_until
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.task_definition import Defaults
from watchbell.services import accounts, tasks
from watchbell.services.accounts import FIRST_USERNAME
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: Every process of an installation carries this variable with the installation's own value.
MARK = "BROWSER_TEST_INSTALLATION"
PAGE_ONLY = ("-m", "watchbell", "dashboard", "--port", "0")
WITH_SCHEDULER = ("-m", "watchbell", "up", "--port", "0")
HOST = "watchtower"


class Installation:
    """``watchbell up`` or ``watchbell dashboard`` in a folder of its own."""

    def __init__(self, folder: Path, command: tuple[str, ...] = WITH_SCHEDULER, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = folder / "home"
        self._token = uuid.uuid4().hex
        given = {"WATCHBELL_SAMPLE_TASK": "off", "WATCHBELL_HOSTNAME": HOST, **environment, MARK: self._token}
        self.started_at = time.monotonic()
        self.server = Server(folder, self.home, command, **given)
        self.entrance = self.server.wait_for_address()
        self.root = "/".join(self.entrance.split("/")[:3])
        self.config = Config.load({"home": self.home, "zone": "UTC", "hostname": HOST}, environ={})
        self.db = Database.open(self.config.database_url, box=SecretBox.of(self.config))
        self._login: Any = None

    def make_link(self) -> str:
        """Return a login link as ``watchbell up`` prints it."""
        return f"{self.root}/login/link/{accounts.make_link(self.db, FIRST_USERNAME, now=clock.now())}"

    def log_in(self, browser: Browser) -> Any:
        """Return the cookies of somebody who has logged in."""
        if self._login is None:
            context = browser.new_context()
            context.new_page().goto(self.make_link())
            self._login = context.storage_state()
            context.close()
        return self._login

    def add(self, name: str, command: str, *, now: datetime | None = None, **fields: object) -> Task:
        """Make a task without a browser; without a schedule it runs by hand only."""
        given = {"name": name, "command": command, **fields}
        if not {"every", "at", "cron"} & set(given):
            given["kind"] = "manual"
        defaults = Defaults(zone="UTC", owner=FIRST_USERNAME, host=HOST)
        return tasks.create(self.db, given, now=now or clock.now(), actor=FIRST_USERNAME, defaults=defaults)

    def gate(self, name: str) -> Gate:
        """Return something that a command can wait for."""
        return Gate(self.folder / f"gate-{name}")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.home / "watchbell.db", timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    def execute(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.home / "watchbell.db", timeout=20)) as connection, connection:
            connection.execute(statement, values)

    def restart_server(self, *command: str, **environment: str) -> None:
        """Kill the server and serve at the same address again; what it has started goes on."""
        self.server.close()
        port = self.root.rpartition(":")[2]
        given = {"WATCHBELL_SAMPLE_TASK": "off", "WATCHBELL_HOSTNAME": HOST, MARK: self._token, **environment}
        self.server = Server(self.folder, self.home, (*command, "--port", port), **given)
        self.server.wait_for_address()

    def scheduler_pid(self) -> int:
        """Return the PID of the scheduler that was started last."""
        return int(self.rows("SELECT pid FROM scheduler ORDER BY started_at DESC LIMIT 1")[0][0])

    def kill_scheduler(self) -> int:
        """Kill it as kill -9 does, and return what its PID was."""
        pid = self.scheduler_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_state(self, task_name: str, state: str) -> int:
        """Wait until a task has a run in this state and return the number of the newest one."""

        def found() -> int | None:
            query = "SELECT max(id) FROM run WHERE task_name = ? AND state = ?"
            return self.rows(query, task_name, state)[0][0]

        return wait_until(found, 30, f"{task_name} to be {state}\n{self.server.words()}") or 0

    def close(self) -> None:
        """End everything that was started here, commands that outlive their scheduler included."""
        self.db.close()
        self.server.close()
        end_scheduler(self.home)
        for folder in Path("/proc").glob("[0-9]*"):
            # What ends while it is looked at has no environment any more.
            with contextlib.suppress(OSError):
                if f"{MARK}={self._token}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)


class Gate:
    """A door that a command waits at until the test opens it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        #: Shell text that waits here.
        self.wait = f"until [ -e '{file}' ]; do sleep 0.05; done"

    def open(self) -> None:
        self._file.touch()


class Complaints(list[str]):
    """What the windows of a context have complained about: errors, refused content, requests to elsewhere."""

    def __init__(self, context: BrowserContext, root: str, expected: Collection[int]) -> None:
        super().__init__()
        self._root = root
        self._expected = expected
        #: What was asked for and not answered yet.
        self.open: dict[Request, float] = {}
        for end in ("requestfinished", "requestfailed"):
            context.on(end, lambda request: self.open.pop(request, None))
        # The browser shows it over the page, and Playwright sends it away unseen.
        context.add_init_script("window.alert = (text) => console.error(`a window over the page: ${text}`)")
        context.on("console", self._console)
        context.on("weberror", lambda error: self.append(f"uncaught: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # A refused form is answered with 422, which the browser calls an error; other answers are judged below.
        # A server that is down or has no room takes no socket either, and the page says so itself.
        usual = ("Failed to load resource", "WebSocket connection to")
        if message.type in {"error", "warning"} and not message.text.startswith(usual):
            self.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        self.open[request] = time.monotonic()
        if not request.url.startswith((f"{self._root}/", "data:", "blob:")):
            self.append(f"a request to elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        is_page = response.request.is_navigation_request()
        is_bad = response.status >= 500 or (response.status >= 400 and not is_page)
        if is_bad and response.status not in self._expected:
            self.append(f"{response.status} {response.request.method} {response.url}")


#: The windows that are open, and what they have complained about.
OPEN: dict[BrowserContext, Complaints] = {}


def state_of_windows() -> Iterator[str]:
    """Yield how all open windows stand, in words: what failed may be the consequence of something that nobody would see."""
    now = time.monotonic()
    for context, complaints in OPEN.items():
        yield from complaints
        for request, begun in complaints.open.items():
            yield f"no answer for {now - begun:.1f} s: {request.method} {request.url}"
        for opened in context.pages:
            try:
                yield f"{opened.evaluate('document.visibilityState')}: {opened.url}"
            except Error as problem:
                yield f"no word from {opened.url}: {problem}"


@contextlib.contextmanager
def window(
    browser: Browser,
    installation: Installation,
    *,
    logged_in: bool = True,
    expected: Collection[int] = (),
    **options: Any,
) -> Iterator[Page]:
    """Give a page of a person of its own; what it complains about fails the test, but for ``expected`` answers."""
    known = installation.log_in(browser) if logged_in else None
    given = {"viewport": {"width": 1280, "height": 900}, "base_url": installation.root, **options}
    context = browser.new_context(storage_state=known, **given)
    context.set_default_timeout(20_000)
    complaints = Complaints(context, installation.root, expected)
    OPEN[context] = complaints
    try:
        yield context.new_page()
    finally:
        del OPEN[context]
        context.close()
    assert not complaints, "\n".join(complaints)


def expect_scheduler(page: Page, state: str, timeout: float = 15) -> None:
    """Wait until the frame says that the scheduler is in a state."""
    pill = page.locator("[data-live-part=scheduler-pill]")
    expect(pill).to_have_attribute("data-state", state, timeout=timeout * 1000)


def expect_run(page: Page, state: str, timeout: float = 20) -> None:
    """Wait until the page of a run says that it is in a state, and has loaded itself anew if it has to for that."""
    badge = page.locator("[data-live-part=run-head] [data-state]").first
    expect(badge).to_have_attribute("data-state", state, timeout=timeout * 1000)
    if state in {"running", "succeeded", "failed"}:
        # It was made before the run had started, and gets its terminal now; whatever is done in between would be cut off.
        expect(page.locator("[data-waits-for-output]")).to_have_count(0, timeout=timeout * 1000)


def terminal(page: Page) -> Locator:
    """Return what shows the output of a run; the scheduler's log in the frame is another one."""
    return page.locator("[data-output-text]")


def expect_notice(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait for what the page tells after something was done."""
    expect(page.locator(".wb-notice").filter(has_text=text)).to_be_visible()


def answer(page: Page, question: str, action: str) -> None:
    """Agree to a question that the page asks."""
    page.get_by_role("dialog", name=question).get_by_role("button", name=action, exact=True).click()


def run_number(page: Page) -> int:
    """Return the number of the run whose page is shown."""
    expect(page).to_have_url(re.compile(r"/runs/\d+"))
    return int(page.url.split("/runs/")[1].split("?")[0])
