"""Opening the database and the only two ways to use it: a reading and a writing transaction.

On SQLite a writing transaction is BEGIN IMMEDIATE from its first statement: one that reads first and then writes would
fail with "locked" whatever the time-out.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from watchbell import clock
from watchbell.errors import ConfigError
from watchbell.store import listening, place, postgres
from watchbell.store.place import parsed, prepare_home
from watchbell.store.secret_box import NO_BOX, SecretBox
from watchbell.store.trouble import is_lost, translated

__all__ = ["ChangeWatch", "Database", "Session", "all_or_none", "configure", "prepare_home"]

#: How long a connection waits for another writer before it says that the database is locked.
BUSY_TIMEOUT_SECONDS = 10
#: The log beside the database is cut to this size when it has been worked off.
WAL_KEPT_BYTES = 48 * 1024 * 1024
#: Where somebody who commits calls whoever listens, a look is taken so often all the same.
_NET_SECONDS = 1.0
_WRITE = postgres.WRITE
_IMPATIENT = postgres.IMPATIENT
_FILE = "watchbell_file"
_DRIVER = "watchbell_driver"


def sqlite_version() -> tuple[int, int, int]:
    """Return the version of the library of the embedded database."""
    major, minor, patch = sqlite3.sqlite_version_info
    return major, minor, patch


class Database:
    """One database, shared by the threads of a process; its ``box`` opens what stands in it sealed."""

    def __init__(self, engine: Engine, box: SecretBox = NO_BOX) -> None:
        self.engine = engine
        self.box = box
        #: The file of the embedded database, None for a server.
        self.file = place.file_of(engine.url)
        self._writing = engine.execution_options(**{_WRITE: True})
        self._reading = engine if self.is_sqlite else engine.execution_options(**postgres.READING)
        self._glancing = engine if self.is_sqlite else engine.execution_options(**postgres.GLANCING)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        single_connection: bool = False,
        box: SecretBox = NO_BOX,
    ) -> Database:
        """Return the database behind a SQLAlchemy URL; nothing is created or migrated here.

        A program whose one thread does all the writing takes a single connection: statements stay compiled in it, and
        a ChangeWatch on it sees other programs' commits only. Raises ConfigError for a URL that cannot be used.
        """
        parts = parsed(url)
        try:
            engine = create_engine(parts, **engine_options(url, single_connection=single_connection))
        except NoSuchModuleError:
            raise ConfigError(
                f"the database URL names {parts.drivername}, which is no known kind of database"
            ) from None
        except ImportError as error:
            raise ConfigError(
                f"the database URL needs a driver that is not installed: {error.name}; pip install 'watchbell[postgres]'"
            ) from None
        return cls(configure(engine, busy_timeout_seconds=busy_timeout_seconds, is_of_loop=single_connection), box)

    @property
    def is_sqlite(self) -> bool:
        """Return whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and changes nothing."""
        with translated(self.file), Session(self._reading, expire_on_commit=False, autoflush=False) as session:
            # Closing, not rolling back, ends the transaction: rows that were read stay readable outside.
            yield session

    @contextlib.contextmanager
    def glance(self) -> Iterator[Session]:
        """Give a session for one single statement that reads: a server needs no transaction for it."""
        with translated(self.file), Session(self._glancing, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Session]:
        """Give a session whose changes are all durable when the block ends, or none of them.

        Without ``wait`` an embedded database that another program writes is Unavailable at once.
        """
        engine = self._writing if wait else self._writing.execution_options(**{_IMPATIENT: True})
        with translated(self.file), Session(engine, expire_on_commit=False, autoflush=False) as session:
            # The lock is taken here; the driver's own connection is the session's for as long as this transaction is.
            connection = session.connection()
            if self.is_sqlite:
                session.info[_DRIVER] = connection.connection.dbapi_connection
                yield session
                session.commit()
                return
            transaction = postgres.transaction_of(connection)
            yield session
            try:
                session.commit()
            except DBAPIError as error:
                if not (is_lost(error) and postgres.was_committed(self.engine, transaction)):
                    raise

    @contextlib.contextmanager
    def rehearse(self) -> Iterator[Session]:
        """Give a session whose changes are undone when the block ends: what they would lead to is seen, and none is kept."""
        with translated(self.file), Session(self._writing, expire_on_commit=False, autoflush=False) as session:
            yield session

    def within(self, session: Session) -> Database:
        """Return this database as whoever takes part in an open transaction sees it.

        What services do with it is durable with that transaction, all of it or nothing.
        """
        return _Joined(self, session)

    def log_bytes(self) -> int:
        """Return the size of the log beside the embedded database."""
        log = self.file.with_name(f"{self.file.name}-wal") if self.file is not None else None
        try:
            return log.stat().st_size if log is not None else 0
        except OSError:
            return 0

    def work_off_log(self) -> None:
        """Move a long log into the database, so that it starts anew; waits for nobody, and tries again another time.

        What is written moves it by itself, but never quite to the end while readers follow each other closely.
        """
        if self.log_bytes() < WAL_KEPT_BYTES:
            return
        with (
            translated(self.file),
            self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection,
        ):
            busy = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            try:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(RESTART)")
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={busy}")

    def close(self) -> None:
        """Give all connections back to the system."""
        self.engine.dispose()


class _Joined(Database):
    """A database whose transactions are all the same one, which somebody else has begun and ends."""

    def __init__(self, database: Database, session: Session) -> None:
        super().__init__(database.engine, database.box)
        self._session = session

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        yield self._session

    @contextlib.contextmanager
    def glance(self) -> Iterator[Session]:
        yield self._session

    @contextlib.contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Session]:
        del wait  # The lock is held already.
        yield self._session
        # Whoever comes next in this transaction asks the database, not what was left to be written.
        self._session.flush()

    @contextlib.contextmanager
    def rehearse(self) -> Iterator[Session]:
        savepoint = self._session.begin_nested()
        try:
            yield self._session
        finally:
            savepoint.rollback()


def configure(
    engine: Engine, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS, is_of_loop: bool = False
) -> Engine:
    """Return the engine with our connection rules attached; also used on the engine that the web extension makes."""
    if engine.dialect.name != "sqlite":
        return postgres.configure(engine, lock_seconds=busy_timeout_seconds, is_of_loop=is_of_loop)

    busy_timeout = int(busy_timeout_seconds * 1000)
    _guard_file(engine)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # The driver must not open transactions by itself: the begin hook below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={busy_timeout}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32000",
            # A checkpoint writes each page once, however often it was changed since the last one: the fewer, the less.
            "wal_autocheckpoint=8000",
            # What a long reader has let it grow to is given back once that reader is gone.
            f"journal_size_limit={WAL_KEPT_BYTES}",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        begin = "BEGIN IMMEDIATE" if options.get(_WRITE, False) else "BEGIN"
        if not options.get(_IMPATIENT, False):
            connection.exec_driver_sql(begin)
            return
        # Only the beginning can meet another writer, and the connection goes back to a pool whose others do wait.
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        try:
            connection.exec_driver_sql(begin)
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={busy_timeout}")

    return engine


def _guard_file(engine: Engine) -> None:
    """Make no empty database in the place of a lost one, and write into no file that nobody would find again."""
    file = place.file_of(engine.url)
    if file is None:
        return
    # One that was never there may be made, by the first connection.
    makes = not file.exists() and not place.marker_of(file).exists()

    @event.listens_for(engine, "do_connect")
    def on_do_connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
        nonlocal makes
        arguments[0] = place.uri_of(file, makes=makes)
        options["uri"] = True
        makes = False

    @event.listens_for(engine, "connect")
    def on_connect(_connection: object, record: Any) -> None:
        record.info[_FILE] = place.identity(file)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        place.require_same(file, connection.info[_FILE])

    if not isinstance(engine.pool, StaticPool):

        @event.listens_for(engine, "checkout")
        def on_checkout(_connection: object, record: Any, _proxy: object) -> None:
            # Whoever keeps nothing in mind from one transaction to the next may go on with another file.
            if place.identity(file) not in {None, record.info[_FILE]}:
                raise DisconnectionError


def all_or_none(session: Session, expected: int, execute: Callable[[], int]) -> bool:
    """Execute something that answers how many rows it met, and return whether they were as many as expected.

    If not, it is undone. The usual case, in which nobody has interfered, is one statement for many rows; the caller finds
    out about the others one by one.
    """
    if not is_embedded(session):
        with session.connection().begin_nested() as savepoint:
            if execute() == expected:
                return True
            savepoint.rollback()
        return False
    with driver_cursor(session) as cursor:
        cursor.execute("SAVEPOINT all_or_none")
    # Should this fail, whoever hears of it gives the whole transaction up.
    is_whole = execute() == expected
    with driver_cursor(session) as cursor:
        if not is_whole:
            cursor.execute("ROLLBACK TO all_or_none")
        cursor.execute("RELEASE all_or_none")
    return is_whole


def is_embedded(session: Session) -> bool:
    """Return whether a session works on the embedded database."""
    return _DRIVER in session.info or session.get_bind().dialect.name == "sqlite"


def engine_options(url: str, *, single_connection: bool = False) -> dict[str, Any]:
    """Return how the connections of a database are kept."""
    if parsed(url).get_backend_name() != "sqlite":
        # Whoever asks for a single one has one thread; what it listens on is beside it.
        return postgres.engine_options()
    return {"poolclass": StaticPool} if single_connection else {}


@contextlib.contextmanager
def driver_cursor(session: Session) -> Iterator[sqlite3.Cursor]:
    """Give a cursor of the embedded database's own driver, inside the session's transaction.

    For the few statements that are executed for each run: what lies between costs several times what SQLite itself needs
    for the work. Errors come out as they would from there.
    """
    driver: Any = session.info.get(_DRIVER) or session.connection().connection.dbapi_connection
    cursor: sqlite3.Cursor = driver.cursor()
    try:
        yield cursor
    except sqlite3.Error as error:
        dialect = session.get_bind().dialect
        raise DBAPIError.instance(None, None, error, sqlite3.Error, dialect=dialect) from error
    finally:
        cursor.close()


class ChangeWatch:
    """Notices that another connection has committed, at the cost of microseconds a look.

    On SQLite this is ``PRAGMA data_version``, which a connection sees change whenever any other connection, of this
    process or another, has changed the file. It therefore belongs on a database opened with a single connection, whose
    own commits do not count. A server calls whoever listens; in case it does not, a look answers True once a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: int | None = None
        self._listener = None if database.is_sqlite else listening.Listener(database.engine)
        self._true_at = 0.0

    def changed(self) -> bool:
        """Return whether somebody else has committed since the last look; the first look says True.

        Raises Unavailable and ConfigError as a transaction does.
        """
        if self._listener is not None:
            return self._hear(self._listener)
        version = self.version()
        changed = version != self._seen
        self._seen = version
        return changed

    def close(self) -> None:
        """Give back what the watch has of its own; it may be looked at again."""
        if self._listener is not None:
            self._listener.close()

    def version(self) -> int | None:
        """Return a number that another one takes the place of whenever somebody else commits to an embedded database."""
        with translated(self._database.file):
            return self._version()

    def _hear(self, listener: listening.Listener) -> bool:
        now = clock.monotonic()
        with translated(None):
            if not listener.has_heard() and now - self._true_at < _NET_SECONDS:
                return False
        self._true_at = now
        return True

    def _version(self) -> int | None:
        connection = self._database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            row = cursor.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                None, None, error, sqlite3.Error, dialect=self._database.engine.dialect
            ) from error
        finally:
            connection.close()
        return int(row[0]) if row else None
