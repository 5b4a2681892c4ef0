"""Speaking with the server: requests that fail are told apart by whether the server has answered."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple

_TIMEOUT_SECONDS = 30.0
_MOST_BYTES = 4 * 1024 * 1024


class Offline(Exception):
    """The server does not answer, or asks to be left alone for a while."""

    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        #: How long it asks to be left alone, if it says so.
        self.wait_seconds = wait_seconds


class Answer(NamedTuple):
    """What the server has answered."""

    status: int
    body: dict[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: a key is sent to the server that it is for and to no other."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        return None


class Server:
    """One device's way to its server."""

    def __init__(self, url: str, uuid: str, key: str) -> None:
        self._base = f"{url.rstrip('/')}/devices/{uuid}"
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirect)

    def next_job(self) -> Answer:
        """Ask for what is to be done."""
        return self._send("GET", "/jobs/next")

    def report(self, job_id: str, report: dict[str, Any]) -> Answer:
        """Report of a job."""
        return self._send("PATCH", f"/jobs/{job_id}/status", report)

    def handler(self, name: str) -> Answer:
        """Fetch a handler."""
        return self._send("GET", f"/handlers/{name}")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        headers = {"Accept": "application/json", "X-Device-API-Key": self._key}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        asked = urllib.request.Request(self._base + path, data=data, method=method, headers=headers)  # noqa: S310
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_SECONDS) as answer:
                return Answer(answer.status, _read(answer.read(_MOST_BYTES)))
        except urllib.error.HTTPError as error:
            if error.code in {429, 503} or error.code >= 500:
                raise Offline(f"the server answers {error.code}", _seconds(error.headers.get("Retry-After"))) from None
            return Answer(error.code, _read(error.read(_MOST_BYTES)))
        except (OSError, http.client.HTTPException) as error:
            raise Offline(f"the server does not answer: {error}") from None


def _read(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        # Something else than our server has answered.
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None
