"""Devices, their tags and groups, and every query about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    Select,
    UniqueConstraint,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from watchbell.store.base import Base, can_hold, in_lots


class Device(Base):
    """A managed machine."""

    __tablename__ = "device"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    type: Mapped[str] = mapped_column(default="gateway")
    #: One that is not may neither ask for jobs nor is meant by any.
    is_active: Mapped[bool] = mapped_column(default=False)
    #: SHA-256 of the secret by which it says who it is; None while it has none.
    key_hash: Mapped[str | None] = mapped_column(unique=True)
    key_prefix: Mapped[str] = mapped_column(default="")
    #: What the signatures for it are made with, besides the server's own secret; None for one that has joined by no code.
    signing_salt: Mapped[str | None]
    #: When it was last heard of, and from where.
    seen_at: Mapped[datetime | None]
    seen_from: Mapped[str] = mapped_column(default="")
    ip_address: Mapped[str] = mapped_column(default="")
    mac_address: Mapped[str] = mapped_column(default="")
    os_version: Mapped[str] = mapped_column(default="")
    agent_version: Mapped[str] = mapped_column(default="")
    zone: Mapped[str] = mapped_column(default="")
    #: What it tells of itself besides, such as its load and its memory.
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    facts_at: Mapped[datetime | None]
    provisioning_state: Mapped[str] = mapped_column(default="pending")
    #: Which process of its agent asks, by the number that the process has drawn, since when, and the number of its last
    #: request that was given anything.
    incarnation: Mapped[str] = mapped_column(default="", server_default=text("''"))
    incarnation_at: Mapped[datetime | None]
    poll_seq: Mapped[int] = mapped_column(default=0, server_default="0")
    #: Of the newest assignment that it was given.
    last_fence: Mapped[int] = mapped_column(default=0, server_default="0")
    #: The schedules that it said last that it carries, each with its version, as one text.
    carried_mark: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: Since when two agents have shown its credentials, and from where the second did; None while that is not so.
    conflict_at: Mapped[datetime | None]
    conflict_from: Mapped[str] = mapped_column(default="", server_default=text("''"))
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class DeviceTag(Base):
    """A word about a device, under a key."""

    __tablename__ = "device_tag"
    __table_args__ = (Index("ix_device_tag_key_value", "key", "value"),)

    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class DeviceGroup(Base):
    """A set of devices under a name."""

    __tablename__ = "device_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


class DeviceGroupMember(Base):
    """One device of a group."""

    __tablename__ = "device_group_member"
    __table_args__ = (UniqueConstraint("device_id", "group_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey("device_group.id", ondelete="CASCADE"), primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), primary_key=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """Which devices are asked for; what is None does not matter."""

    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    group: str | None = None
    is_active: bool | None = None
    #: Online is what was heard of since this moment.
    online_since: datetime | None = None
    is_online: bool | None = None
    ids: Collection[int] | None = None


#: The names that outsiders use -> our columns. Only what stands here can be asked for.
COLUMNS = {
    "uuid": Device.uuid,
    "device_name": Device.name,
    "device_type": Device.type,
    "ip_address": Device.ip_address,
    "mac_address": Device.mac_address,
    "os_version": Device.os_version,
    "agent_version": Device.agent_version,
    "zone": Device.zone,
    "provisioning_state": Device.provisioning_state,
}


def _filtered(statement: Select[Any], chosen: Chosen) -> Select[Any]:
    for name, value in chosen.attributes.items():
        statement = statement.where(COLUMNS[name] == value)
    for key, value in chosen.tags.items():
        tag = exists().where(DeviceTag.device_id == Device.id, DeviceTag.key == key, DeviceTag.value == value)
        statement = statement.where(tag)
    if chosen.group is not None:
        member = and_(DeviceGroupMember.group_id == DeviceGroup.id, DeviceGroupMember.device_id == Device.id)
        statement = statement.where(exists().where(member, DeviceGroup.name == chosen.group))
    if chosen.is_active is not None:
        statement = statement.where(Device.is_active.is_(chosen.is_active))
    if chosen.is_online is True:
        statement = statement.where(Device.seen_at >= chosen.online_since)
    if chosen.is_online is False:
        statement = statement.where(or_(Device.seen_at.is_(None), Device.seen_at < chosen.online_since))
    if chosen.ids is not None:
        statement = statement.where(Device.id.in_(chosen.ids))
    return statement


def find_device(session: Session, uuid: str, *, lock: bool = False) -> Device | None:
    """Return a device, or None; whoever else locks it waits until this transaction is over."""
    if not can_hold(uuid):
        return None
    statement = select(Device).where(Device.uuid == uuid)
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def find_many(session: Session, uuids: Sequence[str]) -> dict[str, Device]:
    """Return those of some devices that are there, by uuid."""
    found: dict[str, Device] = {}
    for some in in_lots(uuids):
        found.update({one.uuid: one for one in session.scalars(select(Device).where(Device.uuid.in_(some)))})
    return found


def list_chosen(session: Session, chosen: Chosen, *, with_facts: bool = True) -> Sequence[Device]:
    """Return the devices that are chosen, in the order in which they were made, all of what they tell of themselves or not."""
    statement = _filtered(select(Device), chosen).order_by(Device.id)
    return session.scalars(statement if with_facts else statement.options(defer(Device.facts, raiseload=True))).all()


def list_page(session: Session, chosen: Chosen, *, limit: int, offset: int) -> Sequence[Device]:
    """Return some of the devices that are chosen, by name."""
    statement = _filtered(select(Device), chosen).order_by(func.lower(Device.name), Device.id)
    return session.scalars(statement.limit(limit).offset(offset)).all()


def list_pending(session: Session) -> Sequence[Device]:
    """Return the devices that have never been let take part, in the order in which they were made."""
    statement = select(Device).where(Device.is_active.is_(False), Device.provisioning_state == "pending")
    return session.scalars(statement.order_by(Device.id)).all()


def list_conflicts(session: Session) -> Sequence[Device]:
    """Return the devices whose credentials two agents have shown, the first one first."""
    return session.scalars(select(Device).where(Device.conflict_at.is_not(None)).order_by(Device.conflict_at)).all()


def count(session: Session, chosen: Chosen) -> int:
    """Return how many devices are chosen."""
    return int(session.scalar(_filtered(select(func.count()).select_from(Device), chosen)) or 0)


def delete_device(session: Session, device: Device) -> None:
    """Delete a device with its tags, its memberships and its part in every job."""
    session.connection().execute(delete(Device).where(Device.id == device.id))
    session.expunge(device)


def tags_of(session: Session, device_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return the tags of some devices."""
    found: dict[int, dict[str, str]] = {device_id: {} for device_id in device_ids}
    for start in range(0, len(device_ids), 500):
        statement = select(DeviceTag).where(DeviceTag.device_id.in_(device_ids[start : start + 500]))
        for tag in session.scalars(statement.order_by(DeviceTag.key)):
            found[tag.device_id][tag.key] = tag.value
    return found


