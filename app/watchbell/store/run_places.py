"""On which host runs ran, or are to run: by what holds them, or, of those that nothing holds yet, by their tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from watchbell.store.base import pattern
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Run
from watchbell.store.tasks import Task


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A host, as runs are looked for on it."""

    host: str
    #: How the names begin under which calls on it hold their runs.
    call_prefixes: tuple[str, ...] = ()

    def where(self, run: Any) -> Any:
        """Return the condition on the columns ``holder`` and ``task_id`` of runs."""
        lives = select(Scheduler.incarnation).where(func.lower(Scheduler.host) == self.host.lower())
        pinned = select(Task.id).where(func.lower(Task.host) == self.host.lower())
        return or_(
            run.holder.in_(lives),
            *(run.holder.like(pattern(prefix).removeprefix("%"), escape="\\") for prefix in self.call_prefixes),
            and_(run.holder.is_(None), run.task_id.in_(pinned)),
        )


def list_hosts(session: Session, limit: int) -> list[str]:
    """Return the hosts on which schedulers have run."""
    return list(session.scalars(select(Scheduler.host).distinct().order_by(Scheduler.host).limit(limit)))


def list_of(session: Session, place: Place, ids: Sequence[int]) -> set[int]:
    """Return which of a few runs ran, or are to run, in a place."""
    run: Any = Run.__table__.c
    return set(session.scalars(select(run.id).where(run.id.in_(list(ids)), place.where(run))))
