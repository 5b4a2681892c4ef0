"""The variables of a definition as a page shows them: what looks like a secret is masked, and each says which set it is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from watchbell.domain import environment_sets
from watchbell.domain.masking import mask
from watchbell.store.tasks import Task


class Variable(NamedTuple):
    """One variable."""

    name: str
    #: As it may be shown.
    value: str
    #: The environment set that it is from; empty for one of the task's own.
    origin: str


def of_definition(definition: Mapping[str, Any]) -> list[Variable]:
    """Return the variables that a stored definition gives to its command, by name."""
    found = environment_sets.origins(definition)
    return [Variable(name, mask(name, value), origin) for name, (value, origin) in sorted(found.items())]


def of_task(task: Task) -> list[Variable]:
    """Return the variables that a task gives to its command, by name."""
    names = ("environment", environment_sets.FIELD, environment_sets.CARRIED)
    return of_definition({name: getattr(task, name) for name in names})
