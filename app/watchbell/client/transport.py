"""Requests to a server: sent again when that is safe, and errors as ours."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.response import BaseHTTPResponse

from watchbell.errors import (
    Conflict,
    InputError,
    NotAllowed,
    NotFound,
    Problem,
    Unavailable,
    VersionConflict,
    WatchbellError,
)
from watchbell.version import __version__

#: What passes by itself: too many requests, a server that restarts or whose database is held.
_PASSING = frozenset({429, 502, 503, 504})
#: What may be sent twice as it is; a POST may because of its key.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "POST"})
_SLOWEST_SECONDS = 30


class Transport:
    """One server and who asks it."""

    def __init__(self, url: str, token: str | None, *, timeout: float, retries: int, pool: int = 4) -> None:
        parts = urllib3.util.parse_url(url)
        if parts.scheme not in {"http", "https"} or not parts.host:
            raise InputError.of("url", "must be the address of a server", "http://127.0.0.1:5000")
        self._base = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": f"watchbell-client/{__version__}"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        retry = urllib3.Retry(
            total=retries,
            # A server that closes an idle connection and one that answers are told apart by urllib3; neither is final.
            status_forcelist=_PASSING,
            allowed_methods=_REPEATABLE,
            backoff_factor=0.2,
            backoff_max=_SLOWEST_SECONDS,
            backoff_jitter=0.1,
            redirect=0,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(maxsize=pool, retries=retry)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        version: int | None = None,
        key: str | None = None,
        patience: float = 0.0,
    ) -> Any:
        """Return what the server answers, None for nothing; raises a WatchbellError.

        A POST carries a key, one of its own unless one is given, so that sent again it does nothing twice. ``patience``
        is how much longer than usual the answer may take.
        """
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        fields = [
            (name, _word(one))
            for name, value in (query or {}).items()
            if value is not None
            for one in (value if isinstance(value, list | tuple) else [value])
        ]
        return _content(self._send(method, path, fields, data, headers, patience))

    def _send(
        self,
        method: str,
        path: str,
        fields: Sequence[tuple[str, str]],
        data: bytes | None,
        headers: Mapping[str, str],
        patience: float,
    ) -> BaseHTTPResponse:
        query = f"?{urlencode(fields)}" if fields else ""
        try:
            return self._pool.request(
                method,
                f"{self._base}{path}{query}",
                body=data,
                headers=dict(headers),
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout + patience),
            )
        except MaxRetryError as error:
            raise Unavailable(f"{self._base} does not answer: {_reason(error.reason or error)}") from error
        except HTTPError as error:
            raise Unavailable(f"{self._base} does not answer: {_reason(error)}") from error


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: BaseException) -> str:
    # The library puts the connection's address in memory before its words.
    return str(error).rpartition(": ")[2] or type(error).__name__


def _content(response: BaseHTTPResponse) -> Any:
    body: Any = None
    if response.status < 400 and response.headers.get("Content-Type") == "application/zip":
        return response.data
    if response.data:
        try:
            body = json.loads(response.data)
        except ValueError:
            raise Unavailable("what answered is not a Watchbell server, or something between it and here") from None
    if response.status >= 400:
        _raise(response.status, body if isinstance(body, dict) else {})
    return body


def _raise(status: int, body: Mapping[str, Any]) -> NoReturn:
    words = str(body.get("detail") or f"the server answered {status}").rstrip(".")
    # The server tells whole sentences, and a program goes on with one after a colon.
    words = words[:1].lower() + words[1:] if words[1:2].islower() else words
    if body.get("request_id"):
        words = f"{words} (request {body['request_id']})" if status >= 500 else words
    problems = [
        Problem(str(one.get("field")), str(one.get("message")), one.get("example"))
        for one in cast("list[Mapping[str, Any]]", body.get("errors") or [])
    ]
    if problems:
        raise InputError(*problems)
    if status in {401, 403}:
        raise NotAllowed(words)
    if status in {404, 410}:
        raise NotFound(words)
    if status == 409:
        raise Conflict(words)
    if status in {412, 428}:
        raise VersionConflict(words)
    if status in _PASSING:
        raise Unavailable(words)
    raise WatchbellError(words)