def put_tags(session: Session, device_id: int, tags: Mapping[str, str]) -> None:
    """Give a device these tags in place of those that it had."""
    session.connection().execute(delete(DeviceTag).where(DeviceTag.device_id == device_id))
    if tags:
        rows = [{"device_id": device_id, "key": key, "value": value} for key, value in tags.items()]
        session.connection().execute(insert(DeviceTag), rows)


def find_group(session: Session, name: str) -> DeviceGroup | None:
    """Return a group, or None."""
    return (
        session.scalars(select(DeviceGroup).where(DeviceGroup.name == name)).one_or_none() if can_hold(name) else None
    )


def list_groups(session: Session) -> Sequence[tuple[DeviceGroup, int]]:
    """Return all groups by name, each with how many devices it has."""
    members = func.count(DeviceGroupMember.device_id)
    statement = select(DeviceGroup, members).outerjoin(DeviceGroupMember, DeviceGroupMember.group_id == DeviceGroup.id)
    rows = session.execute(statement.group_by(DeviceGroup.id).order_by(DeviceGroup.name))
    return [(row[0], int(row[1])) for row in rows]


def add_member(session: Session, group_id: int, device_id: int) -> None:
    """Let a group be of one more device, which is not in it yet."""
    session.add(DeviceGroupMember(group_id=group_id, device_id=device_id))


def put_members(session: Session, group_id: int, device_ids: Collection[int]) -> None:
    """Let a group be of these devices and no others."""
    session.connection().execute(delete(DeviceGroupMember).where(DeviceGroupMember.group_id == group_id))
    if device_ids:
        rows = [{"group_id": group_id, "device_id": device_id} for device_id in sorted(device_ids)]
        session.connection().execute(insert(DeviceGroupMember), rows)
