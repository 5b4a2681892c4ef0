"""Groups of devices, each by itself: making and changing one, who belongs to it, and what counts on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.errors import Conflict, InputError, NotFound, Problem
from watchbell.services import audit, devices, joining
from watchbell.store import device_groups as store
from watchbell.store import device_lists as list_store
from watchbell.store import devices as device_store
from watchbell.store import fleet_jobs as job_store
from watchbell.store import fleet_schedules as schedule_store
from watchbell.store.base import can_hold
from watchbell.store.devices import Device, DeviceGroup
from watchbell.store.session import Database, Session

DESCRIPTION_LIMIT = 500
#: So many lines are read of devices that are to belong to a group.
MOST_NAMED = 1000
_TOLD = 10


@dataclasses.dataclass(frozen=True, slots=True)
class GroupView:
    """A group as people see it."""

    group: DeviceGroup
    devices: int
    #: Of these, how many may take part and were heard of lately.
    online: int


def list_all(db: Database, *, now: datetime) -> list[GroupView]:
    """Return all groups by name, each with how many devices it has."""
    with db.read() as session:
        online = store.count_online(session, now - DEVICE_ONLINE)
        return [GroupView(one, count, online.get(one.id, 0)) for one, count in device_store.list_groups(session)]


def get(db: Database, group_id: int, *, now: datetime) -> GroupView:
    """Return a group; raises NotFound."""
    with db.read() as session:
        group = _require(session, group_id)
        online = store.count_online(session, now - DEVICE_ONLINE, group.id)
        return GroupView(group, store.count_members(session, group.id), online.get(group.id, 0))


def list_uses(db: Database, group_id: int) -> list[str]:
    """Return the names of what reaches devices by this group from now on: schedules, and orders that take in those that join."""
    with db.read() as session:
        return _uses(session, _require(session, group_id).name)


def create(db: Database, name: str, *, description: str = "", now: datetime, actor: str) -> DeviceGroup:
    """Make an empty group; raises InputError, and Conflict for a name that is taken."""
    name = _name(name)
    with db.write() as session:
        if device_store.find_group(session, name) is not None:
            raise Conflict(f"there is a group {name!r} already")
        group = DeviceGroup(name=name, description=_description(description), created_by=actor, created_at=now)
        session.add(group)
        session.flush()
        _note(session, "create", group, now=now, actor=actor)
        return group


def change(db: Database, group_id: int, *, name: str, description: str, now: datetime, actor: str) -> DeviceGroup:
    """Give a group another name or description.

    Raises NotFound, InputError, and Conflict for a name that is taken, and for one that schedules or open orders name: they
    would reach nobody.
    """
    name = _name(name)
    with db.write() as session:
        group = _require(session, group_id)
        if name != group.name:
            if device_store.find_group(session, name) is not None:
                raise Conflict(f"there is a group {name!r} already")
            uses = _uses(session, group.name)
            if uses:
                raise Conflict(f"it cannot be renamed while it is named by {', '.join(uses[:_TOLD])}")
        before = group.name
        group.name, group.description = name, _description(description)
        session.flush()
        _note(session, "change", group, now=now, actor=actor, **({"before": before} if before != name else {}))
        return group


def delete(db: Database, group_id: int, *, now: datetime, actor: str) -> DeviceGroup:
    """Delete a group and return it as it was; its devices stay. Raises NotFound, and Conflict as ``change`` does."""
    with db.write() as session:
        group = _require(session, group_id)
        _delete(session, group, now=now, actor=actor)
        return group


def delete_named(db: Database, name: str, *, now: datetime, actor: str) -> None:
    """Delete the group of a name, as ``delete`` does."""
    with db.write() as session:
        group = device_store.find_group(session, name)
        if group is None:
            raise NotFound(f"there is no group {name[: devices.NAME_LIMIT]!r}")
        _delete(session, group, now=now, actor=actor)


def add(db: Database, group_id: int, device_ids: Sequence[int], *, now: datetime, actor: str) -> set[int]:
    """Let devices belong to a group and return the ids of those that have not before; raises NotFound."""
    with db.write() as session:
        group = _require(session, group_id)
        found = list_store.list_by_ids(session, list(dict.fromkeys(device_ids)))
        return _add(session, group, found, now=now, actor=actor)


def add_named(db: Database, group_id: int, names: Sequence[str], *, now: datetime, actor: str) -> int:
    """Let the devices of some uuids or names belong to a group and return how many are new to it.

    Raises NotFound, and InputError for a name that no device has, or more than one.
    """
    wanted = list(dict.fromkeys(filter(None, (name.strip() for name in names))))
    if not wanted:
        raise InputError.of("devices", "is required", "pi-kitchen")
    if len(wanted) > MOST_NAMED:
        raise InputError.of("devices", f"must be at most {MOST_NAMED} at a time")
    with db.write() as session:
        group = _require(session, group_id)
        return len(_add(session, group, _named(session, wanted), now=now, actor=actor))


def remove(db: Database, group_id: int, device_ids: Sequence[int], *, now: datetime, actor: str) -> set[int]:
    """Let devices not belong to a group any more and return the ids of those that have; raises NotFound."""
    with db.write() as session:
        group = _require(session, group_id)
        gone = store.remove_members(session, group.id, device_ids)
        if gone:
            _note(session, "change", group, now=now, actor=actor, removed=len(gone))
        return gone


def require_named(db: Database, name: str) -> DeviceGroup:
    """Return the group of a name; raises InputError."""
    with db.read() as session:
        found = device_store.find_group(session, name)
        if found is None:
            raise InputError.of("group", "is no group here")
        return found


def set_of(db: Database, uuid: str, names: Sequence[str], *, now: datetime, actor: str) -> None:
    """Let a device belong to these groups and no others; raises NotFound, and InputError for a group that is not there."""
    with db.write() as session:
        within = db.within(session)
        device = devices.require(session, uuid)
        before = set(list_store.groups_of(session, [device.id])[device.id])
        for name in sorted(set(names) - before):
            add(within, require_named(within, name).id, [device.id], now=now, actor=actor)
        for name in sorted(before - set(names)):
            remove(within, require_named(within, name).id, [device.id], now=now, actor=actor)


def _add(session: Session, group: DeviceGroup, found: Sequence[Device], *, now: datetime, actor: str) -> set[int]:
    new = store.add_members(session, group.id, [device.id for device in found])
    if new:
        _note(session, "change", group, now=now, actor=actor, added=len(new))
        for device in found:
            if device.id in new:
                joining.take_in(session, device, now=now)
    return new


def _named(session: Session, wanted: Sequence[str]) -> list[Device]:
    """Return the devices of some uuids or names."""
    by_uuid = device_store.find_many(session, [name.lower() for name in wanted if can_hold(name)])
    by_name = store.find_by_names(session, [name for name in wanted if name.lower() not in by_uuid])
    problems, found = [], []
    for name in wanted:
        those = [by_uuid[name.lower()]] if name.lower() in by_uuid else by_name.get(name, [])
        if len(those) == 1:
            found += those
        else:
            words = "is the name of more than one device; give its UUID" if those else "is no device here"
            problems.append(Problem("devices", f"{name[:60]!r} {words}"))
    if problems:
        raise InputError(*problems[:_TOLD])
    return found


def _uses(session: Session, name: str) -> list[str]:
    schedules = schedule_store.list_schedules(session)
    found = [one.name for one in schedules if (one.target_filter or {}).get("group") == name]
    return found + [one.name for one in job_store.list_open(session) if (one.target_filter or {}).get("group") == name]


def _delete(session: Session, group: DeviceGroup, *, now: datetime, actor: str) -> None:
    uses = _uses(session, group.name)
    if uses:
        raise Conflict(f"it cannot be deleted while it is named by {', '.join(uses[:_TOLD])}")
    _note(session, "delete", group, now=now, actor=actor)
    session.delete(group)


def _require(session: Session, group_id: int) -> DeviceGroup:
    found = store.find_group(session, group_id)
    if found is None:
        raise NotFound(f"there is no group {group_id}")
    return found


def _name(text: str) -> str:
    name = text.strip()
    if not (0 < len(name) <= devices.NAME_LIMIT and name.isprintable()):
        raise InputError.of("name", f"must be 1 to {devices.NAME_LIMIT} printable characters long", "kitchens")
    return name


def _description(text: str) -> str:
    if len(text.strip()) > DESCRIPTION_LIMIT or not text.strip().isprintable():
        raise InputError.of("description", f"must be at most {DESCRIPTION_LIMIT} printable characters long")
    return text.strip()


def _note(session: Session, deed: str, group: DeviceGroup, *, now: datetime, actor: str, **said: object) -> None:
    subject = f"device_group:{group.name}"
    audit.note(session, f"device_group.{deed}", subject, now=now, actor=actor, name=group.name, detail=said)
