"""What all commands share: the settings in force, the database behind them and who is acting."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

import click

from watchbell.config import Config
from watchbell.domain import run_as
from watchbell.domain.task_definition import Defaults
from watchbell.errors import ConfigError, InputError

if TYPE_CHECKING:
    from watchbell.cli.source import Source
    from watchbell.domain.day_calendar import DayCalendar
    from watchbell.store.session import Database


#: Behind the name of a user, or among what goes to the driver.
_PASSWORD = re.compile(r"//[^/@]*:[^@]+@|[?&](ssl)?password=", re.IGNORECASE)


def not_empty(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty text where it would count as nothing said, as when a script's variable is not set."""
    if value is not None and not value.strip():
        raise click.BadParameter("this is empty; leave the option out for the default.")
    return value


def without_password(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse an address with a password in it: every user of the machine can read the arguments of a program."""
    found = not_empty(context, option, value)
    if found is not None and _PASSWORD.search(found):
        raise click.BadParameter(
            "a password in an argument can be read by everybody on this machine; put it into ~/.pgpass, PGPASSWORD or "
            "WATCHBELL_DATABASE_URL."
        )
    return found


class Program:
    """One call of the command line; what it needs is opened when it is first asked for."""

    def __init__(self, overrides: Mapping[str, object]) -> None:
        self._overrides = overrides
        self._at_end = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_end.close()

    def load(self, **overrides: object) -> Config:
        """Return the settings with further arguments on top; raises ConfigError."""
        given = {name: value for name, value in overrides.items() if value is not None}
        return Config.load({**self._overrides, **given})

    @cached_property
    def config(self) -> Config:
        """The settings in force."""
        return self.load()

    @cached_property
    def bare_database(self) -> Database:
        """The database as it is, possibly of an older schema; the data directory is made if it is missing."""
        self.require_here()
        # The database library takes half a second to load, which commands without a database do not pay.
        from watchbell.services import audit
        from watchbell.store.secret_box import SecretBox
        from watchbell.store.session import Database, prepare_home

        audit.come_from(audit.Origin("shell"))
        prepare_home(self.config.home, self.config.database_url)
        db = Database.open(self.config.database_url, box=SecretBox.of(self.config))
        self._at_end.callback(db.close)
        return db

    @cached_property
    def db(self) -> Database:
        """The database with this version's schema, so that a command on a fresh machine just works."""
        from watchbell.store import glance

        database = self.bare_database
        # What upgrades a schema takes long to load, and there is hardly ever something to do.
        if not glance.is_current(self.config.database_url):
            from watchbell.store import schema

            schema.upgrade(database)
        return database

    def require_schema(self) -> None:
        """Make the database, or upgrade it, for a command that opens it in its own way."""
        assert self.db is not None

    @property
    def existing_db(self) -> Database:
        """The database for commands that can only look at or change what is there; they make none."""
        self.require_data()
        return self.db

    def require_here(self) -> None:
        """Raise InputError for a command that works on this machine's own data, where a server elsewhere was named."""
        if self.config.url:
            raise InputError.of("url", "is not for this command, which works on the data of this machine; leave it out")

    def require_data(self) -> None:
        """Raise ConfigError if the data directory has no database, as when its name is mistyped."""
        self.require_here()
        scheme, _, place = self.config.database_url.partition(":///")
        if scheme.partition("+")[0] != "sqlite" or self.config.output_path.is_dir():
            # A server answers for itself, and outputs without a database have a complaint of their own.
            return
        file = Path(place.partition("?")[0])
        if not file.is_file() or file.stat().st_size == 0:
            from watchbell.store.place import remains_of

            if remains_of(self.config.home, file):
                # There was one, which has a complaint of its own.
                return
            where = self.config.home if self.config.owns_database else file
            raise ConfigError(f"there is no Watchbell data in {where}; make some: watchbell up, or watchbell task add")

    @cached_property
    def source(self) -> Source:
        """Who answers this call: the server that an option or the settings name, else the database of this machine."""
        if not self.config.url:
            from watchbell.cli.local import LocalSource

            return LocalSource(self)
        from watchbell.cli.remote import RemoteSource
        from watchbell.client import Client

        client = Client(self.config.url, self.config.token or None)
        self._at_end.callback(client.close)
        return RemoteSource(client)

    @property
    def actor(self) -> str:
        """Who the ledger says has done this."""
        return self.config.user

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown."""
        return ZoneInfo(self.config.zone)

    def day_start(self, now: datetime) -> datetime:
        """Return when today began in the zone in which times are shown."""
        return now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    @property
    def defaults(self) -> Defaults:
        """What a new task gets where nothing is said."""
        return Defaults(
            zone=self.config.zone,
            owner=self.config.user,
            host=self.config.hostname,
            calendars=self.find_calendar,
            users=tuple(run_as.parse(self.config.run_as)),
            environment_sets=self.find_environment_set,
        )

    def find_calendar(self, name: str) -> DayCalendar | None:
        """Return the calendar of a name that is on this machine, or None; the database is opened only for this."""
        from watchbell.services import calendars

        return calendars.finder(self.existing_db)(name)

    def find_environment_set(self, name: str) -> Mapping[str, str] | None:
        """Return the variables of the environment set of a name that is on this machine, or None."""
        from watchbell.services import environment_sets

        return environment_sets.finder(self.existing_db)(name)


pass_program = click.make_pass_decorator(Program)
