"""Lists of devices: which of them are asked for, in which order, and what is shown of many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from watchbell.domain.presence import PENDING_WORD, Standing
from watchbell.store.base import can_hold, in_lots, pattern
from watchbell.store.devices import Device, DeviceGroup, DeviceGroupMember, DeviceTag

#: What a list may be sorted by.
SORTS: dict[str, Any] = {
    "name": func.lower(Device.name),
    "seen": Device.seen_at,
    "type": func.lower(Device.type),
    "agent": Device.agent_version,
    "os": Device.os_version,
    "address": Device.ip_address,
    "zone": Device.zone,
    "made": Device.created_at,
}
_MOST_WORDS = 8
#: All that is searched of a device, looked at once for a word; no word goes over the end of a line.
_SEARCHED: Any = (
    Device.name + "\n" + Device.uuid + "\n" + Device.type + "\n" + Device.ip_address + "\n" + Device.mac_address
)
#: A tag as it is searched for and shown.
_TAG: Any = DeviceTag.key + "=" + DeviceTag.value


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """Which devices a list shows; the defaults show all."""

    #: Online is what was heard of since this moment.
    online_since: datetime
    #: Words that all have to be in its name, number, type, addresses or tags.
    search: str = ""
    standing: Standing | None = None
    #: Whether it may take part.
    is_active: bool | None = None
    group: str | None = None
    #: A key, or a key with its value as ``key=value``.
    tag: str | None = None
    type: str | None = None
    ids: Sequence[int] | None = None


def list_page(
    session: Session, chosen: Listed, *, sort: str, descending: bool, limit: int, offset: int = 0
) -> tuple[list[Device], int]:
    """Return some of the devices that are chosen, in an order of SORTS, and how many are chosen.

    Those that have nothing there come last.
    """
    # Of those that are not on the page nothing but their ids is carried along while they are sorted and counted.
    statement: Any = select(Device.id, func.count().over())
    rows = session.execute(_ordered(_filtered(statement, chosen), sort, descending).limit(limit).offset(offset)).all()
    # Behind the last of them there is no row that could tell the number.
    total = int(rows[0][1]) if rows else count(session, chosen)
    return list_by_ids(session, [row[0] for row in rows]), total


def list_ids(session: Session, chosen: Listed, *, sort: str, descending: bool) -> Sequence[int]:
    """Return the ids of all devices that are chosen, in an order of SORTS."""
    return session.scalars(_ordered(_filtered(select(Device.id), chosen), sort, descending)).all()


def list_by_ids(session: Session, device_ids: Sequence[int]) -> list[Device]:
    """Return those of some devices that are there, in the order of their ids as they are given."""
    found: dict[int, Device] = {}
    for some in in_lots(device_ids):
        found.update({one.id: one for one in session.scalars(select(Device).where(Device.id.in_(some)))})
    return [found[device_id] for device_id in device_ids if device_id in found]


def list_names(session: Session, chosen: Listed, limit: int) -> dict[int, str]:
    """Return the names of the devices that are chosen by their ids, by name, up to so many."""
    statement: Any = select(Device.id, Device.name)
    statement = _ordered(_filtered(statement, chosen), "name", descending=False)
    return {int(row[0]): str(row[1]) for row in session.execute(statement.limit(limit))}


def list_uuids(session: Session, chosen: Listed, limit: int) -> Sequence[str]:
    """Return the uuids of the devices that are chosen, by name, up to so many."""
    statement = _ordered(_filtered(select(Device.uuid), chosen), "name", descending=False)
    return session.scalars(statement.limit(limit)).all()


def count(session: Session, chosen: Listed) -> int:
    """Return how many devices are chosen."""
    return int(session.scalar(_filtered(select(func.count()).select_from(Device), chosen)) or 0)


def count_standings(session: Session, online_since: datetime) -> dict[Standing, int]:
    """Return how many devices stand in each way."""
    standing = select(_standing(online_since).label("standing")).subquery()
    statement = select(standing.c.standing, func.count()).group_by(standing.c.standing)
    return {Standing(row[0]): int(row[1]) for row in session.execute(statement)}


def groups_of(session: Session, device_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the groups of some devices, in order."""
    found: dict[int, list[str]] = {device_id: [] for device_id in device_ids}
    for some in in_lots(device_ids):
        statement = (
            select(DeviceGroupMember.device_id, DeviceGroup.name)
            .join(DeviceGroup, DeviceGroup.id == DeviceGroupMember.group_id)
            .where(DeviceGroupMember.device_id.in_(some))
        )
        for row in session.execute(statement.order_by(DeviceGroup.name)):
            found[row[0]].append(row[1])
    return found


