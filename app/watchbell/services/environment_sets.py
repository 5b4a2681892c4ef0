"""Named sets of environment variables: making and changing them, and letting the tasks that name one follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import environment_sets, masking
from watchbell.domain.environment_sets import Sets
from watchbell.domain.permissions import Right
from watchbell.domain.shown_text import is_visible
from watchbell.errors import Conflict, InputError, NotFound, Problem, VersionConflict
from watchbell.services import audit, deleted_tasks, ownership, tasks
from watchbell.store import environment_sets as store
from watchbell.store import tasks as task_store
from watchbell.store.environment_sets import EnvironmentSet
from watchbell.store.session import Database, Session

MOST_SETS = 200
DESCRIPTION_LIMIT = 500
FIELDS = ("name", "description", "variables")
#: So many tasks follow their set in one transaction, during which nobody else can write.
_AT_ONCE = 50
#: So many of what names a set are told by name.
_NAMED = 5


@dataclasses.dataclass(frozen=True, slots=True)
class SetView:
    """A set, and how many tasks name it."""

    row: EnvironmentSet
    tasks: int


def told(view: SetView) -> dict[str, Any]:
    """Return a set as programs read it that may read its values."""
    return {**told_names(view), "variables": dict(view.row.variables)}


def told_names(view: SetView) -> dict[str, Any]:
    """Return a set as programs read it, of its variables only the names."""
    row = view.row
    return {
        "name": row.name,
        "description": row.description,
        "variables": sorted(row.variables),
        "tasks": view.tasks,
        "version": row.version,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by,
    }


def list_all(db: Database) -> list[SetView]:
    """Return all sets by name."""
    with db.read() as session:
        uses = store.count_uses(session)
        return [SetView(row, uses.get(row.name, 0)) for row in store.list_sets(session)]


def get(db: Database, name: str) -> SetView:
    """Return a set; raises NotFound."""
    with db.read() as session:
        return _view(session, _require(session, name))


def list_users(db: Database, name: str) -> list[tuple[int, str]]:
    """Return the tasks that name a set, by name: id and name."""
    with db.read() as session:
        return [(task.id, task.name) for task in store.list_users(session, name)]


def list_templates(db: Database, name: str) -> Sequence[str]:
    """Return the names of the templates of tasks that name a set."""
    with db.read() as session:
        return store.list_template_users(session, name)


def find_names(db: Database, words: Sequence[str]) -> list[str]:
    """Return the names of the sets that have all these words in their name, their description or the names of their variables."""
    with db.read() as session:
        rows = [
            (row.name, f"{row.name} {row.description} {' '.join(row.variables)}".lower())
            for row in store.list_sets(session)
        ]
    return [name for name, text in rows if all(word.lower() in text for word in words)]


def finder(db: Database) -> Sets:
    """Return what finds the variables of a set at the door of a task."""

    def find(name: str) -> Mapping[str, str] | None:
        with db.read() as session:
            row = store.find_set(session, name)
            return row.variables if row is not None else None

    return find


def check(fields: Mapping[str, object], *, before: EnvironmentSet | None = None) -> dict[str, Any]:
    """Return the columns that fields come to, on top of a set that is there; raises InputError that tells all problems."""
    problems = [
        Problem(name[:40], "this is not a field of an environment set", "variables")
        for name in fields
        if name not in FIELDS
    ]
    kept = {name: getattr(before, name) for name in FIELDS} if before is not None else {}
    given = {**kept, **{name: value for name, value in fields.items() if name in FIELDS and value is not None}}
    found: dict[str, Any] = {}
    for field, read in (("name", environment_sets.check_name), ("variables", environment_sets.build_variables)):
        try:
            found[field] = read(given.get(field))
        except InputError as error:
            problems += error.problems
    if before is not None and found.get("name", before.name) != before.name:
        problems.append(Problem("name", "a set keeps its name, because tasks and files name it by that", before.name))
    found["description"] = str(given.get("description") or "").strip()
    if len(found["description"]) > DESCRIPTION_LIMIT or not is_visible(found["description"]):
        problems.append(Problem("description", f"must be at most {DESCRIPTION_LIMIT} printable characters", None))
    if problems:
        raise InputError(*problems)
    return found


def create(db: Database, fields: Mapping[str, object], *, now: datetime, actor: str) -> SetView:
    """Make a set; raises InputError, and Conflict for a name that is taken or one set too many."""
    columns = check(fields)
    with db.write() as session:
        return _view(session, add(session, columns, now=now, actor=actor))


def add(session: Session, columns: Mapping[str, Any], *, now: datetime, actor: str) -> EnvironmentSet:
    """Make a set of columns that were checked, within a transaction; raises Conflict."""
    if store.find_set(session, columns["name"]) is not None:
        raise Conflict(f"there is an environment set {columns['name']!r} already")
    if len(store.list_sets(session)) >= MOST_SETS:
        raise Conflict(f"there are {MOST_SETS} environment sets already; remove some first")
    # A deleted task may name it that comes back.
    _require_users(session, columns["name"], now)
    row = EnvironmentSet(**columns, version=1, created_at=now, created_by=actor, updated_at=now, updated_by=actor)
    store.add_set(session, row)
    _note(session, row, "create", now, actor, _difference({}, columns))
    return row


def update(
    db: Database,
    name: str,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    expected_version: int | None = None,
) -> SetView:
    """Change a set; absent fields stay. The tasks that name it follow, each by a new version of its own.

    What was due before keeps the version that it was made for. Raises NotFound, InputError, NotYours for a set that a task
    names which whoever asks may not change, and VersionConflict if the set has another version than the one expected.
    """
    with db.write() as session:
        row = _require(session, name)
        _require_version(row, expected_version)
        change(session, row, check(fields, before=row), now=now, actor=actor)
    follow(db, name, now=now, actor=actor)
    return get(db, name)


def change(session: Session, row: EnvironmentSet, columns: Mapping[str, Any], *, now: datetime, actor: str) -> None:
    """Store what was checked of a set, within a transaction; its tasks are still to follow."""
    before = {name: getattr(row, name) for name in FIELDS}
    if before == dict(columns):
        return
    _require_users(session, row.name, now)
    for name, value in columns.items():
        setattr(row, name, value)
    row.version, row.updated_at, row.updated_by = row.version + 1, now, actor
    session.flush()
    _note(session, row, "update", now, actor, _difference(before, columns))


def _require_users(session: Session, name: str, now: datetime) -> None:
    """Raise NotYours unless whoever asks may edit all tasks that name a set, and those that may come back with it."""
    for task in store.list_users(session, name, deleted_since=now - deleted_tasks.KEPT_FOR):
        # Whoever may not change one of these may not change with what it runs, least of all as another user.
        ownership.require(session, Right.EDIT, task)


def follow(db: Database, name: str, *, now: datetime, actor: str) -> int:
    """Let the tasks that name a set take over what it says now; return how many changed.

    In several short transactions: whoever is interrupted in between goes on at the next change, or at a scheduler's start.
    """
    with db.read() as session:
        row = store.find_set(session, name)
        ids = [
            task.id for task in store.list_users(session, name) if row and task.set_variables.get(name) != row.variables
        ]
    for start in range(0, len(ids), _AT_ONCE):
        with db.write() as session:
            for task_id in ids[start : start + _AT_ONCE]:
                _let_follow(session, task_id, name, now=now, actor=actor)
    return len(ids)


def follow_all(db: Database, *, now: datetime, actor: str) -> int:
    """Let all tasks follow that did not come to it, because a program was killed in between; return how many did now."""
    return sum(follow(db, view.row.name, now=now, actor=actor) for view in list_all(db) if view.tasks)


def follow_within(session: Session, name: str, *, now: datetime, actor: str) -> None:
    """Let the tasks that name a set follow within a transaction, as where many things change together."""
    for task in store.list_users(session, name):
        _let_follow(session, task.id, name, now=now, actor=actor)


def _let_follow(session: Session, task_id: int, name: str, *, now: datetime, actor: str) -> None:
    # Both may be others by now, or gone.
    task, row = task_store.find_task(session, task_id), store.find_set(session, name)
    if task is not None and row is not None and name in task.environment_sets:
        definition = tasks.definition_of(task)
        carried = {**definition.set_variables, name: dict(row.variables)}
        definition = dataclasses.replace(definition, set_variables=carried)
        tasks.change_definition(session, task, definition, now=now, actor=actor)


def remove(
    db: Database, name: str, *, now: datetime, actor: str, expected_version: int | None = None
) -> EnvironmentSet:
    """Remove a set that nothing names; raises NotFound, VersionConflict, and Conflict that tells what names it."""
    with db.write() as session:
        row = _require(session, name)
        _require_version(row, expected_version)
        users = [task.name for task in store.list_users(session, name)]
        users += [f"template {title}" for title in store.list_template_users(session, name)]
        if users:
            raise Conflict(f"environment set {name!r} is named by {_listed(users)}; take it from these first")
        _note(session, row, "delete", now, actor, _difference({field: getattr(row, field) for field in FIELDS}, {}))
        store.delete_set(session, row)
        return row


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def differences(row: EnvironmentSet, after: Mapping[str, Any]) -> tuple[tuple[str, object, object], ...]:
    """Return what changes of a set: field, what it was, what it will be; values as they may be shown."""
    said = _difference({field: getattr(row, field) for field in FIELDS}, after)
    return tuple(
        (f"variables.{name}" if field == "variables" else field, *pair)
        for field, value in said.items()
        for name, pair in (value.items() if field == "variables" else [(field, value)])
    )


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, values as they may be shown; one that looks like a secret is told of, and its value is not."""
    old, new = before.get("variables") or {}, after.get("variables") or {}
    values = {
        name: [masking.mask(name, str(side[name])) if name in side else None for side in (old, new)]
        for name in audit.changes(old, new)
    }
    told = audit.changes(*({"description": side.get("description") or ""} for side in (before, after)))
    return {**told, **({"variables": values} if values else {})}


def _view(session: Session, row: EnvironmentSet) -> SetView:
    return SetView(row, len(store.list_users(session, row.name)))


def _require(session: Session, name: str) -> EnvironmentSet:
    row = store.find_set(session, name)
    if row is None:
        raise NotFound(f"there is no environment set {name[: environment_sets.NAME_LIMIT]!r}")
    return row


def _require_version(row: EnvironmentSet, expected: int | None) -> None:
    if expected is not None and row.version != expected:
        who = row.updated_by or "somebody"
        raise VersionConflict(f"{who} has changed this environment set meanwhile; look at it and change it again")


def _note(
    session: Session, row: EnvironmentSet, deed: str, now: datetime, actor: str, detail: Mapping[str, Any]
) -> None:
    subject, said = f"environment_set:{row.name}", {"version": row.version, **detail}
    audit.note(session, f"environment_set.{deed}", subject, now=now, actor=actor, name=row.name, detail=said)
