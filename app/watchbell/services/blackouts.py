"""Blackout windows: making, changing and removing them, and what they leave out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import blackouts as rules
from watchbell.domain.blackouts import Blackout, Marker, build_blackout, fields_of
from watchbell.domain.permissions import Right
from watchbell.domain.schedule import Occurrence
from watchbell.errors import Conflict, InputError, NotFound, Problem, VersionConflict
from watchbell.services import audit, ownership
from watchbell.store import blackouts as store
from watchbell.store import tasks as task_store
from watchbell.store.blackouts import BlackoutWindow
from watchbell.store.session import Database, Session

MOST_BLACKOUTS = 200
MOST_TASKS = 1000
FIELDS = (*rules.FIELDS, "tasks")


@dataclasses.dataclass(frozen=True, slots=True)
class BlackoutView:
    """A window as a person sees it."""

    row: BlackoutWindow
    blackout: Blackout
    #: The names of the tasks whose moments it leaves out; empty for all.
    tasks: Sequence[str]


def told(view: BlackoutView) -> dict[str, Any]:
    """Return a window as programs read it."""
    row = view.row
    record = {"version": row.version, "updated_at": row.updated_at, "updated_by": row.updated_by}
    return {"id": row.id, **fields_of(view.blackout), "tasks": list(view.tasks), **record}


def load(db: Database) -> tuple[Blackout, ...]:
    """Return all windows."""
    with db.read() as session:
        return read(session)


def read(session: Session) -> tuple[Blackout, ...]:
    """Return all windows, within a transaction."""
    return tuple(map(_blackout, store.list_blackouts(session)))


def marker_of(db: Database, task_id: int | None) -> Marker:
    """Return what leaves out those moments of a task that lie in a window; None for a task that is still to be made."""
    return rules.marker(load(db), task_id)


def marked(db: Database, task_id: int | None, found: Sequence[Occurrence]) -> list[Occurrence]:
    """Return moments of a task with those left out that lie in a window."""
    mark = rules.marker(load(db), task_id)
    return [mark(one) for one in found]


def list_all(db: Database) -> list[BlackoutView]:
    """Return all windows by name."""
    with db.read() as session:
        return [_view(session, row) for row in store.list_blackouts(session)]


def get(db: Database, blackout_id: int) -> BlackoutView:
    """Return a window; raises NotFound."""
    with db.read() as session:
        return _view(session, _require(session, blackout_id))


def create(db: Database, fields: Mapping[str, object], *, now: datetime, actor: str, default_zone: str) -> BlackoutView:
    """Make a window; raises InputError, NotYours, and Conflict for a name that is taken or one window too many."""
    with db.write() as session:
        made = _build(session, fields, default_zone)
        _require_own(session, made)
        _require_free(session, made.name)
        if len(store.list_blackouts(session)) >= MOST_BLACKOUTS:
            raise Conflict(f"there are {MOST_BLACKOUTS} blackouts already; remove one first")
        row = BlackoutWindow(name=made.name, version=1)
        _write(row, made, now, actor)
        store.add_blackout(session, row)
        _note(session, row, "blackout.create", now, actor, _detail(made))
        return _view(session, row)


def update(
    db: Database,
    blackout_id: int,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    expected_version: int | None = None,
) -> BlackoutView:
    """Change a window; absent fields stay. Raises NotFound, InputError, Conflict, VersionConflict and NotYours."""
    with db.write() as session:
        row = _require(session, blackout_id)
        _require_version(row, expected_version)
        before = _blackout(row)
        after = _changed(session, row, fields)
        _require_own(session, before, after)
        changed = audit.changes(_detail(before), _detail(after))
        if changed:
            if after.name != row.name:
                _require_free(session, after.name)
            row.version += 1
            _write(row, after, now, actor)
            session.flush()
            _note(session, row, "blackout.update", now, actor, changed)
        return _view(session, row)


def remove(
    db: Database, blackout_id: int, *, now: datetime, actor: str, expected_version: int | None = None
) -> BlackoutWindow:
    """Remove a window; what it has left out stays left out. Raises NotFound, VersionConflict and NotYours."""
    with db.write() as session:
        row = _require(session, blackout_id)
        _require_version(row, expected_version)
        _require_own(session, _blackout(row))
        _note(session, row, "blackout.delete", now, actor, _detail(_blackout(row)))
        store.delete_blackout(session, row)
        return row


def build(db: Database, blackout_id: int | None, fields: Mapping[str, object], *, default_zone: str) -> Blackout:
    """Return the window that fields would make, or make of the one that is there; raises InputError and NotFound."""
    with db.read() as session:
        if blackout_id is None:
            return _build(session, fields, default_zone)
        return _changed(session, _require(session, blackout_id), fields)


def _changed(session: Session, row: BlackoutWindow, fields: Mapping[str, object]) -> Blackout:
    before = _blackout(row)
    kept = {**fields_of(before), "tasks": list(_view(session, row).tasks)}
    return _build(session, {**kept, **fields}, before.zone)


def _build(session: Session, fields: Mapping[str, object], default_zone: str) -> Blackout:
    given = fields.get("tasks") or []
    names = given if isinstance(given, list | tuple) else str(given).split(",")
    names = [str(name).strip() for name in names if str(name).strip()]
    plain = {name: value for name, value in fields.items() if name != "tasks" and value is not None}
    found = {name: task_store.find_task_by_name(session, name) for name in names[:MOST_TASKS]}
    ids = [task.id for task in found.values() if task is not None]
    problems = []
    if len(names) > MOST_TASKS:
        problems.append(Problem("tasks", f"must be at most {MOST_TASKS} names"))
    elif missing := next((name for name, task in found.items() if task is None), None):
        problems.append(Problem("tasks", f"there is no task {missing[:60]!r}"))
    try:
        made = build_blackout(plain, default_zone=default_zone, task_ids=ids)
    except InputError as error:
        raise InputError(*error.problems, *problems) from None
    if problems:
        raise InputError(*problems)
    return made


def _require_own(session: Session, *windows: Blackout) -> None:
    """Raise NotYours for a window that names a task which is kept from whoever asks; one of all tasks is nobody's own."""
    for task_id in sorted(set().union(*(window.task_ids for window in windows))):
        ownership.require_of_run(session, Right.EDIT, task_id)


