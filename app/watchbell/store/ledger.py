"""Writing the ledger: births, compare-and-swaps, transitions and results, many in one statement.

Nothing here knows what a state means; ``event_row`` asks the state table whether a path is legal. These functions are on the
path of every run, so they use plain statements and no objects.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from watchbell.domain.run_state import FINAL, RunState, advance
from watchbell.store import events, totals
from watchbell.store.base import ids_select
from watchbell.store.batch import Batch, Lookup, allocate
from watchbell.store.runs import ACTIVE_SQL, Attempt, Output, Run, RunEvent
from watchbell.store.session import all_or_none

_FINAL = frozenset(state.value for state in FINAL)
_RUN: Any = Run.__table__
_ATTEMPT: Any = Attempt.__table__
_EVENT: Any = RunEvent.__table__
_OUTPUT: Any = Output.__table__


def insert_runs(session: Session, rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Insert runs that do not exist yet and return the ids of those that were really made.

    The result is keyed by (task id, occurrence key); an occurrence that somebody else has made is left out, which is a
    normal answer. All rows must have the same columns.
    """
    if not rows:
        return {}
    # With numbers given in advance this is one plain statement for all; asking the database to return them is not.
    ids = allocate(session, "run", len(rows))
    made = _insert_runs(session.get_bind().dialect.name).execute(session, _numbered(ids, rows))
    keys: dict[tuple[int, str], int] = {}
    for run_id, row in zip(ids, rows, strict=True):
        # Of two rows for one occurrence the first is the one that is made.
        keys.setdefault((row["task_id"], row["occurrence_key"]), run_id)
    if made == len(rows):
        return keys
    # A range, because a statement has room for fewer parameters than a turn may have rows.
    there = session.connection().execute(select(_RUN.c.id).where(_RUN.c.id.between(min(ids), max(ids))))
    really = {row.id for row in there}
    return {key: run_id for key, run_id in keys.items() if run_id in really}


@functools.cache
def _insert_runs(dialect_name: str) -> Batch:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    return Batch(dialect.insert(_RUN).on_conflict_do_nothing(index_elements=["task_id", "occurrence_key"]))


