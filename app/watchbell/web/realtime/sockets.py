"""The route on which clients become sockets of the hub."""

from __future__ import annotations

import functools

from flask import Blueprint, Flask, Request, Response, current_app, request

from watchbell import clock
from watchbell.config import Config
from watchbell.errors import InputError
from watchbell.services.logins import Limits
from watchbell.store.session import Database
from watchbell.web import auth, errors
from watchbell.web.realtime import handover
from watchbell.web.realtime.client import Client
from watchbell.web.realtime.ending import end_with_worker
from watchbell.web.realtime.hub import Hub
from watchbell.web.realtime.messages import Resume

blueprint = Blueprint("sockets", __name__)
_NAME = "watchbell.hub"
_BUSY_SECONDS = 0.2
_VERSION = "13"


def init_app(app: Flask, config: Config) -> None:
    """Give the application its hub; nothing is opened and no thread started before the first client comes."""
    made = make_hub(config)
    app.extensions[_NAME] = made
    app.register_blueprint(blueprint)
    end_with_worker(made)


def make_hub(config: Config) -> Hub:
    """Return a hub that follows the database of these settings."""

    def open_database() -> Database:
        # One connection, by which the hub sees what others write; and clients do not wait long for a locked database.
        return Database.open(config.database_url, single_connection=True, busy_timeout_seconds=_BUSY_SECONDS)

    still_open = functools.partial(auth.still_open, limits=Limits.of(config))
    return Hub(open_database, still_open, limit=config.streams)


def hub_of(app: Flask) -> Hub:
    """Return the hub of an application."""
    found = app.extensions[_NAME]
    assert isinstance(found, Hub)
    return found


# Once for sockets and once for whoever comes otherwise, who is told what this address is for.
@blueprint.get("/ws", websocket=True)
@blueprint.get("/ws")
def connect() -> Response:
    """Make the connection of this request a socket that is told what happens."""
    return _connect(_after(request))


@blueprint.get("/ws/metrics", websocket=True)
@blueprint.get("/ws/metrics")
def connect_metrics() -> Response:
    """Make the connection of this request a socket that is pushed metrics."""
    for name in request.args:
        raise InputError.of(name[:50], "is not known here; credentials belong into a header", "/ws/metrics")
    return _connect(None, wants_metrics=True)


def _connect(after: Resume | None, *, wants_metrics: bool = False) -> Response:
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    hub = hub_of(current_app)
    if not hub.reserve():
        return errors.answer(503, "There are as many live connections as this server carries")
    return _hand_over(hub, after, wants_metrics=wants_metrics)


def _after(asked: Request) -> Resume | None:
    """Return from where on the client asks to be told; raises InputError, also for whatever else it asks."""
    for name in asked.args:
        if name != "after":
            raise InputError.of(name[:50], "is not known here; credentials belong into a header", "/ws?after=4711")
    given = asked.args.get("after")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise InputError.of("after", "must be the id of an event", "4711")
    return Resume(int(given))


def _refusal(asked: Request) -> Response | None:
    """Return why this cannot become a socket, or None."""
    headers = asked.headers
    is_asked = headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in headers.get("Connection", "").lower()
    if not is_asked or headers.get("Sec-WebSocket-Version") != _VERSION:
        refusal = errors.answer(426)
        refusal.headers.update({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": _VERSION})
        return refusal
    if not handover.is_valid_key(headers.get("Sec-WebSocket-Key", "")):
        return errors.answer(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    if auth.credential() and asked.authorization is None and "Origin" not in headers:
        # Every browser sends it with a socket, and a program that has no browser's cookie has no use for one.
        return errors.answer(403, "A socket that is opened by a login needs the Origin header")
    if handover.connection_of(asked.environ) is None:
        return errors.answer(501, "This server does not let go of connections; serve with gunicorn, TLS before it")
    return None


def _hand_over(hub: Hub, resume: Resume | None, *, wants_metrics: bool) -> Response:
    connection = handover.connection_of(request.environ)
    assert connection is not None
    try:
        opening = handover.opening(request.headers["Sec-WebSocket-Key"])
        taken, far_end = handover.take_over(connection)
    except BaseException:
        hub.release()
        raise

    now, credential = clock.monotonic(), auth.credential()
    hub.add(Client(taken, opening, credential=credential, resume=resume, now=now, wants_metrics=wants_metrics))
    # It goes to nobody; it only tells the server, and its log, how the request has ended.
    answer = Response(status=101)
    answer.call_on_close(far_end.close)
    return answer
