"""One statement for many rows, compiled once.

SQLAlchemy prepares an execution anew each time and looks at each value of each row through several layers, which costs
several times what SQLite needs for the work. Here the same compiled text and the same conversions of values are kept and
used again. Only the embedded database has this way; elsewhere the statement is executed as usual.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, Executable, text
from sqlalchemy.engine import Dialect

from watchbell.store.base import UTCDateTime, id_list
from watchbell.store.session import Session, driver_cursor, is_embedded

_Processor = Callable[[Any], Any]
_NO_VALUE: Any = object()


#: So many rows go into one statement: the first number as long as there are enough rows, then the next one.
_TOGETHER = (64, 16, 4, 1)


class _Prepared(NamedTuple):
    """A statement in the words of the embedded database, and how a row becomes its parameters."""

    #: The words for each number of rows in _TOGETHER.
    words: Mapping[int, str]
    values_of: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    #: How many values a row has, which of them are converted, and how.
    width: int
    conversions: Sequence[tuple[int, _Processor]]


class Batch:
    """A statement that is executed again and again, each time for many rows with the same names.

    It is an INSERT of values, or an UPDATE of the one row that a WHERE leads to.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        #: By the names of the rows; None for what has to go the usual way.
        self._prepared: dict[tuple[str, ...], _Prepared | None] = {}

    def execute(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute the statement for each row and return how many rows of the table it met."""
        if not rows:
            return 0
        prepared = self._prepare(session, tuple(rows[0])) if is_embedded(session) else None
        if prepared is None:
            return int(session.connection().execute(self._statement, list(rows)).rowcount)
        values = list(itertools.chain.from_iterable(map(prepared.values_of, rows)))
        _convert(values, prepared)
        met = done = 0
        with driver_cursor(session) as cursor:
            for count in _TOGETHER:
                size = count * prepared.width
                while len(values) - done >= size:
                    met += cursor.execute(prepared.words[count], values[done : done + size]).rowcount
                    done += size
        return met

    def _prepare(self, session: Session, names: tuple[str, ...]) -> _Prepared | None:
        if names not in self._prepared:
            self._prepared[names] = _prepare(self._statement, session.get_bind().dialect, names)
        return self._prepared[names]


class Lookup:
    """A statement about the ids in its parameter ``ids`` (see ``ids_select``) that is executed again and again.

    ``make`` returns it for a kind of database. The values in the rows of its answer are those of the database.
    """

    def __init__(self, make: Callable[[str], Executable]) -> None:
        self._make = functools.cache(make)
        self._words: tuple[str, list[Any], int] | None = None

    def execute(self, session: Session, ids: Sequence[int]) -> Sequence[Any]:
        """Execute the statement and return the rows of its answer, if it has any."""
        if not is_embedded(session):
            result = session.connection().execute(self._make(session.get_bind().dialect.name), {"ids": list(ids)})
            return result.all() if result.returns_rows else ()
        if self._words is None:
            statement: Any = self._make("sqlite")
            compiled = statement.compile(dialect=session.get_bind().dialect)
            places = compiled.positiontup
            self._words = str(compiled), [compiled.params[name] for name in places], places.index("ids")
        words, values, place = self._words
        with driver_cursor(session) as cursor:
            return cursor.execute(words, [*values[:place], id_list(session, ids), *values[place + 1 :]]).fetchall()


def _convert(values: list[Any], prepared: _Prepared) -> None:
    """Convert the values of all rows, which stand one behind the other, as the database stores them."""
    for first, convert in prepared.conversions:
        # Rows of a turn share most of their times.
        known = converted = _NO_VALUE
        for place in range(first, len(values), prepared.width):
            if values[place] is not known:
                known = values[place]
                converted = convert(known)
            values[place] = converted


def _prepare(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> _Prepared | None:
    keys = {"column_keys": list(names)} if statement.is_insert else {}
    compiled: Any = statement.compile(dialect=dialect, **keys)
    places = compiled.positiontup
    # Defaults that Python computes for columns that the rows leave out are the usual way's business.
    if len(places) < 2 or not set(places) <= set(names):
        return None
    converted = [(place, _processor(compiled.binds[name].type, dialect)) for place, name in enumerate(places)]
    return _Prepared(
        {count: _words(str(compiled), len(places), count) for count in _TOGETHER},
        operator.itemgetter(*places),
        len(places),
        [(place, convert) for place, convert in converted if convert],
    )


def _words(single: str, width: int, count: int) -> str:
    """Return a statement for so many rows at once, from the one for a single row.

    Each execution costs more than a row: above all, the lists in the conditions of the partial indexes are built anew.
    """
    if count == 1:
        return single
    row = "(" + ", ".join("?" * width) + ")"
    rows = ", ".join([row] * count)
    if row in single:
        return single.replace(row, rows)
    change, _, condition = single.partition(" WHERE ")
    columns = (f"given.column{number}" for number in itertools.count(1))
    change, condition = (re.sub(r"\?", lambda _found: next(columns), part) for part in (change, condition))
    return f"{change} FROM (VALUES {rows}) AS given WHERE {condition}"


def _processor(kind: Any, dialect: Dialect) -> _Processor | None:
    process: _Processor | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if process is not None and isinstance(kind, UTCDateTime):
        return functools.partial(_store_time, process)
    if process is not None and isinstance(kind, JSON):
        return functools.partial(_store_json, process)
    return process


def _store_time(process: _Processor, value: datetime | None) -> Any:
    # What is in UTC already needs no more than its text, without the zone at its end.
    if value is None or value.tzinfo is not UTC:
        return process(value)
    return value.isoformat(" ", "microseconds")[:-6]


def _store_json(process: _Processor, value: Any) -> Any:
    return "null" if value is None else process(value)


def allocate(session: Session, table: str, count: int) -> Sequence[int]:
    """Return so many unused ids of a table in a row, which nobody else will use."""
    if not is_embedded(session):
        sequence = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
        return [int(row[0]) for row in session.connection().execute(sequence, {"table": table, "count": count})]
    # The writing transaction excludes every other writer. AUTOINCREMENT tables remember ids of rows that are gone.
    newest = "SELECT max(coalesce((SELECT max(id) FROM {0}), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{0}'), 0))"
    with driver_cursor(session) as cursor:
        first = int(cursor.execute(newest.format(table)).fetchone()[0]) + 1
    return range(first, first + count)