def _write(row: BlackoutWindow, made: Blackout, now: datetime, actor: str) -> None:
    row.name, row.definition, row.task_ids = made.name, fields_of(made), sorted(made.task_ids)
    row.updated_at, row.updated_by = now, actor


def _blackout(row: BlackoutWindow) -> Blackout:
    return build_blackout(row.definition, default_zone="UTC", task_ids=row.task_ids)


def _view(session: Session, row: BlackoutWindow) -> BlackoutView:
    names = [task.name for task in task_store.list_tasks(session, ids=tuple(row.task_ids))] if row.task_ids else []
    return BlackoutView(row, _blackout(row), names)


def _detail(made: Blackout) -> dict[str, Any]:
    return {**fields_of(made), "task_ids": sorted(made.task_ids)}


def _require(session: Session, blackout_id: int) -> BlackoutWindow:
    row = store.find_blackout(session, blackout_id)
    if row is None:
        raise NotFound(f"there is no blackout {blackout_id}")
    return row


def find(session: Session, name: str) -> BlackoutView | None:
    """Return the window of a name, or None, within a transaction."""
    row = store.find_blackout_by_name(session, name)
    return _view(session, row) if row is not None else None


def find_by_name(db: Database, name: str) -> BlackoutView:
    """Return the window of a name or an id; raises NotFound."""
    with db.read() as session:
        row = store.find_blackout_by_name(session, name)
        if row is None and name.isascii() and name.isdigit():
            row = store.find_blackout(session, int(name[:18]))
        if row is None:
            raise NotFound(f"there is no blackout {name[:100]!r}")
        return _view(session, row)


def _require_version(row: BlackoutWindow, expected: int | None) -> None:
    if expected is not None and row.version != expected:
        who = row.updated_by or "somebody"
        raise VersionConflict(f"{who} has changed this blackout meanwhile; look at it and change it again")


def _require_free(session: Session, name: str) -> None:
    if store.find_blackout_by_name(session, name) is not None:
        raise Conflict(f"there is a blackout {name!r} already")


def _note(
    session: Session, row: BlackoutWindow, action: str, now: datetime, actor: str, detail: Mapping[str, Any]
) -> None:
    audit.note(session, action, f"blackout:{row.id}", now=now, actor=actor, name=row.name, detail=detail)
