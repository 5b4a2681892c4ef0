"""The fleet in three numbers, as the first page shows it: they are asked for with every look at that page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.store.devices import Device
from watchbell.store.fleet_views import count_given


class Glance(NamedTuple):
    """How many devices may take part, how many of them are online, and how many jobs of a day's orders have failed."""

    active: int
    online: int
    failed: int


def look(session: Session, *, online_since: datetime, given_since: datetime) -> Glance | None:
    """Return the numbers, None without any device."""
    online: Any = func.count(case((Device.seen_at >= online_since, 1)))
    active, heard_of = session.execute(select(func.count(), online).where(Device.is_active)).one()
    if not active and session.scalar(select(Device.id).limit(1)) is None:
        return None
    given = count_given(session, given_since)
    failed = sum(given.get(state, 0) for state in (DeviceJobState.FAILED, DeviceJobState.TIMED_OUT))
    return Glance(int(active), int(heard_of), failed)
