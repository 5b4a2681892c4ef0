"""What devices have had to do: the newest of many devices at once, and the history of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.store.base import in_lots
from watchbell.store.fleet_jobs import ACTIVE_SQL, DeviceJob, Execution

#: The index is walked for so many devices by one statement; databases bound of how many parts it may be.
_WALKED_AT_ONCE = 100


class JobLine(NamedTuple):
    """What became of a job on a device, without its output."""

    id: int
    device_id: int
    state: str
    number: int
    queued_at: datetime
    started_at: datetime | None
    updated_at: datetime
    completed_at: datetime | None
    not_before: datetime | None
    exit_code: int | None
    reason: str | None
    executed_steps: int | None
    failed_step: str | None
    details: dict[str, Any]
    job_id: str
    name: str


_LINE = (
    *(DeviceJob.id, DeviceJob.device_id, DeviceJob.state, DeviceJob.number, DeviceJob.queued_at, DeviceJob.started_at),
    *(DeviceJob.updated_at, DeviceJob.completed_at, DeviceJob.not_before, DeviceJob.exit_code, DeviceJob.reason),
    *(DeviceJob.executed_steps, DeviceJob.failed_step, DeviceJob.details, Execution.job_id, Execution.name),
)
_LINES: Any = select(*_LINE).join(Execution, Execution.id == DeviceJob.execution_id)


def newest_of(session: Session, device_ids: Sequence[int]) -> dict[int, JobLine]:
    """Return of each of some devices what it is at, else the newest job that it has had."""
    found = {line.device_id: line for line in _by_ids(session, _newest_ids(session, device_ids))}
    for some in in_lots(device_ids):
        held = _LINES.where(DeviceJob.device_id.in_(some), text(f"device_job.{ACTIVE_SQL}"))
        held = held.where(DeviceJob.state == DeviceJobState.IN_PROGRESS.value).order_by(DeviceJob.id)
        found.update({row.device_id: JobLine._make(row) for row in session.execute(held)})
    return found


def _newest_ids(session: Session, device_ids: Sequence[int]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(device_ids), _WALKED_AT_ONCE):
        # A statement for each costs more than what it finds. What stands in the text are numbers of ours.
        walks = (
            f"SELECT id FROM (SELECT id FROM device_job WHERE device_id = {int(device_id)} ORDER BY queued_at DESC, id DESC LIMIT 1) AS newest"  # noqa: S608
            for device_id in device_ids[start : start + _WALKED_AT_ONCE]
        )
        found += session.connection().exec_driver_sql(" UNION ALL ".join(walks)).scalars()
    return found


def _by_ids(session: Session, part_ids: Sequence[int]) -> list[JobLine]:
    return [
        JobLine._make(row)
        for some in in_lots(part_ids)
        for row in session.execute(_LINES.where(DeviceJob.id.in_(some)))
    ]


def list_waiting(session: Session, device_id: int, limit: int) -> Sequence[JobLine]:
    """Return the jobs that wait for a device, in the order in which it is offered them."""
    statement = _LINES.where(DeviceJob.device_id == device_id, text(f"device_job.{ACTIVE_SQL}"))
    statement = statement.where(DeviceJob.state == DeviceJobState.QUEUED.value)
    rows = session.execute(
        statement.order_by(DeviceJob.priority.desc(), DeviceJob.queued_at, DeviceJob.id).limit(limit)
    )
    return [JobLine._make(row) for row in rows]


def find_queued_at(session: Session, device_id: int, part_id: int) -> datetime | None:
    """Return since when a job of a device waits or has waited, None for one that is not its own."""
    statement = select(DeviceJob.queued_at).where(DeviceJob.id == part_id, DeviceJob.device_id == device_id)
    return session.scalar(statement)


def list_page(
    session: Session,
    device_id: int,
    *,
    states: Sequence[str],
    before: tuple[datetime, int] | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[JobLine]:
    """Return jobs of a device, the newest first, of some states or of all, beside the place of one of them: (queued_at, id)."""
    place = tuple_(DeviceJob.queued_at, DeviceJob.id)
    statement = _LINES.where(DeviceJob.device_id == device_id)
    if states:
        statement = statement.where(DeviceJob.state.in_(states))
    if before is not None:
        statement = statement.where(place < before)
    if after is not None:
        rows = session.execute(
            statement.where(place > after).order_by(DeviceJob.queued_at, DeviceJob.id).limit(limit)
        ).all()
        return [JobLine._make(row) for row in reversed(rows)]
    rows = session.execute(statement.order_by(DeviceJob.queued_at.desc(), DeviceJob.id.desc()).limit(limit)).all()
    return [JobLine._make(row) for row in rows]


def count_ends(session: Session, device_id: int, since: datetime) -> dict[DeviceJobState, int]:
    """Return how many jobs of a device, queued since a moment, are in each state; one that was tried again counts once."""
    statement = (
        select(DeviceJob.state, func.count())
        .where(DeviceJob.device_id == device_id, DeviceJob.queued_at >= since, DeviceJob.is_newest)
        .group_by(DeviceJob.state)
    )
    return {DeviceJobState(row[0]): int(row[1]) for row in session.execute(statement)}


def count_all(session: Session, device_id: int) -> int:
    """Return how many jobs a device has had."""
    statement = select(func.count()).select_from(DeviceJob).where(DeviceJob.device_id == device_id)
    return int(session.scalar(statement) or 0)
