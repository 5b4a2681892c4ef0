"""What names secrets: tasks and templates of tasks, and in the fleet templates, schedules and orders that have not ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchbell.domain import environment_sets, job_document, parameters, secret_names
from watchbell.errors import InputError
from watchbell.store import environment_sets as set_store
from watchbell.store import library_uses, secrets
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.session import Session

_NAMED = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What names a secret."""

    #: ``task``, ``template``, ``environment set``, ``job template``, ``fleet schedule`` or ``order``.
    kind: str
    id: int
    name: str
    #: The variables that hold it.
    variables: tuple[str, ...]
    #: How the address of its own page names it.
    key: str = ""


def by_name(session: Session) -> Mapping[str, Sequence[Place]]:
    """Return all that names secrets, by their names."""
    return _places(session, secret_names.OPENING)


def of_one(session: Session, name: str) -> Sequence[Place]:
    """Return what names one secret."""
    return _places(session, secret_names.reference(name)).get(name, ())


def told(places: Sequence[Place]) -> str:
    """Return in words what names a secret."""
    named = ", ".join(f"{place.kind} {place.name}" for place in places[:_NAMED])
    more = len(places) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def named_by_schedules(session: Session) -> Iterator[tuple[FleetSchedule, Sequence[str]]]:
    """Yield the schedules of the fleet that are on and name secrets, with those."""
    for schedule in library_uses.list_schedules_with(session, secret_names.OPENING):
        if schedule.is_active:
            yield schedule, secret_names.names_of(_variables(schedule.document))


def of_task(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a task as they name secrets, also those of its sets and those that a parameter may be given."""
    named = parameters.secrets_named(parameters.from_json(definition.get("parameters")))
    chosen = {variable: " ".join(map(secret_names.reference, names)) for variable, names in named.items()}
    return {**environment_sets.merged(definition), **chosen}


def _places(session: Session, words: str) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for kind, number, title, environment, key in _rows(session, words):
        for name in secret_names.names_of(environment):
            variables = [label for label, text in environment.items() if name in secret_names.names_in(str(text))]
            told = tuple(dict.fromkeys(label.partition(".")[2] or label for label in variables))
            found.setdefault(name, []).append(Place(kind, number, title, told, key))
    return found


def _rows(session: Session, words: str) -> Iterator[tuple[str, int, str, Mapping[str, str], str]]:
    for row in secrets.list_tasks_with(session, words):
        yield "task", row.id, row.name, of_task(row._mapping), str(row.id)
    for row in secrets.list_templates_with(session, words):
        yield "template", row.id, row.name, of_task(row.definition), str(row.id)
    for one in set_store.list_sets_with(session, words):
        yield "environment set", one.id, one.name, one.variables, one.name
    for template in library_uses.list_templates_with(session, words):
        yield "job template", template.id, template.name, _variables(template.document), str(template.id)
    for schedule in library_uses.list_schedules_with(session, words):
        yield "fleet schedule", schedule.id, schedule.name, _variables(schedule.document), schedule.schedule_id
    for order in library_uses.list_unfinished_with(session, words):
        both = _variables(order.document) | _variables(order.rollback_document, of="rollback")
        yield "order", order.id, order.name, both, order.job_id


def _variables(document: Mapping[str, Any] | None, *, of: str = "step") -> dict[str, str]:
    """Return the variables of all steps of a document, each under its step and name."""
    try:
        read = job_document.read(document)
    except InputError:
        # An older version took what this one does not; nothing of it is given to a device.
        return {}
    return {
        f"{of}{number}.{name}": text
        for number, step in enumerate(read.every_step)
        for name, text in step.environment.items()
    }
