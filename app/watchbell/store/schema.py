"""Bringing a database to this version's schema, and telling what schema it has.

A migration runs in one writing transaction: a process that is killed in the middle leaves the old schema, and a second
one that starts meanwhile waits and then finds nothing left to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

from watchbell import clock, resources
from watchbell.errors import ConfigError, DatabaseDamaged, DatabaseTrouble, Unavailable
from watchbell.store import glance, place
from watchbell.store.session import Database
from watchbell.store.trouble import damage_words, is_damaged, is_refusal, reason_of

#: What a start waits for; of anything else it says at once that it cannot work like this.
_PASSING = frozenset({DatabaseTrouble.LOCKED, DatabaseTrouble.FULL})


@dataclasses.dataclass(frozen=True, slots=True)
class SchemaState:
    """Which schema a database has and which one this version wants."""

    current: str | None
    head: str
    #: Whether a newer version of Watchbell has migrated it.
    is_newer: bool

    @property
    def is_current(self) -> bool:
        """Return whether nothing is left to do."""
        return self.current == self.head


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(resources.migrations()).replace("%", "%%"))
    return config


def state(database: Database) -> SchemaState:
    """Return the schema state; raises ConfigError if the file is not a database and Unavailable if it is only busy."""
    scripts = ScriptDirectory.from_config(_alembic())
    head = scripts.get_current_head()
    if head is None:
        raise ConfigError("the migrations of this installation are missing")
    with _told(database), database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    known = current is None or _is_known(scripts, current)
    return SchemaState(current, head, is_newer=not known)


@contextlib.contextmanager
def _told(database: Database) -> Iterator[None]:
    """Tell a database that can never be used from one that does not answer at the moment: a start waits for the latter."""
    try:
        yield
    except DatabaseError as error:
        if database.is_sqlite and is_damaged(error):
            raise DatabaseDamaged(damage_words(database.file)) from None
        if isinstance(error, OperationalError):
            words, trouble = reason_of(error)
            if is_refusal(words):
                raise ConfigError(words) from None
            if trouble in _PASSING or not database.is_sqlite:
                raise Unavailable(words, trouble) from error
        raise ConfigError(f"the database cannot be opened: {error.orig}") from None


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def upgrade(database: Database) -> SchemaState:
    """Bring the database to this version's schema and return the state before.

    Raises ConfigError if a newer version of Watchbell has migrated it already, or if the file is damaged, and Unavailable
    if another program holds it for too long.
    """
    before = state(database)
    require_not_newer(before)
    if not before.is_current:
        config = _alembic()
        with _told(database), database.engine.execution_options(watchbell_write=True).connect() as connection:
            config.attributes["connection"] = connection
            with copying_tables(connection), connection.begin():
                if not database.is_sqlite:
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                command.upgrade(config, "head")
    if database.file is not None:
        place.set_marker(database.file)
    return before


@contextlib.contextmanager
def copying_tables(connection: Connection) -> Iterator[None]:
    """Let a migration copy a table and drop the old one without SQLite deleting all rows that refer to it.

    It does so by itself where a reference says that its rows go with what they refer to, and can be told not to only while no
    transaction has begun.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def serves(database: Database) -> bool:
    """Return whether this version can work on the schema of the database: its own, or one that a newer version has made since.

    This is for looks that come every few seconds, and loads no migration. Raises Unavailable if the database does not answer.
    """
    with _told(database), database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    # They are numbered in one line, and what a newer one takes away is no longer used by the version before it.
    return current is not None and current >= _newest()


@functools.lru_cache(maxsize=1)
def _newest() -> str:
    return glance.newest_revision() or ""


def require_current(database: Database) -> None:
    """Raise ConfigError unless the schema is exactly this version's."""
    found = state(database)
    require_not_newer(found)
    if not found.is_current:
        raise ConfigError("the database schema is older than this version; run: watchbell db upgrade")


def require_not_newer(found: SchemaState) -> None:
    """Raise ConfigError for a schema that this version does not know."""
    if found.is_newer:
        raise ConfigError(
            f"the database has schema {found.current}, made by a newer Watchbell; this version knows {found.head}. "
            "Install the newer version again, or restore a backup"
        )


def check_integrity(database: Database) -> list[str]:
    """Return what the database itself finds wrong with its files, one line each; nothing if all is well."""
    if not database.is_sqlite:
        return []
    try:
        with database.engine.connect() as connection:
            lines = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20)
    except DatabaseError as error:
        return [_plain(error)]
    problems = [line for line in lines if line != "ok"]
    return problems + [f"row {row[1]} of {row[0]} refers to a missing {row[2]}" for row in orphans]


def find_damage(database: Database, seconds: float) -> tuple[bool, str]:
    """Look for damage, as a start does, for so long at the most; return whether the look came to its end, and the damage.

    The database looks at one table after the other; what a big one leaves unlooked at is for ``watchbell db check``.
    """
    if not database.is_sqlite:
        return True, ""
    deadline = clock.monotonic() + seconds
    is_over = False

    def watch() -> int:
        nonlocal is_over
        is_over = clock.monotonic() > deadline
        return int(is_over)

    with _told(database), database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(watch, 20_000)
        try:
            lines = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
        except OperationalError:
            if not is_over:
                raise
            return False, ""
        finally:
            driver.set_progress_handler(None, 0)
    return True, "; ".join(line for line in lines if line != "ok")


def _plain(error: DatabaseError) -> str:
    text = str(error.orig)
    if "not a database" in text or "malformed" in text:
        return "the file is damaged or not a database; restore a backup"
    return text
