"""Making, changing and listing tasks."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from watchbell.domain import schedule as schedules
from watchbell.domain.permissions import Right
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence
from watchbell.domain.task_definition import Defaults, TaskDefinition, build_definition
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.execution.far import leads_far
from watchbell.services import (
    left_over,
    links,
    ownership,
    pauses,
    quotas,
    task_audit,
    task_rows,
    task_sets,
    transitions,
)
from watchbell.store import ledger, newest_runs
from watchbell.store import pauses as pause_store
from watchbell.store import runs as run_store
from watchbell.store import tasks as store
from watchbell.store.newest_runs import RunLine
from watchbell.store.session import Database, Session
from watchbell.store.tasks import PlannedTask, Task, TaskRevision

#: What a stored task says, for whoever knows tasks by this module.
definition_of = task_rows.definition_of
#: So many waiting runs of a deleted task are cancelled in one transaction, during which nobody else can write.
_CANCELLED_AT_ONCE = 500


def check(
    fields: Mapping[str, object], *, now: datetime, defaults: Defaults, base: TaskDefinition | None = None
) -> TaskDefinition:
    """Return the definition that these fields would make; raises InputError. Nothing is stored."""
    definition = build_definition(fields, base=base, now=now, defaults=defaults)
    moved = base is None or base.directory != definition.directory
    here = definition.host in {"", defaults.host}
    # One on a file system that may never answer is not looked at: whoever saves the task would wait with it.
    directory = definition.directory
    if directory and moved and here and not leads_far(directory) and not Path(directory).is_dir():
        raise InputError.of("directory", f"{directory} is not a directory on this machine", "/tmp")
    user = definition.policies.as_user
    if (
        user
        and defaults.users is not None
        and user not in defaults.users
        and (base is None or base.policies.as_user != user)
    ):
        there = (
            f"there are: {', '.join(defaults.users)}" if defaults.users else "the settings name none (WATCHBELL_RUN_AS)"
        )
        raise InputError.of("as_user", f"tasks may not run as {user}; {there}", next(iter(defaults.users), None))
    return definition


def create(
    db: Database,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    defaults: Defaults,
    rename: bool = False,
) -> Task:
    """Make a task and return it; raises InputError for bad fields and Conflict for a name that is taken.

    With ``rename`` a name that is taken gets a number behind it instead.
    """
    definition = check(fields, now=now, defaults=defaults)
    with db.write() as session:
        if rename and store.find_task_by_name(session, definition.name) is not None:
            definition = dataclasses.replace(definition, name=_free_name(session, definition.name))
        return add_definition(session, definition, now=now, actor=actor)


def add_definition(session: Session, definition: TaskDefinition, *, now: datetime, actor: str) -> Task:
    """Make a task within a transaction and return it; raises Conflict for a name that is taken."""
    ownership.require_result(session, None, definition)
    _require_free(session, definition.name)
    return _add(session, definition, now=now, actor=actor)


def update(
    db: Database,
    task_id: int,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    defaults: Defaults,
    expected_version: int | None = None,
) -> Task:
    """Change a task and return it; fields that are absent stay.

    Raises VersionConflict if ``expected_version`` is given and somebody else has saved another version since. A new schedule
    counts from now on: an edit never starts a moment that has passed, and one that was due stands as missed.
    """
    with db.write() as session:
        task = _require(session, task_id)
        _require_version(task, expected_version)
        definition = check(fields, now=now, defaults=defaults, base=definition_of(task))
        return change_definition(session, task, definition, now=now, actor=actor)


def change_definition(session: Session, task: Task, definition: TaskDefinition, *, now: datetime, actor: str) -> Task:
    """Let a task say something else from now on, within a transaction, and return it; raises Conflict for a taken name."""
    base = definition_of(task)
    definition = task_sets.refreshed(session, definition, base)
    if definition == base:
        return task
    ownership.require(session, Right.EDIT, task)
    ownership.require_result(session, base, definition)
    quotas.require_room(session, definition.owner, before=base.owner)
    _require_free(session, definition.name, but=task.id)
    if definition.schedule != base.schedule or definition.enabled != base.enabled:
        left_over.write_down(session, task, now=now, actor=actor, why="the task was changed")
        task.cursor_at = max(task.cursor_at, count_from(definition, now))
    if definition.to_json() != base.to_json():
        task.version += 1
        _keep_revision(session, task, definition, now=now, actor=actor)
    task_rows.write(session, task, definition, now=now, actor=actor)
    links.settle(session, task, definition, base)
    if definition.name != base.name:
        _follow_name(session, task, base.name, now=now, actor=actor)
    _tell(session, task, "task_updated", now)
    task_audit.note(session, task, "task.change", now=now, actor=actor, detail=task_audit.difference(base, definition))
    return task


def _follow_name(session: Session, task: Task, before: str, *, now: datetime, actor: str) -> None:
    """Let the tasks that run after one name it by its new name; whose they are does not matter."""
    for child, definition in links.renamed(session, task, before):
        child.version += 1
        _keep_revision(session, child, definition, now=now, actor=actor)
        task_rows.write(session, child, definition, now=now, actor=actor)
        _tell(session, child, "task_updated", now)


def set_enabled(db: Database, task_id: int, enabled: bool, *, now: datetime, actor: str) -> Task:
    """Enable or disable a task and return it; doing so twice changes nothing.

    Moments that passed while it was disabled are not due any more.
    """
    with db.write() as session:
        task = _require(session, task_id)
        if task.enabled != enabled:
            ownership.require(session, Right.OPERATE, task)
            left_over.write_down(session, task, now=now, actor=actor, why="the task was disabled")
            task.cursor_at = max(task.cursor_at, now)
            definition = dataclasses.replace(definition_of(task), enabled=enabled)
            task_rows.write(session, task, definition, now=now, actor=actor)
            _tell(session, task, "task_updated", now)
            task_audit.note(session, task, "task.enable" if enabled else "task.disable", now=now, actor=actor)
        return task


def copy(db: Database, task_id: int, *, now: datetime, actor: str) -> Task:
    """Make a disabled copy of a task under a free name and return it."""
    with db.write() as session:
        source = _require(session, task_id)
        definition = ownership.claim(session, definition_of(source))
        definition = dataclasses.replace(definition, name=_free_name(session, source.name), enabled=False)
        return _add(session, definition, now=now, actor=actor)


def delete(db: Database, task_id: int, *, now: datetime, actor: str, expected_version: int | None = None) -> Task:
    """Delete a task and return it; its runs stay, those that wait are cancelled, one that is going on ends by itself.

    From the first transaction on nothing of it starts any more; a long queue is cancelled in several. Raises VersionConflict
    if ``expected_version`` is given and the task has another one.
    """
    with db.write() as session:
        task = _require(session, task_id)
        _require_version(task, expected_version)
        ownership.require(session, Right.EDIT, task)
        # What a pause held back must not start because the deletion is taken back, and the pause ends with its task.
        starts = task.enabled and not pause_store.list_in_force(session, now, scopes=[pauses.task_scope(task.id)])
        left_over.write_down(session, task, now=now, actor=actor, why="the task was deleted")
        task.cursor_at = max(task.cursor_at, now)
        task.deleted_at = now
        task.enabled, task.next_due_at = False, None
        task.updated_at, task.updated_by = now, actor
        task.change = store.next_change(session)
        pause_store.delete_pause(session, pauses.task_scope(task.id))
        _tell(session, task, "task_deleted", now)
        task_audit.note(session, task, "task.delete", now=now, actor=actor, detail={"enabled": starts})
        is_rest = _cancel_some(session, task_id, now=now, actor=actor)
    while is_rest:
        with db.write() as session:
            is_rest = _cancel_some(session, task_id, now=now, actor=actor)
    return task


def put_back(session: Session, task: Task, definition: TaskDefinition, *, now: datetime, actor: str) -> None:
    """Let a task that was deleted say this from now on, within a transaction."""
    stored = definition_of(task)
    if definition != dataclasses.replace(stored, enabled=definition.enabled, team=definition.team):
        task.version += 1
        _keep_revision(session, task, definition, now=now, actor=actor)
    task_rows.write(session, task, definition, now=now, actor=actor)
    _tell(session, task, "task_created", now)
    task_audit.note(session, task, "task.restore", now=now, actor=actor, detail={"enabled": task.enabled})


def finish_deletions(db: Database, *, now: datetime, actor: str) -> None:
    """Cancel what still waits of deleted tasks, because a program was killed while it cancelled a long queue."""
    while finish_some_deletions(db, now=now, actor=actor):
        continue


def finish_some_deletions(db: Database, *, now: datetime, actor: str) -> bool:
    """Do a part of ``finish_deletions`` in one short transaction and return whether there was anything to do."""
    with db.read() as session:
        unfinished = run_store.list_deleted_waiting(session)
    if unfinished:
        with db.write() as session:
            _cancel_some(session, unfinished[0], now=now, actor=actor)
    return bool(unfinished)


def _cancel_some(session: Session, task_id: int, *, now: datetime, actor: str) -> bool:
    """Cancel what waits of a task, so much that no other writer has to wait long, and return whether there is more."""
    if store.find_task(session, task_id) is not None:
        # Somebody has taken the deletion back, and what waits now was asked for since.
        return False
    waiting = run_store.list_waiting(session, task_id, _CANCELLED_AT_ONCE)
    transitions.move_all(session, waiting, [RunState.CANCELLED], now=now, actor=actor, reason="the task was deleted")
    return len(waiting) == _CANCELLED_AT_ONCE


def get(db: Database, task_id: int) -> Task:
    """Return a task; raises NotFound."""
    with db.read() as session:
        return _require(session, task_id)


def find_by_name(db: Database, name: str) -> Task:
    """Return the task of a name, or the one with that id if the text is a number; raises NotFound."""
    with db.read() as session:
        task = store.find_task_by_name(session, name)
        if task is None and name.isascii() and name.isdigit() and len(name) < 19:
            task = store.find_task(session, int(name))
        if task is None:
            raise NotFound(f"there is no task {name[:100]!r}")
        return task


def is_taken(db: Database, name: str) -> bool:
    """Return whether there is a task of that name."""
    with db.read() as session:
        return store.find_task_by_name(session, name) is not None


def list_names(db: Database, *, but: int | None = None, limit: int = 500) -> list[str]:
    """Return the names of tasks, up to so many, to choose from; ``but`` is left out."""
    with db.read() as session:
        found = store.list_names(session, limit)
    return [name for task_id, name in found.items() if task_id != but]


def list_changed(db: Database, since: int) -> Sequence[PlannedTask]:
    """Return all tasks, deleted ones included, that changed after a change mark, in the order of their changes."""
    with db.read() as session:
        return store.list_changed_tasks(session, since)


@dataclasses.dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of a list of tasks."""

    tasks: Sequence[Task]
    #: How many there are without the filters, and with them.
    total: int
    filtered: int
    #: The newest runs of each task by its id, newest first.
    recent: Mapping[int, Sequence[RunLine]]


