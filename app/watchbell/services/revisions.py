"""The versions of a task: what each changed and who made it, and bringing an earlier one back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from watchbell.domain import environment_sets
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import NotFound, VersionConflict
from watchbell.services import tasks, transfer
from watchbell.store import tasks as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task, TaskRevision


@dataclasses.dataclass(frozen=True, slots=True)
class Revised:
    """One version of a task beside the one before it."""

    revision: TaskRevision
    #: The fields that it changed; None if the version before it is not kept, or there was none.
    changed: Sequence[str] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """Two versions of one task."""

    task: Task
    revision: TaskRevision
    #: What it is laid against, None if there is nothing.
    against: TaskRevision | None

    @property
    def is_in_force(self) -> bool:
        """Return whether this is what the task says now."""
        return self.revision.version == self.task.version


def list_page(db: Database, task_id: int, *, limit: int, before: int | None = None) -> tuple[Task, list[Revised], bool]:
    """Return a task, also a deleted one, some of its versions, the newest first, and whether there are older ones."""
    with db.read() as session:
        task = _require(session, task_id, deleted=True)
        # One more than is shown, for what the oldest one shown has changed.
        found = store.list_newest_revisions(session, task_id, limit + 1, before)
        # The one before a version has the number below it, unless it is not kept.
        pairs = [(one, older) for one, older in zip(found, [*found[1:], None], strict=True)]
    return task, [Revised(one, _changed(older, one)) for one, older in pairs[:limit]], len(found) > limit


def find(db: Database, task_id: int, version: int, against: int | None = None) -> Versions:
    """Return a version of a task beside another one, by default the one before it; raises NotFound."""
    with db.read() as session:
        task = _require(session, task_id, deleted=True)
        revision = _require_revision(session, task_id, version)
        if against is not None:
            return Versions(task, revision, _require_revision(session, task_id, against))
        older = store.list_newest_revisions(session, task_id, 1, version)
        return Versions(task, revision, older[0] if older else None)


def definition_at(db: Database, task: Task, version: int | None) -> Mapping[str, object]:
    """Return what a version of a task says, by default the one in force; raises NotFound."""
    if version is None or version == task.version:
        return tasks.definition_of(task).to_json()
    return tasks.revision(db, task.id, version).definition


def differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the fields in which two stored definitions differ, those of schedule and policies each for itself."""
    old, new = flat(before), flat(after)
    return [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]


def flat(definition: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a stored definition, those of schedule and policies each for itself."""
    found: dict[str, object] = {}
    for name, value in definition.items():
        inside = value if isinstance(value, Mapping) and name in {"schedule", "policies"} else None
        found |= {f"{name}.{key}": item for key, item in inside.items()} if inside is not None else {name: value}
    return found


def restore(
    db: Database, task_id: int, version: int, *, now: datetime, actor: str, expected_version: int | None = None
) -> Task:
    """Let a task say again what it said in an earlier version, as a new version, and return it; it stays enabled or not.

    Raises NotFound, Conflict for a name that another task has by now, and VersionConflict if ``expected_version`` is given
    and somebody has saved another one since.
    """
    with db.write() as session:
        task = _require(session, task_id)
        if expected_version is not None and task.version != expected_version:
            raise VersionConflict(
                f"{task.updated_by or 'somebody'} has changed this task meanwhile (version {task.version}, yours was "
                f"{expected_version}); look at the new version and restore again"
            )
        kept = _require_revision(session, task_id, version)
        definition = TaskDefinition.from_json(kept.definition, enabled=task.enabled)
        return tasks.change_definition(session, task, definition, now=now, actor=actor)


def _changed(older: TaskRevision | None, newer: TaskRevision) -> Sequence[str] | None:
    if older is None:
        return None
    before, after = (TaskDefinition.from_json(one.definition) for one in (older, newer))
    names = [name.removeprefix("policies.") for name, _old, _new in transfer.differences(before, after)]
    if before.set_variables != after.set_variables and before.environment_sets == after.environment_sets:
        names.append(environment_sets.CARRIED)
    return tuple(dict.fromkeys("schedule" if name.startswith("schedule.") else name for name in names))


def _require(session: Session, task_id: int, *, deleted: bool = False) -> Task:
    task = store.find_task(session, task_id, deleted=deleted)
    if task is None:
        raise NotFound(f"there is no task {task_id}")
    return task


def _require_revision(session: Session, task_id: int, version: int) -> TaskRevision:
    found = store.find_revision(session, task_id, version)
    if found is None:
        raise NotFound(f"task {task_id} has no version {version}")
    return found
