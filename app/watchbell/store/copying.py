"""Copying an embedded database into an empty one of PostgreSQL, all of it or nothing, and proving that both are the same."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Boolean, Double, LargeBinary, String, Table, cast, delete, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import JSON

from watchbell.errors import ConfigError, Conflict
from watchbell.store import models, schema
from watchbell.store.session import Database, Session

#: So many rows are read and written at a time.
_LOT = 2000
#: What migrations put into tables of a new database; the copy takes their place.
_BEGUN = frozenset({"job_template", "job_handler", "job_handler_version"})
_NUMBERS = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
#: Is told the name of a table, how many of its rows are done, and how many there are.
Told = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Copied:
    """What was copied of a table."""

    table: str
    rows: int
    #: SHA-256 of all rows in the order of their keys, the same in both databases.
    checksum: str


@dataclasses.dataclass(frozen=True, slots=True)
class Copy:
    """What was copied, and what could not be as it was."""

    tables: Sequence[Copied]
    #: How many texts held a null character, which PostgreSQL has not; each has a replacement character instead.
    replaced: int

    @property
    def rows(self) -> int:
        """Return how many rows there were in all."""
        return sum(table.rows for table in self.tables)


def copy(source: Database, target: Database, *, told: Told, compared: Told) -> Copy:
    """Copy all rows and compare both databases row by row; the target has everything afterwards, or nothing.

    ``told`` hears of what is copied, ``compared`` of what was read again in both.

    Nobody can write to the source meanwhile. Raises ConfigError for databases that are not of these kinds or this version,
    Conflict for a target that holds anything or for a copy that differs, and Unavailable.
    """
    if not source.is_sqlite or target.is_sqlite:
        raise ConfigError("only an embedded database is copied, and only into one of PostgreSQL")
    schema.require_current(source)
    _require_empty(target)
    schema.upgrade(target)
    with source.write() as old, target.write() as new:
        # Whatever there is, it takes as long as it takes.
        new.execute(text("SET LOCAL statement_timeout = 0"))
        new.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        tables = models.metadata.sorted_tables
        for table in reversed(tables):
            if table.name in _BEGUN:
                new.execute(delete(table))
        replaced = sum(_try_to_copy(old, new, table, told) for table in tables)
        copied = [_compare(old, new, table, compared) for table in tables]
        for table in tables:
            _go_on_counting(old, new, table)
    return Copy(copied, replaced)


def _require_empty(target: Database) -> None:
    """Raise Conflict if there is anything in the target that a copy would mix with."""
    with target.read() as session:
        there = set(inspect(session.connection()).get_table_names())
        strangers = there - set(models.metadata.tables) - {"alembic_version"}
        if strangers:
            raise Conflict(
                f"the database to copy to holds other tables, such as {min(strangers)}; give it an empty one"
            )
        for table in models.metadata.sorted_tables:
            if table.name in there - _BEGUN and session.scalar(select(text("1")).select_from(table).limit(1)):
                raise Conflict(f"the database to copy to has rows already, in {table.name}; give it an empty one")


def _try_to_copy(old: Session, new: Session, table: Table, told: Told) -> int:
    dialect: Any = new.get_bind().dialect
    driver = dialect.loaded_dbapi
    try:
        return _copy_table(old, new, table, told)
    except (driver.IntegrityError, driver.DataError) as error:
        words = str(error).strip().splitlines()[0]
        raise Conflict(f"the database to copy to refuses what is in {table.name}: {words}") from error
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error, dialect=dialect) from error


def _copy_table(old: Session, new: Session, table: Table, told: Told) -> int:
    """Copy the rows of a table as the drivers have them; return how many texts had to be changed for it."""
    names = [column.name for column in table.columns]
    booleans = [place for place, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    total = _count(old, table)
    done = replaced = 0
    quoted = ", ".join(f'"{name}"' for name in names)
    reader: Any = old.connection().connection.driver_connection
    writer: Any = new.connection().connection.driver_connection
    # The names are those of our own tables.
    rows = reader.execute(f'SELECT {quoted} FROM "{table.name}" ORDER BY {_order(table)}')  # noqa: S608
    with writer.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as stream:
        while lot := rows.fetchmany(_LOT):
            for row in lot:
                values = list(row)
                for place in booleans:
                    values[place] = None if values[place] is None else bool(values[place])
                for place, value in enumerate(values):
                    if isinstance(value, str) and "\0" in value:
                        values[place] = value.replace("\0", "\ufffd")
                        replaced += 1
                stream.write_row(values)
            done += len(lot)
            told(table.name, done, total)
    return replaced


def _order(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.primary_key)


def _count(session: Session, table: Table) -> int:
    return int(session.scalar(select(func.count()).select_from(table)) or 0)


def _compare(old: Session, new: Session, table: Table, compared: Told) -> Copied:
    """Return what both databases hold of a table; raises Conflict if that is not the same."""
    total = _count(old, table)
    # One is read after the other, so that a row is half done when it was read in one of them.
    rows, checksum = _digest(old, table, lambda done: compared(table.name, done // 2, total))
    there = _digest(new, table, lambda done: compared(table.name, (total + done) // 2, total))
    if there != (rows, checksum):
        raise Conflict(
            f"the copy of {table.name} has {there[0]:,} row(s) and is not the same as the {rows:,} there were; nothing was kept"
        )
    return Copied(table.name, rows, checksum)


def _digest(session: Session, table: Table, read: Callable[[int], None]) -> tuple[int, str]:
    """Return the number of rows and a digest of all their values, told alike by both kinds of database."""
    columns = [cast(c, String) if isinstance(c.type, JSON) else c for c in table.columns]
    kinds = [c.type for c in table.columns]
    found = session.connection().execute(
        select(*columns).order_by(*_sorted_keys(session, table)).execution_options(yield_per=_LOT)
    )
    digest, rows = hashlib.sha256(), 0
    for row in found:
        rows += 1
        if rows % _LOT == 0:
            read(rows)
        digest.update(repr([_plain(value, kind) for value, kind in zip(row, kinds, strict=True)]).encode())
    return rows, digest.hexdigest()


def _sorted_keys(session: Session, table: Table) -> Iterator[Any]:
    """Yield the keys, texts in the order of their bytes, which is the embedded database's only one."""
    is_server = session.get_bind().dialect.name != "sqlite"
    for column in table.primary_key:
        yield column.collate("C") if is_server and isinstance(column.type, String) else column


def _plain(value: Any, kind: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if value is not None and isinstance(kind, LargeBinary):
        return bytes(value)
    return float(value) if value is not None and isinstance(kind, Double) else value


def _go_on_counting(old: Session, new: Session, table: Table) -> None:
    """Let the numbers of a table go on behind the highest one that was ever given."""
    column = table.autoincrement_column
    if column is None or column.autoincrement is False:
        return
    newest = int(old.scalar(select(func.max(column))) or 0)
    newest = max(newest, int(old.scalar(_NUMBERS, {"name": table.name}) or 0))
    if newest:
        sequence = new.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        )
        if sequence is not None:
            new.execute(text("SELECT setval(CAST(:name AS regclass), :number)"), {"name": sequence, "number": newest})
