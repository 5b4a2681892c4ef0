"""Opening the database and the only two ways to use it: a reading and a writing transaction.

On SQLite a writing transaction is BEGIN IMMEDIATE from its first statement: one that reads first and then writes would
fail with "locked" whatever the time-out.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from watchbell.errors import ConfigError, Unavailable

__all__ = ["ChangeWatch", "Database", "Session", "all_or_none", "configure", "is_busy", "prepare_home"]

#: How long a connection waits for another writer before it says that the database is locked.
BUSY_TIMEOUT_SECONDS = 10
_WRITE = "watchbell_write"
_IMPATIENT = "watchbell_impatient"
_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph"})


class Database:
    """One database, shared by the threads of a process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(**{_WRITE: True})

    @classmethod
    def open(
        cls, url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS, single_connection: bool = False
    ) -> Database:
        """Return the database behind a SQLAlchemy URL; nothing is created or migrated here.

        A program whose one thread does all the writing takes a single connection: statements stay compiled in it, and
        a ChangeWatch on it sees other programs' commits only. Raises ConfigError for a URL that cannot be used.
        """
        parsed = _parsed(url)
        try:
            engine = create_engine(parsed, poolclass=StaticPool) if single_connection else create_engine(parsed)
        except NoSuchModuleError:
            raise ConfigError(
                f"the database URL names {parsed.drivername}, which is no known kind of database"
            ) from None
        except ImportError as error:
            raise ConfigError(f"the database URL needs a driver that is not installed: {error.name}") from None
        return cls(configure(engine, busy_timeout_seconds=busy_timeout_seconds))

    @property
    def is_sqlite(self) -> bool:
        """Return whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and changes nothing."""
        with _translated(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            # Closing, not rolling back, ends the transaction: rows that were read stay readable outside.
            yield session

    @contextlib.contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Session]:
        """Give a session whose changes are all durable when the block ends, or none of them.

        Without ``wait`` an embedded database that another program writes is Unavailable at once.
        """
        engine = self._writing if wait else self._writing.execution_options(**{_IMPATIENT: True})
        with _translated(), Session(engine, expire_on_commit=False, autoflush=False) as session:
            yield session
            session.commit()

    def close(self) -> None:
        """Give all connections back to the system."""
        self.engine.dispose()


def configure(engine: Engine, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Engine:
    """Return the engine with our connection rules attached; also used on the engine that the web extension makes."""
    if engine.dialect.name != "sqlite":
        return engine

    busy_timeout = int(busy_timeout_seconds * 1000)

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


def all_or_none(session: Session, expected: int, execute: Callable[[], int]) -> bool:
    """Execute something that answers how many rows it met, and return whether they were as many as expected.

    If not, it is undone. The usual case, in which nobody has interfered, is one statement for many rows; the caller finds
    out about the others one by one.
    """
    with session.connection().begin_nested() as savepoint:
        if execute() == expected:
            return True
        savepoint.rollback()
    return False


class ChangeWatch:
    """Notices that another connection has committed, at the cost of microseconds a look.

    On SQLite this is ``PRAGMA data_version``, which a connection sees change whenever any other connection, of this
    process or another, has changed the file. It therefore belongs on a database opened with a single connection, whose
    own commits do not count. Elsewhere every look answers True and the caller's interval bounds the cost.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: int | None = None

    def changed(self) -> bool:
        """Return whether somebody else has committed since the last look; the first look says True."""
        if not self._database.is_sqlite:
            return True
        connection = self._database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            row = cursor.execute("PRAGMA data_version").fetchone()
        finally:
            connection.close()
        version = int(row[0]) if row else None
        changed = version != self._seen
        self._seen = version
        return changed


def is_busy(error: OperationalError) -> bool:
    """Return whether the embedded database is only held by another program, which passes."""
    text = str(error.orig).lower()
    return "locked" in text or "busy" in text


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's ways of saying "not now" into one error of ours, without SQL or paths in it."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(_reason(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the connection to the database was lost") from error
        raise


def _reason(error: OperationalError) -> str:
    text = str(error.orig).lower()
    if is_busy(error):
        return "the database is locked by another program; try again in a moment"
    if "full" in text:
        return "the disk of the database is full"
    if "readonly" in text or "read-only" in text:
        return "the database is read-only"
    if "no such table" in text or "no such column" in text:
        return "the database schema is not this version's; run: watchbell db upgrade"
    return "the database does not answer"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text itself is not repeated: it may hold a password.
        raise ConfigError(
            "the database URL cannot be understood; an example: sqlite:////var/lib/watchbell.db"
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError("the database URL names no file, and several programs cannot share a database in memory")
    return parsed


def prepare_home(home: Path, url: str) -> None:
    """Make the data directory, private to its owner, and refuse places where the embedded database would be harmed.

    A directory that holds other things keeps its mode. Raises ConfigError with one line that says what is wrong.
    """
    parsed = _parsed(url)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid == os.geteuid() and not any(home.iterdir()):
            home.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"data directory {home} cannot be made: {error.strerror}") from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigError(f"data directory {home} is not writable by this user")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        _prepare_file(home, Path(parsed.database).absolute())


def _prepare_file(home: Path, file: Path) -> None:
    if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise ConfigError(f"database {file} is not writable by this user")
    kind = _file_system(file.resolve().parent, _mounts())
    if kind in _NETWORK_FILE_SYSTEMS:
        raise ConfigError(f"database {file} lies on a network file system ({kind}), where SQLite can be damaged")
    is_empty = not file.exists() or file.stat().st_size == 0
    outputs = home / "output"
    # The scheduler makes that folder only after the database, so that an empty database beside it has lost its rows.
    if is_empty and file.parent == home and outputs.is_dir():
        raise ConfigError(
            f"database {file} is missing or empty, but there are outputs of its runs; restore a backup, or remove "
            f"{outputs} to begin anew"
        )
    if not file.exists():
        file.touch(mode=0o600)


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _file_system(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds a path, empty where the kernel's list does not tell."""
    best, kind = "", ""
    for line in mounts.splitlines():
        _source, escaped, found, *_rest = line.split(" ")
        # The kernel writes blanks in octal.
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
        inside = mount == "/" or path == Path(mount) or Path(mount) in path.parents
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind
