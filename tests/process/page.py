"""The page as a real process, and a visitor of it: what the tests need that kill the web server."""

from __future__ import annotations

import contextlib
import http.cookiejar
import os
import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.process.lives import ROOT, Lab
from tests.process.programs import serve
from tests.waiting import wait_until


class Page:
    """A web server of an installation, without logins unless they are asked for, and a visitor with cookies."""

    def __init__(self, lab: Lab, program: str = "dashboard", auth: str = "off", **more: str) -> None:
        self.words = lab.home / "page.txt"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "app"),
            "WATCHBELL_AUTH": auth,
            "WATCHBELL_SAMPLE_TASK": "off",
            "WATCHBELL_HOSTNAME": "lab",
            **more,
        }
        command = ("-m", "watchbell", "--home", str(lab.home), program, "--port", "0")
        self.words.write_bytes(b"")
        self._process = serve(command, environment, self.words)
        self._jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._visitor = urllib.request.build_opener(self._jar)
        self.url = wait_until(self._find_url, 30, "the page's address")
        wait_until(self.is_served, 30, "the page to answer")

    def is_served(self) -> bool:
        try:
            return bool(self.get("/login") or True)
        except (urllib.error.HTTPError, OSError) as error:
            return isinstance(error, urllib.error.HTTPError)

    def get(self, path: str) -> str:
        return self.download(path).decode()

    def download(self, path: str) -> bytes:
        with self._visitor.open(self.url + path, timeout=20) as answer:
            return bytes(answer.read())

    def post(self, path: str) -> str:
        """Press a button as the page would: with the token of its form."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/"))
        assert token, "the page has no form"
        data = urllib.parse.urlencode({"csrf_token": token[1]}).encode()
        with self._visitor.open(self.url + path, data, timeout=20) as answer:
            return answer.read().decode()

    def workers(self) -> list[int]:
        """Return the processes that answer requests."""
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def kill(self) -> None:
        """Kill the server and its workers at one stroke."""
        # A test may have killed it already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def _find_url(self) -> str:
        assert self._process.poll() is None, self.words.read_text()
        found = re.search(r"Open (http://127\.0\.0\.1:\d+)", self.words.read_text())
        return found[1] if found else ""
