"""What a route may ask about the request that it serves: settings, the time, who is asking and from where."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol, cast
from zoneinfo import ZoneInfo

import flask_login
from flask import current_app, g, request

from watchbell import clock
from watchbell.config import Config
from watchbell.control import health as healths
from watchbell.control import process
from watchbell.control.health import Health
from watchbell.control.process import SchedulerStatus
from watchbell.domain import run_as
from watchbell.domain.permissions import Right
from watchbell.domain.presence import SchedulerState
from watchbell.domain.task_definition import Defaults
from watchbell.errors import ConfigError, Unavailable
from watchbell.services import calendars, environment_sets, teams
from watchbell.services.retention import Rules
from watchbell.web import families
from watchbell.web import reader_zone as reader_zones
from watchbell.web.db import database
from watchbell.web.reader_zone import ReaderZone

_NAME = "watchbell.config"
_BEGUN_AT = "watchbell.scheduler_begun_at"
#: A scheduler that has not taken its lock so long after it was begun is not merely starting.
_BEGIN_LIMIT = timedelta(seconds=10)


class User(Protocol):
    """Whoever sends the request: somebody logged in, a token, nobody, or the one user of a server without logins."""

    @property
    def is_authenticated(self) -> bool:
        """Whether it is somebody in particular."""

    @property
    def username(self) -> str:
        """The name that goes into the ledger."""

    @property
    def role(self) -> str | None:
        """The role of the account; None for somebody who has not logged in."""

    @property
    def rights(self) -> frozenset[Right]:
        """All that this request may do."""

    @property
    def by_token(self) -> bool:
        """Whether it carries an API token, and no cookie counts."""

    @property
    def device(self) -> str | None:
        """The uuid of the device whose key it carries; None for whoever is no device."""

    @property
    def token(self) -> str:
        """The token of the session; empty without one."""


def keep_config(config: Config) -> None:
    """Make the settings those of the current application."""
    current_app.extensions[_NAME] = config


def config() -> Config:
    """Return the settings in force."""
    found = current_app.extensions[_NAME]
    assert isinstance(found, Config)
    return found


def keep_scheduler_begun_at(begun_at: datetime) -> None:
    """Note when whoever serves this application has begun to start a scheduler beside it."""
    current_app.extensions[_BEGUN_AT] = begun_at


def now() -> datetime:
    """Return the time of the request; it stands still while the request is served, so that ages agree on a page."""
    if "now" not in g:
        g.now = clock.now()
    return cast(datetime, g.now)


def zone() -> ZoneInfo:
    """Return the zone in which times are shown: the reader's on pages, the server's for programs."""
    return reader_zone().zone


def reader_zone() -> ReaderZone:
    """Return the reader's choice of a zone; programs have none, so that what they compare stays the same."""
    if "reader_zone" not in g:
        is_program = families.find(request.path) is not None or "Authorization" in request.headers
        g.reader_zone = reader_zones.read({} if is_program else request.cookies, config().zone)
    return cast(ReaderZone, g.reader_zone)


def keep_program(program: User) -> None:
    """Note that the request carries the token of a program, whatever else it carries."""
    g.program = program


def user() -> User:
    """Return whoever sends the request."""
    return cast(User, g.get("program") or flask_login.current_user._get_current_object())


def actor() -> str:
    """Return the name that goes into the ledger for what this request does."""
    return user().username


def owner() -> str:
    """Return whose tasks are "mine": the account, or the server's user where nobody logs in."""
    return actor() if config().uses_login else config().user


def mine() -> tuple[str, tuple[str, ...]]:
    """Return whose tasks are "mine": the owner, and the teams of the account."""
    return owner(), tuple(teams.list_names_of(database(), actor())) if config().uses_login else ()


def defaults() -> Defaults:
    """Return what a new task gets where nothing is said."""
    found = calendars.finder(database())
    return Defaults(
        zone=config().zone,
        owner=owner(),
        host=config().hostname,
        calendars=found,
        users=tuple(run_as.parse(config().run_as)),
        environment_sets=environment_sets.finder(database()),
    )


def address() -> str:
    """Return the address of the real peer, or of the client that a trusted proxy names."""
    return request.remote_addr or ""


def scheduler() -> SchedulerStatus:
    """Return what can be said of the scheduler at the time of the request."""
    if "scheduler" not in g:
        status = process.status(config(), database(), now=now())
        g.scheduler = _begun(status) if _is_being_begun(status) else status
    return cast(SchedulerStatus, g.scheduler)


def health() -> Health:
    """Return the whole picture at the time of the request; nothing that is wrong with the database is an error here."""
    if "health" not in g:
        try:
            status = scheduler()
        except (Unavailable, ConfigError):
            # The picture tells what it is.
            status = None
        g.health = healths.look(config(), database(), now=now(), status=status)
    return cast(Health, g.health)


def rules() -> Rules:
    """Return how long the server keeps runs where a task does not say otherwise."""
    return Rules.of(config())


def _is_being_begun(status: SchedulerStatus) -> bool:
    """Return whether this looks stopped only because the scheduler begun with the server has no lock yet."""
    begun_at: datetime | None = current_app.extensions.get(_BEGUN_AT)
    if begun_at is None or status.state is not SchedulerState.STOPPED:
        return False
    # One that has ended since then has been there, and is not starting any more.
    return (status.since is None or status.since < begun_at) and now() - begun_at < _BEGIN_LIMIT


def _begun(status: SchedulerStatus) -> SchedulerStatus:
    message = "Starting: its process has just been launched."
    return SchedulerStatus(SchedulerState.STARTING, message, host=status.host)
