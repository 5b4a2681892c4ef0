"""What one device has had to do: what it is at, what waits for it, its jobs page by page, and how many went well."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.errors import InputError
from watchbell.services import devices
from watchbell.store import device_history as store
from watchbell.store.device_history import JobLine
from watchbell.store.session import Database, Session

#: The success rate counts the jobs of so long.
RATED = timedelta(days=30)
#: So many of those that wait are named.
MOST_WAITING = 5
_AT_ONCE = 500
#: What counts for or against a device; what was rejected or taken back does not.
_JUDGED = (DeviceJobState.SUCCEEDED, DeviceJobState.FAILED, DeviceJobState.TIMED_OUT)


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """What a device is at and has done."""

    #: What it has and has not finished; None while it has nothing.
    held: JobLine | None
    #: The first of those that wait for it.
    waiting: Sequence[JobLine]
    #: How many jobs of the last 30 days are in each state.
    ends: Mapping[DeviceJobState, int]
    #: How many jobs it has had altogether.
    total: int

    @property
    def judged(self) -> int:
        """Return how many jobs of the last 30 days count for or against it."""
        return sum(self.ends.get(state, 0) for state in _JUDGED)

    @property
    def succeeded(self) -> int:
        """Return how many of these went well."""
        return self.ends.get(DeviceJobState.SUCCEEDED, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class JobPage:
    """A page of the jobs of a device, the newest first, and the numbers at which its neighbours begin."""

    jobs: Sequence[JobLine]
    #: Jobs older than this one follow; None if there are none.
    older: int | None
    #: Jobs newer than this one come before; None if there are none.
    newer: int | None


def workload(db: Database, uuid: str, *, now: datetime) -> Workload:
    """Return what a device is at and has done; raises NotFound."""
    with db.read() as session:
        device = devices.require(session, uuid)
        newest = store.newest_of(session, [device.id]).get(device.id)
        is_at_it = newest is not None and newest.state == DeviceJobState.IN_PROGRESS.value
        return Workload(
            held=newest if is_at_it else None,
            waiting=store.list_waiting(session, device.id, MOST_WAITING),
            ends=store.count_ends(session, device.id, now - RATED),
            total=store.count_all(session, device.id),
        )


def list_jobs(
    db: Database,
    uuid: str,
    *,
    states: Sequence[str] = (),
    before: int | None = None,
    after: int | None = None,
    limit: int,
) -> JobPage:
    """Return a page of the jobs of a device, beside the job of a number; raises NotFound, and InputError for a number that is none."""
    with db.read() as session:
        device = devices.require(session, uuid)
        older, newer = (
            _place(session, device.id, name, given) for name, given in (("before", before), ("after", after))
        )
        rows = store.list_page(session, device.id, states=states, before=older, after=newer, limit=limit + 1)
        has_more = len(rows) > limit
        if after is not None:
            jobs = rows[-limit:]
            return JobPage(jobs, jobs[-1].id if jobs else None, jobs[0].id if has_more else None)
        jobs = rows[:limit]
        return JobPage(jobs, jobs[-1].id if has_more else None, jobs[0].id if before is not None and jobs else None)


def walk(db: Database, uuid: str, *, states: Sequence[str] = ()) -> Iterator[JobLine]:
    """Yield all jobs of a device, the newest first; raises NotFound."""
    with db.read() as session:
        device_id = devices.require(session, uuid).id
    place: tuple[datetime, int] | None = None
    while True:
        with db.read() as session:
            rows = store.list_page(session, device_id, states=states, before=place, after=None, limit=_AT_ONCE)
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        place = rows[-1].queued_at, rows[-1].id


def _place(session: Session, device_id: int, name: str, part_id: int | None) -> tuple[datetime, int] | None:
    if part_id is None:
        return None
    queued_at = store.find_queued_at(session, device_id, part_id)
    if queued_at is None:
        raise InputError.of(name, "is no job of this device")
    return queued_at, part_id
