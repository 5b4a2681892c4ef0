"""How long it takes from saving a task that is due at once, in the page, to the start of its process.

    python -m benchmarks.save_to_start [100]

Baseline: the same request to the same server for a task that is never due, which is what the page itself costs.
"""

from __future__ import annotations

import http.cookiejar
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from benchmarks.lab import lab, parse, percentile, table, wait_for
from watchbell.services import accounts

PASSWORD = "a benchmark's password"


class Browser:
    """Just enough of a browser: cookies, forms and their tokens."""

    def __init__(self, base: str) -> None:
        self._base = base
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        """Return a page."""
        with self._opener.open(self._base + path) as answer:
            return answer.read().decode()

    def post(self, path: str, fields: dict[str, str]) -> str:
        """Send a form."""
        request = urllib.request.Request(self._base + path, urllib.parse.urlencode(fields).encode())
        request.add_header("Origin", self._base)
        with self._opener.open(request) as answer:
            return answer.read().decode()

    def token(self, path: str) -> str:
        """Return the token of a page's form."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path))
        if found is None:
            raise RuntimeError(f"{path} has no form")
        return found[1]


def main() -> None:
    """Print one table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with lab(port=port, password=PASSWORD, sample_task="off") as place:
        accounts.ensure_first(place.db, now=parse("2026-01-01T00:00:00+00:00"))
        environment = {**place.config.process_environment(), "WATCHBELL_PASSWORD": PASSWORD}
        web = subprocess.Popen(
            [sys.executable, "-m", "watchbell", "dashboard"], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            with place.scheduler():
                rows = measure(Browser(f"http://127.0.0.1:{port}"), place, count)
        finally:
            web.terminate()
            web.wait(20)
    table("From saving in the page to the process", ("what", "n", "p50 ms", "p99 ms", "max ms"), rows)


def measure(browser: Browser, place, count: int) -> list[tuple[object, ...]]:
    """Save tasks one after the other, half of them due at once."""

    def reachable() -> bool:
        try:
            return bool(browser.get("/login"))
        except OSError:
            return False

    wait_for(reachable, 30)
    browser.post("/login", {"csrf_token": browser.token("/login"), "password": PASSWORD})
    token = browser.token("/tasks/new")
    saved: dict[str, float] = {}
    answered: dict[str, list[float]] = {"manual": [], "moment": []}
    for number in range(count):
        for kind, more in (("manual", {}), ("moment", {"at": "now"})):
            name = f"{kind}-{number}"
            before = time.time()
            browser.post(
                "/tasks/new",
                {"csrf_token": token, "name": name, "command": "true", "kind": kind, "enabled": "y", **more},
            )
            saved[name] = before
            answered[kind].append((time.time() - before) * 1000)
    wait_for(lambda: place.value("SELECT count(*) FROM run WHERE ended_at IS NOT NULL") >= count, 60)
    lags = [
        (parse(started + "+00:00").timestamp() - saved[name]) * 1000
        for name, started in place.rows("SELECT task_name, started_at FROM run")
    ]
    figures = (
        ("page answers, task never due", answered["manual"]),
        ("page answers, task due at once", answered["moment"]),
        ("request sent to process started", lags),
    )
    return [(what, len(v), percentile(v, 0.5), percentile(v, 0.99), max(v)) for what, v in figures]


if __name__ == "__main__":
    main()
