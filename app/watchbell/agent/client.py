"""Speaking with the server: requests that fail are told apart by whether the server has answered."""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from watchbell import clock
from watchbell.errors import ConfigError

_TIMEOUT_SECONDS = 30.0
_MOST_BYTES = 4 * 1024 * 1024
_PART_BYTES = 64 * 1024
#: An answer that comes byte by byte has come to its end after so long, or is none.
_ANSWER_SECONDS = 120.0
#: However long somebody between here and the server asks to be left alone, it is asked again after so long.
LONGEST_WAIT = 600.0

#: With which word the server says, under which status, that something is refused whenever it is asked again.
_REFUSALS = {404: "not_found", 409: "conflict", 422: "invalid_input"}


class Offline(Exception):
    """The server does not answer, or asks to be left alone for a while."""

    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        #: How long it asks to be left alone, if it says so.
        self.wait_seconds = wait_seconds


class AnswerLost(Offline):
    """The connection has ended before an answer came; the server may have done what it was asked."""


class Answer(NamedTuple):
    """What the server has answered."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> str:
        """What is wrong, in the server's words."""
        return str(self.body.get("error", self.status))[:500]

    @property
    def is_refusal(self) -> bool:
        """Whether the server itself refuses what was asked, for good, and not something on the way to it."""
        names = ("error", "code", "request_id")
        return (
            self.status in _REFUSALS
            and self.body.get("code") == _REFUSALS[self.status]
            and all(isinstance(self.body.get(name), str) for name in names)
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: a key is sent to the server that it is for and to no other."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        return None


class Server:
    """The way to the server, whose certificate is checked, and which leads nowhere else."""

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        is_plain_allowed: bool = False,
        patience: float = _ANSWER_SECONDS,
    ) -> None:
        """Raise ConfigError for an address that would show the key to others on its way."""
        self._patience = patience
        self._base = f"{_checked(url, is_plain_allowed=is_plain_allowed)}/agent/v1"
        self._key = ""
        self._opener = urllib.request.build_opener(_NoRedirect, *_tls(url, ca_file))

    def use(self, key: str) -> None:
        """Show a key with each request from now on."""
        self._key = key

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the server."""
        parts = urlsplit(self._base)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def enroll(self, code: str, hostname: str) -> Answer:
        """Join with a code."""
        return self._send("POST", "/enroll", {"code": code, "hostname": hostname})

    def poll(self, asked: dict[str, Any]) -> Answer:
        """Ask for what is to be done."""
        return self._send("POST", "/poll", asked)

    def report(self, report: dict[str, Any]) -> Answer:
        """Report of a job."""
        return self._send_surely("POST", "/report", report)

    def schedule(self, asked: dict[str, Any]) -> Answer:
        """Fetch a schedule that this device is to carry."""
        return self._send_surely("POST", "/carried", asked)

    def moments(self, told: dict[str, Any]) -> Answer:
        """Tell what has become of moments of schedules that this device carries."""
        return self._send_surely("POST", "/moments", told)

    def handler(self, name: str, digest: str) -> Answer:
        """Fetch a handler as it was with a digest, also if it was changed since then."""
        return self._send_surely("GET", f"/handlers/{name}?sha256={quote(digest, safe='')}")

    def _send_surely(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Send what may be sent twice, and send it once more at once if only its answer is lost.

        Else it would come after everything else in its turn, and where every so-manieth answer is lost, it could be the
        same one each time.
        """
        try:
            return self._send(method, path, body)
        except AnswerLost:
            return self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        asked = urllib.request.Request(self._base + path, data=data, method=method, headers=headers)  # noqa: S310
        try:
            return self._open(asked)
        except (ConnectionError, http.client.HTTPException) as error:
            # What fails before something was sent comes in another shape.
            raise AnswerLost(f"the server does not answer: {error}") from None
        except (OSError, ValueError) as error:
            # The last of them is an address to which the answer leads, and which is none.
            raise Offline(f"the server does not answer: {error}") from None

    def _open(self, asked: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_SECONDS) as answer:
                return Answer(answer.status, _read(self._body(answer)))
        except urllib.error.HTTPError as error:
            if error.code == 429 or error.code >= 500:
                raise Offline(f"the server answers {error.code}", _seconds(error.headers.get("Retry-After"))) from None
            if 300 <= error.code < 400:
                raise Offline("the server leads elsewhere, where the key of this device is not sent") from None
            return Answer(error.code, _read(self._body(error)))

    def _body(self, answer: Any) -> bytes:
        """Return what an answer holds; raises TimeoutError if that takes too long, however lively it drips."""
        until, data = clock.monotonic() + self._patience, bytearray()
        while len(data) < _MOST_BYTES and (part := answer.read1(_PART_BYTES)):
            data += part
            if clock.monotonic() > until:
                raise TimeoutError(f"its answer has not come to an end within {self._patience:.0f} s")
        if answer.length and len(data) < _MOST_BYTES:
            raise http.client.IncompleteRead(bytes(data), answer.length)
        return bytes(data)


def _checked(url: str, *, is_plain_allowed: bool) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # Of a port that is none, or brackets around nothing.
        is_one = False
    if not is_one or parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"{url[:200]!r} is no address of a server, such as https://bell.example.org")
    if parts.username is not None:
        # Not shown: what stands there may be a password.
        raise ConfigError("the address of a server holds neither a name nor a password; a device shows its key")
    if parts.scheme == "http" and not is_plain_allowed and not _is_here(parts.hostname or ""):
        raise ConfigError(
            "over http:// anybody on the way reads the key of this device; use https://, or say --plain-http if nobody is there"
        )
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(url: str, ca_file: Path | None) -> list[urllib.request.BaseHandler]:
    """Return what trusts one authority in place of the usual ones, if that is asked for."""
    if ca_file is None or not url.startswith("https:"):
        return []
    import ssl

    try:
        context = ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise ConfigError(f"the certificate in {ca_file} cannot be used: {error}") from None
    return [urllib.request.HTTPSHandler(context=context)]


def _read(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        # Something else than our server has answered.
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: str | None) -> float | None:
    return min(float(text), LONGEST_WAIT) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
