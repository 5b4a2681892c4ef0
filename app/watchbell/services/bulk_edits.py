"""Giving many tasks the same values: what would change of each, all of it in one transaction, and the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.permissions import Right
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.errors import InputError, NotAllowed, NotFound, Problem, VersionConflict
from watchbell.services import ownership, quotas, tasks, transfer
from watchbell.services.bulk import MOST_TASKS, UNCHANGED
from watchbell.store import tasks as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

_NAMED = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What each of the tasks is to have."""

    #: Values of any fields but domain.shared_fields.OWN, as domain.task_definition reads them.
    fields: Mapping[str, object] = dataclasses.field(default_factory=dict)
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    #: Defaults of parameters by their names, for those of the tasks that declare them.
    parameter_defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is to be changed."""
        return not (self.fields or self.add_tags or self.remove_tags or self.parameter_defaults)


@dataclasses.dataclass(frozen=True, slots=True)
class Edited:
    """What changes of one task."""

    task_id: int
    name: str
    #: Field, what it was, what it will be; none if the task has all of it already.
    differences: Sequence[tuple[str, object, object]]
    #: The version and whether it was enabled before, and the version after.
    before: int
    was_enabled: bool
    after: int


class Overtaken(VersionConflict):
    """Somebody else has changed some of these tasks meanwhile."""

    def __init__(self, found: Sequence[Task]) -> None:
        #: Number, name and version of each as it is now.
        self.now = [(task.id, task.name, task.version) for task in found]
        names = ", ".join(task.name for task in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        super().__init__(f"{names}{more} changed meanwhile; look at what would change again. Nothing was changed")


@dataclasses.dataclass(frozen=True, slots=True)
class Undone:
    """Which tasks are as they were, and which somebody has changed since."""

    names: Sequence[str]
    left: Sequence[str]


def find(db: Database, ids: Sequence[int]) -> Sequence[Task]:
    """Return tasks by their ids; raises InputError for ids that no task has, and for too many."""
    with db.read() as session:
        return _choose(session, ids)


def plan(db: Database, ids: Sequence[int], changes: Changes, *, now: datetime, defaults: Defaults) -> list[Edited]:
    """Return what would change, and change nothing; raises InputError for values that no task may have, and NotYours."""
    return told(plan_definitions(db, ids, changes, now=now, defaults=defaults))


def told(planned: Sequence[tuple[Task, TaskDefinition]]) -> list[Edited]:
    """Return what changes of each task."""
    return [_edited(task, definition) for task, definition in planned]


def plan_definitions(
    db: Database, ids: Sequence[int], changes: Changes, *, now: datetime, defaults: Defaults
) -> list[tuple[Task, TaskDefinition]]:
    """Return what each of the tasks would say; raises what ``plan`` raises."""
    with db.read() as session:
        chosen = _choose(session, ids)
        _require_declared(chosen, changes.parameter_defaults)
        found = [(task, _definition(task, changes, now=now, defaults=defaults)) for task in chosen]
        for task, definition in found:
            ownership.require(session, Right.EDIT, task)
            ownership.require_result(session, tasks.definition_of(task), definition)
    return found


def apply(
    db: Database,
    ids: Sequence[int],
    changes: Changes,
    *,
    now: datetime,
    actor: str,
    defaults: Defaults,
    versions: Mapping[int, int] | None = None,
) -> list[Edited]:
    """Change all of them or none, and return what has changed; raises what ``plan`` raises.

    With ``versions``, those that whoever asks has seen by the tasks' ids, it raises Overtaken for tasks that have another.
    """
    done = []
    with db.write() as session:
        chosen = _choose(session, ids)
        overtaken = [task for task in chosen if versions is not None and task.version != versions.get(task.id)]
        if overtaken:
            raise Overtaken(overtaken)
        _require_declared(chosen, changes.parameter_defaults)
        for task in chosen:
            definition = _definition(task, changes, now=now, defaults=defaults)
            edited = _edited(task, definition)
            tasks.change_definition(session, task, definition, now=now, actor=actor)
            done.append(dataclasses.replace(edited, after=task.version))
    return done


def told_of(edited: Edited) -> dict[str, object]:
    """Return what changes of one task as programs read it; its version is the one that it has then."""
    return {
        "task_id": edited.task_id,
        "name": edited.name,
        "outcome": "changed" if edited.differences else UNCHANGED,
        "version_before": edited.before,
        "version": edited.after,
        "was_enabled": edited.was_enabled,
        "differences": [
            {"field": field, "before": before, "after": after} for field, before, after in edited.differences
        ],
    }


def edited_of(told: Mapping[str, Any]) -> Edited:
    """Return of what programs were told of one task as much as ``undo`` needs."""
    return Edited(told["task_id"], "", (), told["version_before"], told["was_enabled"], told["version"])


def undo(db: Database, done: Sequence[Edited], *, now: datetime, actor: str) -> Undone:
    """Give tasks back what they had before; those that somebody has changed since are left alone and named.

    Of ``done`` only the numbers count: a page may have kept them.
    """
    names, left = [], []
    with db.write() as session:
        for edited in done:
            task = store.find_task(session, edited.task_id)
            kept = store.find_revision(session, edited.task_id, edited.before)
            if task is None or kept is None or task.version != edited.after:
                left.append(task.name if task is not None else f"task {edited.task_id}")
                continue
            definition = TaskDefinition.from_json(kept.definition, enabled=edited.was_enabled)
            try:
                tasks.change_definition(session, task, definition, now=now, actor=actor)
            except (InputError, NotAllowed, quotas.TaskQuotaReached):
                # Its team is gone, it has become somebody else's, or its owner has too many; what refuses has written nothing.
                left.append(task.name)
                continue
            names.append(task.name)
    return Undone(names, left)


def _choose(session: Session, ids: Sequence[int]) -> Sequence[Task]:
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise InputError.of("id", "no task is chosen; tick some in the list of tasks")
    if len(wanted) > MOST_TASKS:
        raise InputError.of("id", f"at most {MOST_TASKS:,} tasks can be edited at a time")
    found = store.list_by_ids(session, wanted)
    missing = sorted(set(wanted) - {task.id for task in found})
    if missing:
        shown = ", ".join(map(str, missing[:_NAMED])) + (
            f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        )
        raise NotFound(f"there is no task {shown}")
    return found


def _definition(task: Task, changes: Changes, *, now: datetime, defaults: Defaults) -> TaskDefinition:
    base = tasks.definition_of(task)
    fields = dict(changes.fields)
    if changes.add_tags or changes.remove_tags:
        kept = [tag for tag in base.tags if tag not in changes.remove_tags]
        fields["tags"] = [*kept, *(tag for tag in changes.add_tags if tag not in kept)]
    if any(parameter.name in changes.parameter_defaults for parameter in base.parameters):
        fields["parameters"] = _with_defaults(base, changes.parameter_defaults)
    try:
        return tasks.check(fields, now=now, defaults=defaults, base=base)
    except InputError as error:
        told = (
            dataclasses.replace(problem, message=f"{problem.message} (task {task.name})") for problem in error.problems
        )
        raise InputError(*map(_of_tags, told)) from None


def _with_defaults(base: TaskDefinition, given: Mapping[str, str]) -> list[dict[str, object]]:
    entries = [parameter.to_json() for parameter in base.parameters]
    return [{**entry, "default": given.get(str(entry["name"]), entry["default"])} for entry in entries]


def _require_declared(found: Sequence[Task], names: Collection[str]) -> None:
    """Refuse defaults of a parameter that none of the tasks declares: it is misspelt."""
    declared = {str(entry["name"]) for task in found for entry in task.parameters}
    if unknown := sorted(set(names) - declared):
        raise InputError.of("parameter_defaults", f"none of these tasks has a parameter {unknown[0][:40]!r}", None)


def _of_tags(problem: Problem) -> Problem:
    name = {"tags": "add_tags", "parameters": "parameter_defaults"}.get(problem.field, problem.field)
    return dataclasses.replace(problem, field=name)


def _edited(task: Task, definition: TaskDefinition) -> Edited:
    base = tasks.definition_of(task)
    return Edited(task.id, task.name, transfer.differences(base, definition), task.version, task.enabled, task.version)
