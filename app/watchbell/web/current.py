"""What a route may ask about the request that it serves: settings, the time, who is asking and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, cast
from zoneinfo import ZoneInfo

import flask_login
from flask import current_app, g, request

from watchbell import clock
from watchbell.config import Config
from watchbell.control import process
from watchbell.control.process import SchedulerStatus
from watchbell.web.db import database

_NAME = "watchbell.config"


class User(Protocol):
    """Whoever sends the request: somebody logged in, nobody, or the one user of a server without logins."""

    is_authenticated: bool
    username: str
    #: None for somebody who has not logged in.
    role: str | None
    #: The token of the session; empty without one.
    token: str


def keep_config(config: Config) -> None:
    """Make the settings those of the current application."""
    current_app.extensions[_NAME] = config


def config() -> Config:
    """Return the settings in force."""
    found = current_app.extensions[_NAME]
    assert isinstance(found, Config)
    return found


def now() -> datetime:
    """Return the time of the request; it stands still while the request is served, so that ages agree on a page."""
    if "now" not in g:
        g.now = clock.now()
    return cast(datetime, g.now)


def zone() -> ZoneInfo:
    """Return the zone in which pages show times."""
    return ZoneInfo(config().zone)


def user() -> User:
    """Return whoever sends the request."""
    return cast(User, flask_login.current_user._get_current_object())


def actor() -> str:
    """Return the name that goes into the ledger for what this request does."""
    return user().username


def address() -> str:
    """Return the address of the real peer, or of the client that a trusted proxy names."""
    return request.remote_addr or ""


def scheduler() -> SchedulerStatus:
    """Return what can be said of the scheduler at the time of the request."""
    if "scheduler" not in g:
        g.scheduler = process.status(config(), database(), now=now())
    return cast(SchedulerStatus, g.scheduler)
