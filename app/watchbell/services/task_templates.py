"""Templates of tasks: keeping what a task says, so that new ones can begin from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import schedule as schedules
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, task_sets, tasks
from watchbell.store import task_templates as store
from watchbell.store import tasks as task_store
from watchbell.store.session import Database
from watchbell.store.task_templates import TaskTemplate
from watchbell.store.tasks import Task

#: More than anybody would choose from.
MOST_TEMPLATES = 200


def save(db: Database, task_id: int, *, now: datetime, actor: str) -> TaskTemplate:
    """Keep what a task says as a template of its name and return it; one that is there is replaced.

    Raises NotFound, and Conflict for too many.
    """
    with db.write() as session:
        task = task_store.find_task(session, task_id)
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        found = store.find_template_by_name(session, task.name)
        if found is None:
            if store.count_templates(session) >= MOST_TEMPLATES:
                raise Conflict(f"there are {MOST_TEMPLATES} templates already; delete one first")
            found = TaskTemplate(name=task.name)
            session.add(found)
        found.definition = tasks.definition_of(task).to_json()
        found.at, found.by = now, actor
        session.flush()
        audit.note(session, "template.save", f"template:{found.id}", now=now, actor=actor, name=found.name)
        return found


def get(db: Database, template_id: int) -> TaskTemplate:
    """Return a template; raises NotFound."""
    with db.read() as session:
        found = store.find_template(session, template_id)
        if found is None:
            raise NotFound(f"there is no template {template_id}")
        return found


def find_by_name(db: Database, name: str) -> TaskTemplate:
    """Return the template of a name or, if there is none of that name, of an id; raises NotFound."""
    listed = list_all(db)
    found = next((one for one in listed if one.name == name), None)
    found = found or next((one for one in listed if str(one.id) == name), None)
    if found is None:
        raise NotFound(f"there is no template {name[:100]!r}")
    return found


def told(template: TaskTemplate) -> dict[str, Any]:
    """Return a template as programs read it."""
    return {
        "id": template.id,
        "name": template.name,
        "saved_at": template.at,
        "saved_by": template.by,
        "sentence": schedules.describe(definition_of(template).schedule),
        "definition": template.definition,
    }


def make_task(
    db: Database, template_id: int, fields: Mapping[str, object], *, now: datetime, actor: str, defaults: Defaults
) -> Task:
    """Make a task that says what a template says but for these fields, a name among them; it belongs to whoever makes it.

    Raises NotFound, InputError, and Conflict for a name that is taken.
    """
    base = definition_of(get(db, template_id))
    given = {"owner": defaults.owner, **fields}
    if not given.get("name"):
        raise InputError.of("name", "is required", "backup-home")
    definition = tasks.check(given, now=now, defaults=defaults, base=base)
    with db.write() as session:
        definition = task_sets.refreshed(session, definition, base)
        return tasks.add_definition(session, definition, now=now, actor=actor)


def definition_of(template: TaskTemplate) -> TaskDefinition:
    """Return what a template says."""
    return TaskDefinition.from_json(template.definition)


def list_all(db: Database) -> Sequence[TaskTemplate]:
    """Return all templates by name."""
    with db.read() as session:
        return store.list_templates(session)


def delete(db: Database, template_id: int, *, now: datetime, actor: str) -> TaskTemplate:
    """Delete a template and return what it was; tasks that were made from it stay. Raises NotFound."""
    with db.write() as session:
        found = store.find_template(session, template_id)
        if found is None:
            raise NotFound(f"there is no template {template_id}")
        session.delete(found)
        audit.note(session, "template.remove", f"template:{template_id}", now=now, actor=actor, name=found.name)
        return found
