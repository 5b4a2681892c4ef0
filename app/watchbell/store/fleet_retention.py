"""Finding and deleting orders to devices that are older than they are to be kept, and what is known of them for a while longer.

What may go is decided in services.fleet_retention. Nothing here deletes an order that goes on or that takes in devices which
join later.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from watchbell.domain.fleet_state import EXECUTION_FINAL, DeviceJobState
from watchbell.store.base import Base, UTCDateTime
from watchbell.store.fleet_jobs import DeviceJob, Execution

_FINAL = sorted(state.value for state in EXECUTION_FINAL)
#: What was taken back, or has run out of time, while a device had it.
_UNTOLD = (DeviceJobState.CANCELLED.value, DeviceJobState.TIMED_OUT.value)


class FleetHour(Base):
    """How many jobs, of orders that were given within an hour and are deleted, had ended in a state."""

    __tablename__ = "fleet_hour"

    hour: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    jobs: Mapped[int] = mapped_column(default=0)


@dataclasses.dataclass(frozen=True, slots=True)
class OldOrder:
    """An order that has ended, with what says whether it may go."""

    id: int
    total: int
    queued_at: datetime
    completed_at: datetime | None
    #: Whether the order that this one undoes is still here.
    undoes_one: bool
    #: Whether a device may be at it still, and has not heard yet that it is over.
    is_untold: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Deleted:
    """What a transaction has deleted."""

    orders: int = 0
    jobs: int = 0


def beyond_orders(session: Session, number: int) -> int | None:
    """Return the id of the newest order beyond so many, None if there are not more."""
    return session.scalar(select(Execution.id).order_by(Execution.id.desc()).limit(1).offset(number))


def beyond_jobs(session: Session, number: int) -> int | None:
    """Return the id of the newest order with which the jobs of it and all newer ones are more than so many, None if none is."""
    running = func.sum(Execution.total).over(order_by=Execution.id.desc()).label("jobs")
    sums = select(Execution.id, running).subquery()
    found: int | None = session.scalar(select(func.max(sums.c.id)).where(sums.c.jobs > number))
    return found


def list_ended(session: Session, after: int, limit: int) -> list[OldOrder]:
    """Return orders after an id that have ended, oldest first."""
    undone = aliased(Execution)
    undoes_one = exists().where(undone.job_id == Execution.rollback_of)
    is_untold = exists().where(
        DeviceJob.execution_id == Execution.id,
        DeviceJob.is_newest,
        DeviceJob.state.in_(_UNTOLD),
        DeviceJob.is_cancel_told.is_(False),
    )
    columns = (Execution.id, Execution.total, Execution.queued_at, Execution.completed_at, undoes_one, is_untold)
    statement = select(*columns).where(_is_over(), Execution.id > after).order_by(Execution.id).limit(limit)
    return [OldOrder(*row) for row in session.execute(statement)]


def delete_some(session: Session, order_ids: Sequence[int], limit: int) -> Deleted:
    """Delete orders with all that belongs to them, in turn, until so many rows of orders and jobs are gone.

    An order goes after its last job. One that goes on again stays as it is, and so do its jobs.
    """
    orders = jobs = 0
    statement = select(Execution.id, Execution.queued_at, Execution.counts).where(
        Execution.id.in_(order_ids), _is_over()
    )
    counted: Counter[tuple[datetime, str]] = Counter()
    for order_id, queued_at, counts in session.execute(statement.order_by(Execution.id).with_for_update()):
        left = limit - orders - jobs
        if left <= 0:
            break
        gone = _delete_jobs(session, order_id, left)
        jobs += gone
        if gone == left:
            # There may be more of them.
            break
        session.connection().execute(delete(Execution).where(Execution.id == order_id))
        orders += 1
        hour = queued_at.replace(minute=0, second=0, microsecond=0)
        counted.update({(hour, state): int(count) for state, count in counts.items() if count})
    _add_hours(session, counted)
    return Deleted(orders, jobs)


def _is_over() -> Any:
    return and_(Execution.state.in_(_FINAL), Execution.is_open.is_(False))


def _delete_jobs(session: Session, order_id: int, limit: int) -> int:
    some = select(DeviceJob.id).where(DeviceJob.execution_id == order_id).limit(limit)
    # What belongs to a job goes with it by the rules of the database.
    return int(session.connection().execute(delete(DeviceJob).where(DeviceJob.id.in_(some))).rowcount)


def _add_hours(session: Session, counted: Counter[tuple[datetime, str]]) -> None:
    if not counted:
        return
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    insert = dialect.insert(FleetHour)
    rows = [{"hour": hour, "state": state, "jobs": jobs} for (hour, state), jobs in sorted(counted.items())]
    session.connection().execute(
        insert.on_conflict_do_update(
            index_elements=["hour", "state"], set_={"jobs": FleetHour.jobs + insert.excluded.jobs}
        ),
        rows,
    )


def count_hours(session: Session, since: datetime) -> dict[str, int]:
    """Return how many jobs of deleted orders, given since a moment, had ended in each state; its hour itself does not count."""
    statement = select(FleetHour.state, func.sum(FleetHour.jobs)).where(FleetHour.hour >= since)
    return {state: int(count) for state, count in session.execute(statement.group_by(FleetHour.state))}


def delete_hours(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many numbers of hours that began before a time."""
    old = session.scalars(select(FleetHour.hour).where(FleetHour.hour < before).distinct().limit(limit)).all()
    return int(session.connection().execute(delete(FleetHour).where(FleetHour.hour.in_(old))).rowcount)