def list_types(session: Session, limit: int) -> Sequence[str]:
    """Return the types that devices have, in order."""
    return session.scalars(select(Device.type).distinct().order_by(Device.type).limit(limit)).all()


def list_tags(session: Session, limit: int) -> Sequence[str]:
    """Return the tags that devices have as ``key=value``, in order."""
    pairs = select(DeviceTag.key, DeviceTag.value).distinct().order_by(DeviceTag.key, DeviceTag.value).limit(limit)
    return [f"{row[0]}={row[1]}" for row in session.execute(pairs)]


def find(session: Session, words: Sequence[str], limit: int) -> Sequence[Device]:
    """Return devices that have all words in what is searched of them, those that are called so first."""
    wanted = " ".join(words)
    small = func.lower(Device.name)
    nearness = case((small == wanted, 0), (small.like(pattern(wanted)[1:], escape="\\"), 1), else_=2)
    statement = select(Device)
    for word in words[:_MOST_WORDS]:
        statement = statement.where(_has(word))
    return session.scalars(statement.order_by(nearness, small, Device.id).limit(limit)).all()


def _ordered(statement: Select[Any], sort: str, descending: bool) -> Select[Any]:
    column = SORTS[sort]
    placed = (column.desc() if descending else column.asc()).nulls_last()
    return statement.order_by(placed, *([] if sort == "name" else [SORTS["name"]]), Device.id)


def _standing(online_since: datetime) -> Any:
    """Return ``domain.presence.standing`` as the database says it."""
    is_out = Device.is_active.is_(False)
    return case(
        (and_(is_out, Device.provisioning_state == PENDING_WORD), Standing.PENDING.value),
        (is_out, Standing.INACTIVE.value),
        (Device.seen_at.is_(None), Standing.NEVER.value),
        (Device.seen_at >= online_since, Standing.ONLINE.value),
        else_=Standing.OFFLINE.value,
    )


def _filtered(statement: Select[Any], chosen: Listed) -> Select[Any]:
    if not all(can_hold(text) for text in (chosen.search, chosen.group or "", chosen.tag or "", chosen.type or "")):
        return statement.where(Device.id < 0)
    if chosen.ids is not None:
        statement = statement.where(Device.id.in_(chosen.ids))
    if chosen.standing is not None:
        statement = statement.where(_standing(chosen.online_since) == chosen.standing.value)
    if chosen.is_active is not None:
        statement = statement.where(Device.is_active.is_(chosen.is_active))
    if chosen.group is not None:
        members = select(DeviceGroupMember.device_id).join(DeviceGroup, DeviceGroup.id == DeviceGroupMember.group_id)
        statement = statement.where(Device.id.in_(members.where(DeviceGroup.name == chosen.group)))
    if chosen.tag is not None:
        is_so = chosen.tag == _TAG if "=" in chosen.tag else DeviceTag.key == chosen.tag
        statement = statement.where(Device.id.in_(select(DeviceTag.device_id).where(is_so)))
    if chosen.type is not None:
        statement = statement.where(Device.type == chosen.type)
    for word in chosen.search.split()[:_MOST_WORDS]:
        statement = statement.where(_has(word))
    return statement


def _has(word: str) -> Any:
    """Return the condition that a word stands somewhere in what is searched of a device."""
    wanted = pattern(word)
    tagged = select(DeviceTag.device_id).where(_TAG.ilike(wanted, escape="\\"))
    return or_(_SEARCHED.ilike(wanted, escape="\\"), Device.id.in_(tagged))