def list_page(
    db: Database,
    *,
    sort: str = "name",
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
    recent: int = 0,
    **filters: Any,
) -> TaskPage:
    """Return tasks by the filters and sorts of store.tasks.list_tasks, with as many recent runs of each as asked for."""
    if sort not in store.SORTS:
        raise InputError.of("sort", f"must be one of {', '.join(store.SORTS)}", "name")
    with db.read() as session:
        tasks = store.list_tasks(session, sort=sort, descending=descending, limit=limit, offset=offset, **filters)
        total = store.count_tasks(session)
        is_all = all(value in {None, ""} for value in filters.values())
        return TaskPage(
            tasks=tasks,
            total=total,
            filtered=total if is_all else store.count_tasks(session, **filters),
            recent=newest_runs.list_lines(session, [t.id for t in tasks], recent) if recent else {},
        )


def revision(db: Database, task_id: int, version: int) -> TaskRevision:
    """Return the definition that a version of a task had; raises NotFound."""
    with db.read() as session:
        found = store.find_revision(session, task_id, version)
        if found is None:
            raise NotFound(f"task {task_id} has no version {version}")
        return found


def upcoming(task: Task, *, after: datetime, limit: int, until: datetime | None = None) -> list[Occurrence]:
    """Return a task's next occurrences; none for one that is disabled."""
    if not task.enabled:
        return []
    plan = schedules.from_json(task.schedule)
    return list(schedules.occurrences(plan, max(after, task.cursor_at), limit, until))


