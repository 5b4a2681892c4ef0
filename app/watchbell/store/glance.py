"""A quick look at the embedded database for commands that people type all day: no engine, no mapper, nothing changed.

Loading the library behind the other stores takes longer than everything that such a command does. What cannot be looked
at like this (a server, another schema, a file that is locked, damaged or not there) answers None, and whoever asked goes
the long way, which tells what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import quote

from watchbell import resources

T = TypeVar("T")

#: A person waits no longer than this for another program's transaction; the long way waits properly.
_BUSY_SECONDS = 0.25
_REVISION = re.compile(r"([0-9]{4})_\w+\.py")
_TASKS = "SELECT * FROM task WHERE deleted_at IS NULL ORDER BY name, id"
_NEWEST = """
SELECT id, task_id, state, due_at, started_at, ended_at, exit_code FROM run
WHERE id IN (SELECT (SELECT max(run.id) FROM run WHERE run.task_id = task.id) FROM task WHERE deleted_at IS NULL)
"""
_JSON = frozenset(
    {"environment", "environment_sets", "set_variables", "schedule", "policies", "steps", "tags", "parameters"}
    | {"parameter_sets", "links", "after"}
)
#: A name is completed from the newest so many tasks that begin like it; more would fill the screen.
_MOST_NAMES = 1000


def newest_revision() -> str | None:
    """Return the schema of this version by the names of its migrations, which are numbered in one line."""
    found = (_REVISION.fullmatch(path.name) for path in (resources.migrations() / "versions").iterdir())
    return max((match[1] for match in found if match), default=None)


def list_tasks(url: str) -> tuple[Sequence[Any], Mapping[int, Any]] | None:
    """Return all tasks by name and the newest run of each, as rows with the names of their columns; None for no look."""

    def work(connection: sqlite3.Connection) -> tuple[Sequence[Any], Mapping[int, Any]]:
        runs = _rows(connection.execute(_NEWEST))
        return _rows(connection.execute(_TASKS)), {run.task_id: run for run in runs}

    return _look(url, work)


def list_names(url: str, beginning: str) -> Sequence[str]:
    """Return the names of tasks that begin so, however capital; nothing where there is nothing to look at."""

    def work(connection: sqlite3.Connection) -> Sequence[str]:
        rows = connection.execute(
            "SELECT name FROM task WHERE deleted_at IS NULL AND substr(lower(name), 1, ?) = lower(?) ORDER BY name LIMIT ?",
            (len(beginning), beginning, _MOST_NAMES),
        )
        return [str(name) for (name,) in rows]

    found = _look(url, work)
    return found if found is not None else ()


def is_current(url: str) -> bool:
    """Return whether there is a database that certainly has the schema of this version."""
    return bool(_look(url, lambda _connection: True))


def _look(url: str, work: Callable[[sqlite3.Connection], T]) -> T | None:
    """Return what the work finds in a database of this version's schema; None if it cannot be looked at like this."""
    scheme, _, place = url.partition(":///")
    file = Path(place)
    if scheme != "sqlite" or "?" in place or not file.is_file():
        return None
    name = f"file:{quote(str(file.absolute()))}?mode=ro"
    # Whatever the reason is that this fails, the long way meets it, too, and has the words for it.
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(name, uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        # One transaction sees one state.
        connection.execute("BEGIN")
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
        return work(connection) if revision == newest_revision() else None
    return None


def _rows(cursor: sqlite3.Cursor) -> list[Any]:
    names = [column[0] for column in cursor.description]
    readers = [_reader(name) for name in names]
    return [
        SimpleNamespace(**{name: read(value) for name, read, value in zip(names, readers, row, strict=True)})
        for row in cursor
    ]


def _reader(name: str) -> Any:
    if name in _JSON:
        return json.loads
    if name == "enabled":
        return bool
    return _moment if name.endswith("_at") else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if value is not None else None
