"""Groups of devices, each by itself: who belongs to one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from watchbell.store.base import can_hold, in_lots
from watchbell.store.devices import Device, DeviceGroup, DeviceGroupMember


def find_group(session: Session, group_id: int) -> DeviceGroup | None:
    """Return a group by its id, or None."""
    return session.get(DeviceGroup, group_id) if can_hold(group_id) else None


def count_members(session: Session, group_id: int) -> int:
    """Return how many devices a group has."""
    statement = select(func.count()).select_from(DeviceGroupMember).where(DeviceGroupMember.group_id == group_id)
    return int(session.scalar(statement) or 0)


def count_online(session: Session, since: datetime, group_id: int | None = None) -> dict[int, int]:
    """Return of each group, or of one, how many of its devices are active and were heard of since a moment."""
    statement = (
        select(DeviceGroupMember.group_id, func.count())
        .join(Device, Device.id == DeviceGroupMember.device_id)
        .where(Device.is_active, Device.seen_at >= since)
        .group_by(DeviceGroupMember.group_id)
    )
    if group_id is not None:
        statement = statement.where(DeviceGroupMember.group_id == group_id)
    return {int(row[0]): int(row[1]) for row in session.execute(statement)}


def add_members(session: Session, group_id: int, device_ids: Sequence[int]) -> set[int]:
    """Let devices belong to a group; return the ids of those that have not before."""
    new = set(device_ids) - _members_among(session, group_id, device_ids)
    if new:
        rows = [{"group_id": group_id, "device_id": device_id} for device_id in sorted(new)]
        session.connection().execute(insert(DeviceGroupMember), rows)
    return new


def remove_members(session: Session, group_id: int, device_ids: Sequence[int]) -> set[int]:
    """Let devices not belong to a group any more; return the ids of those that have."""
    gone = _members_among(session, group_id, device_ids)
    for some in in_lots(sorted(gone)):
        chosen = (DeviceGroupMember.group_id == group_id, DeviceGroupMember.device_id.in_(some))
        session.connection().execute(delete(DeviceGroupMember).where(*chosen))
    return gone


def find_by_names(session: Session, names: Sequence[str]) -> dict[str, list[Device]]:
    """Return the devices of some names, by name; several may have the same."""
    found: dict[str, list[Device]] = {}
    for some in in_lots([name for name in names if can_hold(name)]):
        for device in session.scalars(select(Device).where(Device.name.in_(some)).order_by(Device.id)):
            found.setdefault(device.name, []).append(device)
    return found


def _members_among(session: Session, group_id: int, device_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for some in in_lots(device_ids):
        chosen = (DeviceGroupMember.group_id == group_id, DeviceGroupMember.device_id.in_(some))
        found.update(session.scalars(select(DeviceGroupMember.device_id).where(*chosen)))
    return found
