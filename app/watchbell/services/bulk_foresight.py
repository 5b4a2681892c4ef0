"""What it would do to the runs of the coming days to do one thing with many tasks."""

from __future__ import annotations

from datetime import datetime

from watchbell.domain.task_definition import Defaults
from watchbell.services import bulk, simulation
from watchbell.services.bulk import Done, Order
from watchbell.services.simulation import Simulation
from watchbell.store.session import Database


def rehearse(
    db: Database, order: Order, *, now: datetime, actor: str, defaults: Defaults
) -> tuple[list[Done], Simulation]:
    """Return what would be done with each task and which runs would come or go; raises what ``bulk.carry_out`` raises."""
    done: list[Done] = []

    def act(own: Database) -> None:
        done.extend(bulk.carry_out(own, order, now=now, actor=actor, defaults=defaults, dry_run=False))

    found = simulation.of_act(db, act, now=now)
    return done, found
