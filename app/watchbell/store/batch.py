"""One statement for many rows, compiled once.

SQLAlchemy prepares an execution anew each time and looks at each value of each row through several layers, which costs
several times what SQLite needs for the work. Here the same compiled text and the same conversions of values are kept and
used again. Only the embedded database has this way; elsewhere the statement is executed as usual.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Dialect

from watchbell.store.base import UTCDateTime
from watchbell.store.session import Session, driver_cursor

_Processor = Callable[[Any], Any] | None
#: By dialect, statement and columns: the text, and name and conversion of each place in it; None has to go the usual way.
_Prepared = tuple[str, tuple[tuple[str, _Processor], ...]] | None


class Batch:
    """A statement that is executed again and again, each time for many rows with the same names."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._prepared: dict[Hashable, _Prepared] = {}

    def execute(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute the statement for each row and return how many rows of the table it met."""
        if not rows:
            return 0
        connection = session.connection()
        names = tuple(rows[0])
        key = (connection.dialect.name, names)
        if key not in self._prepared:
            self._prepared[key] = self._prepare(connection.dialect, names)
        prepared = self._prepared[key]
        if prepared is None:
            return int(connection.execute(self._statement, list(rows)).rowcount)
        text, places = prepared
        values = [
            tuple([row[name] if process is None else process(row[name]) for name, process in places]) for row in rows
        ]
        with driver_cursor(session) as cursor:
            return cursor.executemany(text, values).rowcount

    def _prepare(self, dialect: Dialect, names: tuple[str, ...]) -> _Prepared:
        if dialect.name != "sqlite":
            return None
        statement: Any = self._statement
        keys = {"column_keys": list(names)} if statement.is_insert else {}
        compiled: Any = statement.compile(dialect=dialect, **keys)
        # Defaults that Python computes for columns that the rows leave out are the usual way's business.
        if not set(compiled.positiontup) <= set(names):
            return None
        return str(compiled), tuple(
            (name, _processor(compiled.binds[name].type, dialect)) for name in compiled.positiontup
        )


def _processor(kind: Any, dialect: Dialect) -> _Processor:
    process: _Processor = kind.dialect_impl(dialect).bind_processor(dialect)
    if process is not None and isinstance(kind, UTCDateTime):
        # The rows of a turn share most of their times.
        return functools.lru_cache(maxsize=1024)(process)
    return process
