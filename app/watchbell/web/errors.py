"""How errors are told: one table from exception to status, one JSON shape, one page; never a trace, path or SQL."""

from __future__ import annotations

import contextlib
import logging
import secrets
from typing import Any

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from watchbell.errors import (
    AlreadyRunning,
    ConfigError,
    Conflict,
    InputError,
    NotAllowed,
    NotFound,
    NotRunning,
    TooMany,
    TooManyTries,
    Unavailable,
    VersionConflict,
    VersionRequired,
    WatchbellError,
)
from watchbell.services.ownership import NotYours
from watchbell.services.quotas import StartQuotaReached
from watchbell.services.runs import RunDeleted
from watchbell.services.triggers import QuotaReached
from watchbell.web import askers, current, families
from watchbell.web.families import Told
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

_log = logging.getLogger("watchbell.web")

#: The first class that fits decides.
STATUSES: tuple[tuple[type[WatchbellError], int], ...] = (
    (InputError, 422),
    (RunDeleted, 410),
    (NotFound, 404),
    (VersionConflict, 412),
    (VersionRequired, 428),
    (QuotaReached, 429),
    (StartQuotaReached, 429),
    (Conflict, 409),
    (AlreadyRunning, 409),
    (NotRunning, 409),
    (NotAllowed, 403),
    (Unavailable, 503),
    (TooMany, 503),
    (TooManyTries, 429),
    (WatchbellError, 500),
)
#: Whose message may hold what only the server's owner should read, such as a path.
_PRIVATE: tuple[type[WatchbellError], ...] = (ConfigError,)
RETRY_SECONDS = 5

_OTHER_FORM = lazy("The form was too old or did not come from this page. Go back, reload the page and send it again.")
_EARLIER_FORM = lazy(
    "The form was made before you logged in, or too long ago. Nothing was saved yet: look whether it is still meant."
)
_NOT_BY_COOKIE = (
    "A request with a session cookie that changes something needs the token of a form of that session in the header "
    "X-CSRFToken; programs send an API token in the header Authorization instead"
)
_PLAIN = lazy("Something went wrong on the server. Its log has the details under the number below.")
#: Status -> heading, and what is said when the error has no words of its own.
_TEXTS: dict[int, tuple[Any, Any]] = {
    400: (lazy("That request makes no sense"), lazy("The server could not understand what was sent.")),
    401: (lazy("Log in first"), lazy("This needs an account: log in, or send a token in the header Authorization.")),
    403: (lazy("Not allowed"), lazy("Your account does not have the right to do this.")),
    404: (
        lazy("Not found"),
        lazy("There is nothing at this address. It may have been deleted, or the address has a typing error."),
    ),
    405: (lazy("Not possible like this"), lazy("This address exists, but not for this kind of request.")),
    409: (lazy("Not possible now"), lazy("That collides with the present state. Look again and try once more.")),
    410: (lazy("Deleted"), lazy("This was here, and it is older than such things are kept.")),
    412: (
        lazy("Changed meanwhile"),
        lazy("This is not what it was when you looked at it. Look again, then change it."),
    ),
    413: (lazy("Too large"), lazy("More was sent than the server takes at once, which is 1 MiB.")),
    416: (lazy("Not so long"), lazy("There are no bytes in the range that was asked for.")),
    422: (lazy("Not accepted"), lazy("Something in what was sent is not valid.")),
    426: (lazy("Not a page"), lazy("This address is for programs that speak WebSocket.")),
    428: (lazy("Say what you have seen"), lazy("This is changed only by whoever says which version of it was seen.")),
    429: (lazy("Too many tries"), lazy("Wait a minute, then try again.")),
    500: (lazy("Something went wrong"), _PLAIN),
    501: (lazy("Not possible here"), lazy("The server that serves this page cannot do it.")),
    503: (lazy("The database is busy"), lazy("Nothing was lost. Try again in a few seconds.")),
}


def init_app(app: Flask) -> None:
    """Attach the table to the application."""
    app.register_error_handler(WatchbellError, _on_ours)
    app.register_error_handler(HTTPException, _on_http)


def request_id() -> str:
    """Return the number under which this request is found in the log."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    return str(g.request_id)


def answer(status: int, text: str = "", *, bare: bool = False, error: Exception | None = None) -> Response:
    """Return an error in the shape of the address's family, as JSON or as a page.

    A bare page asks the database nothing and knows nobody.
    """
    title, usual = _TEXTS.get(status, (_("Error"), _PLAIN))
    said = _sentence(text) or str(usual)
    family = families.find(request.path)
    if family is not None:
        status, body = family.shape(Told(status, said, request_id(), error))
        made = jsonify(body)
        made.content_type = family.content_type
    elif askers.wants_json(request):
        made = jsonify(error=said, request_id=request_id())
    elif isinstance(request.routing_exception, BadHost):
        # A page is full of addresses, and under such a name there are none.
        made = Response(f"{said} ({request_id()})\n", mimetype="text/plain")
    else:
        g.is_bare = bare or not _is_known()
        made = make_response(
            render_template(
                "errors/error.html",
                code=status,
                title=title,
                text=sentence(text) or said,
                bare=g.is_bare,
                request_id=request_id(),
                address=f"{request.script_root}{request.full_path.removesuffix('?')}",
                typed=typed() if status in {401, 503} or isinstance(error, CSRFError) else [],
            )
        )
    made.status_code = status
    # What was refused is found again by its number; nothing that the client sent can break the line.
    _log.info(
        "request %s: %s %r from %s answered %s", request_id(), request.method, request.path, current.address(), status
    )
    if status in {429, 503}:
        made.headers["Retry-After"] = str(RETRY_SECONDS)
    return made


def _on_ours(error: WatchbellError) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    if status >= 500:
        _log.error("request %s: %s", request_id(), error.message)
    text = "" if isinstance(error, _PRIVATE) else error.message
    g.is_not_theirs = isinstance(error, NotYours)
    made = answer(status, text, bare=status >= 500, error=error)
    if isinstance(error, TooManyTries | StartQuotaReached):
        made.headers["Retry-After"] = str(error.retry_seconds)
    return made


def _on_http(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error
    own_words = "" if error.description == type(error).description else error.description or ""
    if isinstance(error, CSRFError):
        own_words = (
            _NOT_BY_COOKIE if askers.is_for_programs(request) else str(_EARLIER_FORM if typed() else _OTHER_FORM)
        )
    made = answer(status, own_words if status < 500 else "", bare=status >= 500, error=error)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        made.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        # How long it is, so that the next range can be right.
        made.headers["Content-Range"] = f"{error.units} */{error.length}"
    return made


def typed() -> list[tuple[str, str]]:
    """Return the fields of a form that was sent in vain, so that it can be sent again; none where a secret is among them.

    A browser that goes back brings what was typed, but not everybody dares to, and not every browser does.
    """
    found: list[tuple[str, str]] = []
    # What was sent is too much or no form at all: then there is nothing to give back, and the error at hand is told.
    with contextlib.suppress(HTTPException):
        found = [(name, value) for name, values in request.form.lists() for value in values]
    names = {name for name, _value in found}
    is_whole = request.method == "POST" and "csrf_token" in names and not request.files
    if not is_whole or any("password" in name or name in {"repeat", "current", "secret_value"} for name in names):
        return []
    # Another site cannot have sent it, so the form may carry the token of the session that there is by now.
    return [(name, generate_csrf() if name == "csrf_token" else value) for name, value in found]


def _is_known() -> bool:
    """Return whether the page may have its frame; asking the database again after it failed would fail again."""
    try:
        return current.user().role is not None
    except Unavailable:
        return False


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
