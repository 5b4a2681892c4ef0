"""Thousands of new rows at once, as an order to a whole fleet has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text

from watchbell.store.session import Session, is_embedded

#: From so many on a server is sent them as one text. One statement each costs it four times as much.
_MANY = 100


def add(session: Session, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows of a table, which all have the same columns; what they leave out has its default."""
    if not rows:
        return
    if is_embedded(session) or len(rows) < _MANY:
        session.connection().execute(insert(table), [dict(row) for row in rows])
        return
    left_out = {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in rows[0] and column.default is not None and column.default.is_scalar
    }
    names = ", ".join([*rows[0], *left_out])
    # The names are those of our own columns.
    words = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table.name}, CAST(:rows AS json))"  # noqa: S608
    sent = json.dumps([{**row, **left_out} for row in rows], default=_moment, separators=(",", ":"))
    session.connection().execute(text(words.replace("::", r"\:\:")), {"rows": sent})


def _moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is none of what columns hold")
    return value.isoformat()
