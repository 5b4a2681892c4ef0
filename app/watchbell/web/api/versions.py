"""Marks of content: lists and rows carry one, a read says only that nothing has changed, a change may name the version it saw."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, g, request

from watchbell.errors import InputError, VersionRequired

_View = TypeVar("_View", bound=Callable[..., Any])
#: What a request says of what it has already; without any of them there is nothing to compare.
_CONDITIONS = ("If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Match")
_VERSION = re.compile(r'(?:W/)?"([0-9]{1,18})(?:-[0-9a-f]+)?"|([0-9]{1,18})')


def note(version: int) -> None:
    """Say which version of a thing the answer to this request shows, so that its mark begins with it."""
    g.shown_version = version


def expected() -> int | None:
    """Return which version whoever wants to change something has seen, None if it says nothing; raises InputError."""
    text = request.headers.get("If-Match", "").strip()
    if text in {"", "*"}:
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        raise InputError.of("If-Match", "must be the ETag of the thing as you have seen it, or its version", '"3"')
    return int(match[1] or match[2])


def required() -> int | None:
    """Return what ``expected`` does; raises VersionRequired unless the request says something, if only that any will do."""
    if not request.headers.get("If-Match", "").strip():
        raise VersionRequired(
            "send If-Match with the ETag of what you have seen, so that nobody's change is lost; * overwrites any version"
        )
    return expected()


def needed(view: _View) -> _View:
    """Say of a route that it must be told which version was seen, which it asks for by ``required``."""
    # Read by the blueprint, which describes the header.
    view._apidoc = {**getattr(view, "_apidoc", {}), "needs_version": True}  # type: ignore[attr-defined]
    return view


def mark(response: Response) -> Response:
    """Give what was read a mark of its content, and answer only that it is still the same to whoever has it already."""
    version = g.get("shown_version")
    if response.status_code == 204:
        # Nothing is of no kind.
        response.headers.pop("Content-Type", None)
        return response
    if response.is_streamed or not 200 <= response.status_code < 300:
        return response
    if version is not None:
        response.set_etag(f"{version}-{hashlib.sha256(response.get_data()).hexdigest()[:16]}")
    if request.method in {"GET", "HEAD"} and response.status_code == 200:
        if version is None and "ETag" not in response.headers:
            with_mark(response)
        response.headers["Cache-Control"] = "private, no-cache"
        if any(name in request.headers for name in _CONDITIONS):
            response.make_conditional(request)
    return response


def with_mark(response: Response) -> Response:
    """Return the response with a mark of its content."""
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:24], weak=True)
    return response
