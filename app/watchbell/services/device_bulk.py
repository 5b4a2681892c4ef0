"""Doing one thing with many devices, with each as far as it can be done, and telling what was refused and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import device_groups, devices
from watchbell.services.bulk import UNCHANGED
from watchbell.services.bulk_parts import Part, lots, unheard
from watchbell.store import device_lists as list_store
from watchbell.store import devices as store
from watchbell.store.devices import Device
from watchbell.store.session import Database, Session


class DeviceAction(StrEnum):
    """What is done with each device."""

    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    GROUP = "group"
    """Lets it belong to a group."""
    UNGROUP = "ungroup"
    TAG = "tag"
    """Adds tags to those that it has; one of the same key is replaced."""
    UNTAG = "untag"
    """Takes away the tags of some keys."""
    DELETE = "delete"


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceOrder:
    """What is to be done."""

    action: DeviceAction
    #: The group that is meant.
    group_id: int | None = None
    #: The tags that are added.
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: The keys of those that are taken away.
    keys: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    db: Database
    session: Session
    order: DeviceOrder
    now: datetime
    actor: str


def change_devices(
    db: Database,
    order: DeviceOrder,
    names: Mapping[int, str],
    *,
    now: datetime,
    actor: str,
    tell: Callable[[int], None] = unheard,
) -> list[Part]:
    """Do it with each of some devices, given by their ids and names, and return what has become of each.

    Devices that are not there any more are left out. ``tell`` is given how many of them are through.
    """
    done: list[Part] = []
    for lot in lots(list(names)):
        tell(len(done))
        with db.write() as session:
            work = _Work(db.within(session), session, order, now, actor)
            found = list_store.list_by_ids(session, lot)
            if order.action in {DeviceAction.GROUP, DeviceAction.UNGROUP}:
                done += _regroup(work, found)
            else:
                done += [_change(work, device) for device in found]
    return done


def _change(work: _Work, device: Device) -> Part:
    number, name = device.id, device.name
    try:
        return Part(number, name, _ACTIONS[work.order.action](work, device))
    except (Conflict, InputError, NotFound) as error:
        # What refuses has written nothing.
        return Part(number, name, "", error.message)


def _regroup(work: _Work, found: Sequence[Device]) -> list[Part]:
    """Change the members of a group once for all of them, so that the audit says it once."""
    assert work.order.group_id is not None
    is_in = work.order.action is DeviceAction.GROUP
    change = device_groups.add if is_in else device_groups.remove
    ids = [device.id for device in found]
    changed = change(work.db, work.order.group_id, ids, now=work.now, actor=work.actor)
    word = "grouped" if is_in else "ungrouped"
    return [Part(device.id, device.name, word if device.id in changed else UNCHANGED) for device in found]


def _activate(work: _Work, device: Device) -> str:
    return _set_active(work, device, is_active=True)


def _deactivate(work: _Work, device: Device) -> str:
    return _set_active(work, device, is_active=False)


def _set_active(work: _Work, device: Device, *, is_active: bool) -> str:
    if device.is_active is is_active:
        return UNCHANGED
    devices.set_active(work.db, device.uuid, is_active, now=work.now, actor=work.actor)
    return "activated" if is_active else "deactivated"


def _tag(work: _Work, device: Device) -> str:
    before = store.tags_of(work.session, [device.id])[device.id]
    return _set_tags(work, device, before, {**before, **work.order.tags}, "tagged")


def _untag(work: _Work, device: Device) -> str:
    before = store.tags_of(work.session, [device.id])[device.id]
    after = {key: value for key, value in before.items() if key not in work.order.keys}
    return _set_tags(work, device, before, after, "untagged")


def _set_tags(work: _Work, device: Device, before: Mapping[str, str], after: Mapping[str, str], outcome: str) -> str:
    if before == after:
        return UNCHANGED
    devices.set_tags(work.db, device.uuid, after, now=work.now, actor=work.actor)
    return outcome


def _delete(work: _Work, device: Device) -> str:
    devices.delete(work.db, device.uuid, now=work.now, actor=work.actor)
    return "deleted"


_ACTIONS: dict[DeviceAction, Callable[[_Work, Device], str]] = {
    DeviceAction.ACTIVATE: _activate,
    DeviceAction.DEACTIVATE: _deactivate,
    DeviceAction.TAG: _tag,
    DeviceAction.UNTAG: _untag,
    DeviceAction.DELETE: _delete,
}
