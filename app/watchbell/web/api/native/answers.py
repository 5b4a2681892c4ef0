"""Answers of the native family: JSON in which times are ISO 8601 in UTC, and pages that lead on to the next one."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import orjson
from flask import Response, request

from watchbell.errors import Problem
from watchbell.web import kept
from watchbell.web.api import versions
from watchbell.web.api.parsing import RequestInvalid

_View = TypeVar("_View", bound=Callable[..., Any])
_LONGEST_CURSOR = 2000


def answer(body: object, status: int = 200) -> Response:
    """Return a body as JSON; times stand in it as they are in the database, in UTC."""
    return Response(orjson.dumps(body), status, mimetype="application/json")


def kept_unless(*told_from_now: str) -> Callable[[_View], _View]:
    """Let a route that depends on its address and the database alone be made anew only if somebody has changed that.

    It stands above whatever reads the address. With one of these arguments the answer depends on the time as well.
    """

    def decorate(view: _View) -> _View:
        @functools.wraps(view)
        def wrapper(**arguments: Any) -> Response:
            if any(name in request.args for name in told_from_now):
                return cast(Response, view(**arguments))
            body, headers = kept.recall(
                (request.endpoint, request.script_root, request.full_path), lambda: _parts(view(**arguments))
            )
            return Response(body, headers=headers)

        return cast(_View, wrapper)

    return decorate


def _parts(response: Response) -> tuple[bytes, list[tuple[str, str]]]:
    marked = versions.with_mark(response)
    return marked.get_data(), list(marked.headers)


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with nothing in it but what JSON has, for what is written out by others."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(body))
    return found


def nothing() -> Response:
    """Return that all went well and nothing is left to say."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def page(items: Sequence[object], leads_on: tuple[str, str] | None = None, **more: object) -> Response:
    """Return a page of a list; ``leads_on`` is the argument of the address, and its value, by which the next one is asked for."""
    made = answer({"items": items, "next": leads_on[1] if leads_on is not None else None, **more})
    if leads_on is not None:
        made.headers["Link"] = f'<{_with_argument(*leads_on)}>; rel="next"'
    return made


def _with_argument(name: str, value: str) -> str:
    """Return the address of this request with one argument changed, and none that leads elsewhere in the list."""
    kept = [(key, text) for key, text in request.args.items(multi=True) if key not in {"after", "before"}]
    return f"{request.script_root}{request.path}?{urlencode([*kept, (name, value)])}"


def to_cursor(place: Sequence[object]) -> str:
    """Return a place in a list as a text that means nothing to anybody else."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def from_cursor(text: str, length: int) -> list[Any]:
    """Return the place that a text stands for; raises RequestInvalid for one that we have not made."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded)) if len(text) <= _LONGEST_CURSOR else None
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        place = None
    if not isinstance(place, list) or len(place) != length:
        raise RequestInvalid("query", Problem("after", "must be the next of the page before"))
    return place