def list_soonest(db: Database, limit: int, *, offset: int = 0, **filters: Any) -> list[Task]:
    """Return the enabled tasks that are due next, in the order of their next moments."""
    with db.read() as session:
        return list(store.list_tasks(session, enabled=True, sort="next", limit=limit, offset=offset, **filters))


def _add(session: Session, definition: TaskDefinition, *, now: datetime, actor: str) -> Task:
    ownership.require_user(definition.name, definition.policies.as_user)
    quotas.require_room(session, definition.owner)
    definition = task_sets.refreshed(session, definition)
    task = Task(created_at=now, created_by=actor, version=1, cursor_at=count_from(definition, now))
    task_rows.write(session, task, definition, now=now, actor=actor)
    session.add(task)
    session.flush()
    _keep_revision(session, task, definition, now=now, actor=actor)
    links.settle(session, task, definition, None)
    _tell(session, task, "task_created", now)
    said = {"command": definition.command, "schedule": task.schedule_words, "owner": definition.owner}
    task_audit.note(session, task, "task.create", now=now, actor=actor, detail=said)
    return task


def count_from(definition: TaskDefinition, now: datetime) -> datetime:
    """Return after which moment a new schedule counts: a single moment may be this very one."""
    return now - timedelta(microseconds=1) if now in definition.schedule.moments else now


def _require(session: Session, task_id: int) -> Task:
    task = store.find_task(session, task_id)
    if task is None:
        raise NotFound(f"there is no task {task_id}")
    return task


def _require_version(task: Task, expected: int | None) -> None:
    if expected is not None and task.version != expected:
        raise VersionConflict(
            f"{task.updated_by or 'somebody'} has changed this task meanwhile (version {task.version}, yours was "
            f"{expected}); look at the new version and save again"
        )


def _require_free(session: Session, name: str, *, but: int | None = None) -> None:
    taken = store.find_task_by_name(session, name)
    if taken is not None and taken.id != but:
        raise Conflict(f"name: another task is called {name!r} already (for example: {_free_name(session, name)})")


def _free_name(session: Session, name: str) -> str:
    stem = name[:80]
    for number in range(2, 100):
        candidate = f"{stem}-{number}"
        if store.find_task_by_name(session, candidate) is None:
            return candidate
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def _keep_revision(session: Session, task: Task, definition: TaskDefinition, *, now: datetime, actor: str) -> None:
    session.add(TaskRevision(task_id=task.id, version=task.version, definition=definition.to_json(), at=now, by=actor))


def _tell(session: Session, task: Task, kind: str, now: datetime) -> None:
    event = {"type": kind, "task_id": task.id, "run_id": None, "data": {"name": task.name}, "at": now}
    ledger.add_outbox(session, [event])
