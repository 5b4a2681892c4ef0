"""Requests with an Idempotency-Key: what they ask for is done once, and asked again they get the same answer."""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Response, make_response, request

from watchbell.services import idempotency
from watchbell.services.idempotency import Answer, Asked
from watchbell.web import current
from watchbell.web.api import versions
from watchbell.web.db import database, joined

HEADER = "Idempotency-Key"
#: The headers of an answer that belong to what it says.
_KEPT_HEADERS = ("Content-Type", "ETag", "Link", "Location")
_View = TypeVar("_View", bound=Callable[..., Any])


def idempotent(*, takes_long: bool = False) -> Callable[[_View], _View]:
    """Let a route be asked again under the same key; it stands above what makes a Response of the view's answer.

    The answer is kept in the transaction of all that the view does, which for that time is the only writer. What
    ``takes_long``, because it waits for another program, has its answer kept after it: asked again meanwhile it is a
    Conflict, and a server that is killed in between leaves a key that may be used once more.
    """

    def decorate(view: _View) -> _View:
        @functools.wraps(view)
        def wrapper(*args: Any, **options: Any) -> Any:
            asked = _asked()
            if asked is None:
                return view(*args, **options)
            make = functools.partial(view, *args, **options)
            return _by_steps(asked, make) if takes_long else _at_once(asked, make)

        # Read by the blueprint, which describes the header and what it may lead to.
        wrapper._apidoc = {**copy.deepcopy(getattr(view, "_apidoc", {})), "idempotent": True}  # type: ignore[attr-defined]
        return cast(_View, wrapper)

    return decorate


def _asked() -> Asked | None:
    """Return the request under its key, None if it has none."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    told = b"\0".join([request.method.encode(), request.full_path.encode(), request.get_data(cache=True)])
    return Asked(current.actor(), str(request.endpoint), key.strip(), hashlib.sha256(told).hexdigest())


def _at_once(asked: Asked, make: Callable[[], Any]) -> Response:
    with database().write() as session, joined(session):
        kept = idempotency.begin(database(), asked, now=current.now())
        if kept is not None:
            return _replayed(kept)
        # An error leaves the block, and with it nothing is kept: what has had no effect may be tried again.
        response = versions.mark(make_response(make()))
        idempotency.keep(database(), asked, _as_answer(response))
    return response


def _by_steps(asked: Asked, make: Callable[[], Any]) -> Response:
    kept = idempotency.begin(database(), asked, now=current.now())
    if kept is not None:
        return _replayed(kept)
    try:
        response = versions.mark(make_response(make()))
    except Exception:
        idempotency.forget(database(), asked)
        raise
    idempotency.keep(database(), asked, _as_answer(response))
    return response


def _as_answer(response: Response) -> Answer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return Answer(response.status_code, headers, response.get_data())


def _replayed(kept: Answer) -> Response:
    response = Response(kept.body, kept.status)
    response.headers.update(dict(kept.headers))
    response.headers["Idempotency-Replayed"] = "true"
    return response
