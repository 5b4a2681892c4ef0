"""What all tables share: the declarative base, constraint names, and the column types of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, MetaData, String, bindparam, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import JSON, TypeDecorator

#: Names for every constraint, so that a migration can name what it changes on SQLite, too.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
#: A whole number of 64 bits, which is what SQLite makes of every INTEGER; the migrations make the same of theirs.
WHOLE_NUMBER = Integer().with_variant(BigInteger(), "postgresql")
_IN_ONE_STATEMENT = 500
_Value = TypeVar("_Value")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC and read back aware; a naive time is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def read_moment(value: str | datetime) -> datetime:
    """Return a moment as the column type would, of what a driver gives: SQLite has texts without a zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(f"{value}+00:00")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: JSON, list[Any]: JSON, int: WHOLE_NUMBER}


def ids_select(dialect_name: str) -> Any:
    """Return a subquery of the ids that the parameter ``ids`` holds; give it ``id_list`` as the value.

    An IN with a parameter for each id is compiled anew for each length, which costs more than the query.
    """
    if dialect_name == "sqlite":
        return select(func.json_each(bindparam("ids", type_=String())).table_valued("value").c.value)
    return select(func.unnest(bindparam("ids", type_=ARRAY(BigInteger()))))


def id_list(session: Session, ids: Sequence[int]) -> Any:
    """Return the value of the parameter that ``ids_select`` reads."""
    return json.dumps(list(ids)) if session.get_bind().dialect.name == "sqlite" else list(ids)


def in_lots(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Yield some of many values at a time: a statement takes so many parameters and no more."""
    for start in range(0, len(values), _IN_ONE_STATEMENT):
        yield values[start : start + _IN_ONE_STATEMENT]


def can_hold(value: int | str) -> bool:
    """Return whether the database can be asked for this at all: a number of 64 bits, or a text without half characters."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in value)


def pattern(word: str) -> str:
    """Return the LIKE pattern, escaped by a backslash, of texts that hold a word as it is written."""
    kept = word.encode("utf-8", "replace").decode()
    return "%" + kept.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
