"""What was made of a template: the orders that were given by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from watchbell.store import library_uses as store
from watchbell.store.fleet_jobs import Execution
from watchbell.store.session import Database

SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateUses:
    """The orders that were given by a template."""

    total: int
    newest: Sequence[Execution]


def of(db: Database, template_id: int) -> TemplateUses:
    """Return how many orders were given by a template, and the newest of them."""
    with db.read() as session:
        return TemplateUses(
            store.count_executions(session, template_id), store.list_newest(session, template_id, SHOWN)
        )