def _numbered(ids: Sequence[int], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": number, **row} for number, row in zip(ids, rows, strict=True)]


def add_events(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Append transitions; each row is what ``event_row`` makes, of a run whose own row has been changed already.

    Every end of a run comes through here, so this is where it is counted in the totals of its day.
    """
    _ADD_EVENTS.execute(session, rows)
    totals.count_ended(session, [row["run_id"] for row in rows if row["to_state"] in _FINAL])


def add_outbox(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Append events for those who follow: sockets and notifications."""
    events.add(session, rows)


def event_row(
    run_id: int,
    state: RunState | None,
    path: Iterable[RunState],
    *,
    at: datetime,
    actor: str,
    fence: int,
    reason: str = "",
) -> dict[str, Any]:
    """Return the transition-log row of a checked path; raises IllegalTransition if a step is not in the table."""
    before, to, between = _step(state, tuple(path))
    return {
        "run_id": run_id,
        "from_state": before,
        "to_state": to,
        "path": between,
        "at": at,
        "actor": actor,
        "fence": fence,
        "reason": reason,
    }


@functools.lru_cache(maxsize=1024)
def _step(state: RunState | None, path: tuple[RunState, ...]) -> tuple[str | None, str, str]:
    """Return the state before, the one after and those between; there are few paths, and each run takes two."""
    to = advance(state, *path)
    return state.value if state else None, to.value, ",".join(step.value for step in path[:-1])


def swap_run(session: Session, run_id: int, state: RunState, fence: int, values: dict[str, Any]) -> bool:
    """Compare-and-swap: change a run only if it is in that state under that fence; return whether it was."""
    result = session.connection().execute(
        update(_RUN).where(_RUN.c.id == run_id, _RUN.c.state == state.value, _RUN.c.fence == fence).values(**values)
    )
    return bool(result.rowcount == 1)


def swap_runs(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Compare-and-swap many runs and return the ids of those that were not as expected and stay as they are.

    Each row has ``run``, ``from_state``, ``from_fence`` and new_ columns, the same ones in all rows. The usual case, in
    which nobody has interfered, is one statement.
    """
    if not rows:
        return []
    batch = _swap(tuple(name.removeprefix("new_") for name in rows[0] if name.startswith("new_")))
    if all_or_none(session, len(rows), lambda: batch.execute(session, rows)):
        return []
    return [row["run"] for row in rows if batch.execute(session, [row]) != 1]


@functools.cache
def _swap(columns: tuple[str, ...]) -> Batch:
    return Batch(
        update(_RUN)
        .where(_RUN.c.id == bindparam("run"), _RUN.c.state == bindparam("from_state"))
        .where(_RUN.c.fence == bindparam("from_fence"))
        .values({name: bindparam(f"new_{name}") for name in columns})
    )


def add_attempts(session: Session, rows: Sequence[dict[str, Any]]) -> dict[int, int]:
    """Insert attempts and return their ids by run id."""
    if not rows:
        return {}
    ids = allocate(session, "attempt", len(rows))
    _ADD_ATTEMPTS.execute(session, _numbered(ids, rows))
    return {row["run_id"]: attempt_id for attempt_id, row in zip(ids, rows, strict=True)}


#: What is stored of an attempt when it has ended.
RESULT_COLUMNS = (
    "pid",
    "start_ticks",
    "boot_id",
    "folder",
    "started_at",
    "ended_at",
    "exit_code",
    "signal",
    "reason",
    "user_seconds",
    "system_seconds",
    "max_rss_kib",
    "minor_faults",
    "major_faults",
    "block_in",
    "block_out",
    "voluntary_switches",
    "involuntary_switches",
    "series",
    "samples",
)


_IDENTITY_COLUMNS = ("folder", "pid", "start_ticks", "boot_id", "started_at")


def _set_attempts(columns: Iterable[str]) -> Batch:
    changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return Batch(update(_ATTEMPT).where(_ATTEMPT.c.id == bindparam("attempt")).values(changes))


_ADD_EVENTS = Batch(_EVENT.insert())
_ADD_OUTPUTS = Batch(_OUTPUT.insert())
_ADD_ATTEMPTS = Batch(_ATTEMPT.insert())
_SET_STARTED = _set_attempts(_IDENTITY_COLUMNS)
_SET_ENDED = _set_attempts(RESULT_COLUMNS)


def set_attempts_started(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the process identity of attempts; each row has ``attempt`` and new_ columns."""
    _SET_STARTED.execute(session, rows)


def set_attempts_ended(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the results of attempts; each row has ``attempt`` and all new_ result columns."""
    _SET_ENDED.execute(session, rows)


def add_outputs(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store what is kept of streams."""
    _ADD_OUTPUTS.execute(session, rows)


class Active(NamedTuple):
    """An active run of a task."""

    id: int
    state: str
    fence: int
    attempts: int


def list_active_by_task(session: Session, task_ids: Sequence[int]) -> dict[int, list[Active]]:
    """Return the active runs of the given tasks, oldest first; tasks without one are left out."""
    found: dict[int, list[Active]] = {}
    if task_ids:
        for task_id, *values in _LIST_ACTIVE.execute(session, task_ids):
            found.setdefault(task_id, []).append(Active(*values))
    return found


def _active_statement(dialect_name: str) -> Select[Any]:
    wanted = _RUN.c.task_id.in_(ids_select(dialect_name))
    columns = (_RUN.c.task_id, _RUN.c.id, _RUN.c.state, _RUN.c.fence, _RUN.c.attempts)
    return select(*columns).where(text(ACTIVE_SQL), wanted).order_by(_RUN.c.id)


_LIST_ACTIVE = Lookup(_active_statement)
