"""The variables of tasks as whoever asks may read them: in full with the right to edit, otherwise without what looks like a secret.

Whoever may edit a task reads its form anyway, and could let a command tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from watchbell.domain.environment_sets import CARRIED
from watchbell.domain.masking import mask_all
from watchbell.domain.permissions import Right
from watchbell.domain.task_definition import TaskDefinition
from watchbell.domain.task_document import SetEntry
from watchbell.web import current


def variables(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return variables by name."""
    return dict(environment) if Right.EDIT in current.user().rights else mask_all(environment)


def stored(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition as it is stored."""
    told = {**definition}
    if isinstance(environment := definition.get("environment"), Mapping):
        told["environment"] = variables(environment)
    if isinstance(sets := definition.get(CARRIED), Mapping):
        told[CARRIED] = {name: variables(values) for name, values in sets.items()}
    return told


def definition(found: TaskDefinition) -> TaskDefinition:
    """Return a definition."""
    sets = {name: variables(values) for name, values in found.set_variables.items()}
    return dataclasses.replace(found, environment=variables(found.environment), set_variables=sets)


def of_set(found: SetEntry) -> SetEntry:
    """Return what a document says of an environment set."""
    return dataclasses.replace(found, variables=variables(found.variables))
