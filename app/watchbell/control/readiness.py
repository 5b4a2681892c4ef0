"""Whether an installation is ready for work: its database answers and has the schema for it, and a scheduler works."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import SchedulerState
from watchbell.errors import ConfigError, Unavailable
from watchbell.store import schema
from watchbell.store.session import Database


@dataclasses.dataclass(frozen=True, slots=True)
class Readiness:
    """What is there of all that is needed; what cannot be asked is not there."""

    database: bool = False
    schema: bool = False
    scheduler: bool = False

    @property
    def web(self) -> bool:
        """Return whether pages and API can work, whatever the scheduler does."""
        return self.database and self.schema


def look(db: Database, status: Callable[[], SchedulerStatus]) -> Readiness:
    """Return what is there; ``status`` tells of the scheduler, and is asked only of a database that can be read."""
    try:
        serves = schema.serves(db)
    except (Unavailable, ConfigError):
        # Why is told by the health, the page and the logs to those who may know.
        return Readiness()
    if not serves:
        return Readiness(database=True)
    try:
        is_fresh = status().state is SchedulerState.RUNNING
    except (Unavailable, ConfigError):
        return Readiness()
    return Readiness(database=True, schema=True, scheduler=is_fresh)
