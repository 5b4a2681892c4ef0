"""The environment sets that tasks carry, and the rows that they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from watchbell.domain import environment_sets
from watchbell.domain.task_definition import TaskDefinition
from watchbell.services import task_calendars
from watchbell.store import environment_sets as store
from watchbell.store.session import Session


def refreshed(session: Session, definition: TaskDefinition, base: TaskDefinition | None = None) -> TaskDefinition:
    """Return a definition with its calendar and its environment sets as they are now, whatever an older version of it had.

    Raises InputError on ``calendar`` and ``environment_sets`` for what is neither there nor carried by ``base``.
    """
    definition = task_calendars.refreshed(session, definition, base)
    if not definition.environment_sets:
        return definition if not definition.set_variables else dataclasses.replace(definition, set_variables={})

    def find(name: str) -> Mapping[str, str] | None:
        row = store.find_set(session, name)
        return row.variables if row is not None else None

    kept = base.set_variables if base is not None else {}
    carried = environment_sets.resolve(definition.environment_sets, find, kept)
    return definition if carried == definition.set_variables else dataclasses.replace(definition, set_variables=carried)
