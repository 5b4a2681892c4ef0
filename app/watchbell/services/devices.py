"""Managed machines: making and changing them, their keys, tags and groups, and whether they are heard of."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import secrets
import uuid as uuids
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain.fleet_targets import Filter, read_tags
from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.errors import Conflict, InputError, NotFound, Problem, Unavailable
from watchbell.services import audit, joining
from watchbell.services.device_facts import FactsTold
from watchbell.services.tokens import TokenRefused
from watchbell.store import device_polls as poll_store
from watchbell.store import devices as store
from watchbell.store.device_polls import Asker
from watchbell.store.devices import Chosen, Device, DeviceGroup
from watchbell.store.session import Database, Session

#: How often it is written that a device was heard of.
SEEN_STEP = timedelta(seconds=30)
NAME_LIMIT = 255
MOST_TAGS = 50
_MARK = "wbd_"
_RANDOM_BYTES = 20
_SHOWN = len(_MARK) + 8
_SECRET = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:%a-z]{0,60}")
#: What may be changed of a device, under our names for it.
CHANGEABLE = ("name", "type", "ip_address", "mac_address", "os_version", "agent_version", "zone", "provisioning_state")


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as people see it."""

    device: Device
    tags: Mapping[str, str]
    is_online: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """That a device was heard of at a time, from an address."""

    device_id: int
    at: datetime
    address: str


def add(
    db: Database, fields: Mapping[str, Any], *, now: datetime, actor: str, uuid: str | None = None
) -> tuple[DeviceView, str]:
    """Make a device, which is not active yet, and return it with the secret of its key, which is told this once.

    Raises InputError, and Conflict for a uuid that is taken.
    """
    values = _checked(fields)
    if "name" not in values:
        raise InputError.of("name", "is required", "pi-kitchen")
    number = str(uuids.uuid4()) if uuid is None else _read_uuid(uuid)
    secret = new_secret()
    with db.write() as session:
        if store.find_device(session, number) is not None:
            raise Conflict(f"there is a device {number} already")
        device = Device(
            uuid=number, is_active=False, key_hash=hash_of(secret), key_prefix=shown_of(secret), created_at=now,
            modified_at=now, **values,
        )  # fmt: skip
        session.add(device)
        session.flush()
        _note(session, "create", device, now=now, actor=actor)
        return _view(session, device, now), secret


def get(db: Database, uuid: str, *, now: datetime) -> DeviceView:
    """Return a device; raises NotFound."""
    with db.read() as session:
        return _view(session, require(session, uuid), now)


def list_page(
    db: Database, *, now: datetime, is_active: bool | None, is_online: bool | None, page: int, limit: int
) -> tuple[list[DeviceView], int]:
    """Return a page of devices by name, and how many there are altogether."""
    chosen = Chosen(is_active=is_active, is_online=is_online, online_since=now - DEVICE_ONLINE)
    with db.read() as session:
        found = store.list_page(session, chosen, limit=limit, offset=(page - 1) * limit)
        return _views(session, found, now), store.count(session, chosen)


def find_chosen(db: Database, chosen: Filter, *, now: datetime) -> list[DeviceView]:
    """Return the active devices that a filter means."""
    with db.read() as session:
        return _views(session, store.list_chosen(session, as_chosen(chosen, now)), now)


def as_chosen(chosen: Filter, now: datetime, ids: Collection[int] | None = None) -> Chosen:
    """Return what the database is asked for a filter: active devices only."""
    return Chosen(
        chosen.attributes,
        chosen.tags,
        chosen.group,
        is_active=True,
        is_online=chosen.is_online,
        online_since=now - DEVICE_ONLINE,
        ids=ids,
    )


def update(db: Database, uuid: str, fields: Mapping[str, Any], *, now: datetime, actor: str) -> DeviceView:
    """Change what is given of a device and return it; raises NotFound and InputError."""
    values = _checked(fields)
    with db.write() as session:
        device = require(session, uuid, lock=True)
        for name, value in values.items():
            setattr(device, name, value)
        device.modified_at = now
        _note(session, "change", device, now=now, actor=actor, **values)
        session.flush()
        joining.take_in(session, device, now=now)
        return _view(session, device, now)


def set_active(db: Database, uuid: str, is_active: bool, *, now: datetime, actor: str) -> DeviceView:
    """Let a device take part, or not any more, and return it; raises NotFound."""
    with db.write() as session:
        device = require(session, uuid, lock=True)
        device.is_active = is_active
        _note(session, "activate" if is_active else "deactivate", device, now=now, actor=actor)
        if is_active and device.provisioning_state == "pending":
            device.provisioning_state = "provisioned"
        device.modified_at = now
        session.flush()
        joining.take_in(session, device, now=now)
        return _view(session, device, now)


def set_tags(db: Database, uuid: str, tags: object, *, now: datetime, actor: str) -> DeviceView:
    """Give a device these tags in place of those that it had; raises NotFound and InputError."""
    given = read_tags(tags)
    if len(given) > MOST_TAGS:
        raise InputError.of("tags", f"must be at most {MOST_TAGS}")
    with db.write() as session:
        device = require(session, uuid, lock=True)
        store.put_tags(session, device.id, given)
        _note(session, "tag", device, now=now, actor=actor, tags=given)
        device.modified_at = now
        session.flush()
        joining.take_in(session, device, now=now)
        return _view(session, device, now)


def delete(db: Database, uuid: str, *, now: datetime, actor: str) -> None:
    """Delete a device with all that it has done; raises NotFound."""
    with db.write() as session:
        device = require(session, uuid, lock=True)
        _note(session, "delete", device, now=now, actor=actor)
        joining.leave(session, device, now=now)


def rotate_key(db: Database, uuid: str, *, now: datetime, actor: str) -> str:
    """Give a device another key and return its secret; the old one is dead at once. Raises NotFound."""
    secret = new_secret()
    with db.write() as session:
        device = require(session, uuid, lock=True)
        device.key_hash, device.key_prefix, device.modified_at = hash_of(secret), shown_of(secret), now
        # Nobody has the new one yet, so that no two can.
        device.conflict_at, device.conflict_from, device.incarnation, device.poll_seq = None, "", "", 0
        _note(session, "key", device, now=now, actor=actor, prefix=device.key_prefix)
    return secret


def revoke_key(db: Database, uuid: str, *, now: datetime, actor: str) -> None:
    """Take the key from a device, which opens nothing from now on; raises NotFound."""
    with db.write() as session:
        device = require(session, uuid, lock=True)
        device.key_hash, device.key_prefix, device.modified_at = None, "", now
        _note(session, "revoke", device, now=now, actor=actor)


def find_by_key(db: Database, digest: str, *, now: datetime) -> Asker | None:
    """Return the device whose key has this hash, or None."""
    with db.glance() as session:
        return poll_store.find_by_key(session, digest, now)


def resolve(
    db: Database,
    secret: str,
    *,
    now: datetime,
    address: str = "",
    note: Callable[[Database, Sighting], None] | None = None,
) -> Asker:
    """Return the device whose key this is and let it be noted that it was heard of; raises TokenRefused."""
    if _SECRET.fullmatch(secret) is None:
        raise TokenRefused("this is not the key of a device of this server")
    found = find_by_key(db, hash_of(secret), now=now)
    if found is None:
        raise TokenRefused("this key is not known here")
    if _is_news(found.seen_at, now):
        (note or note_one)(db, Sighting(found.id, now, address))
    return found


def _is_news(seen_at: datetime | None, now: datetime) -> bool:
    """Return whether it is worth a write that a device was heard of."""
    return seen_at is None or now - seen_at >= SEEN_STEP


def note_one(db: Database, seen: Sighting) -> None:
    """Note that a device was heard of."""
    # A database that is locked keeps no device waiting; its next request notes it.
    with contextlib.suppress(Unavailable), db.write(wait=False) as session:
        poll_store.note_seen(session, [_row(seen)])


def note_many(db: Database, seen: Sequence[Sighting], told: Sequence[FactsTold]) -> None:
    """Note that devices were heard of, and what they tell of themselves, in one transaction; raises Unavailable."""
    if not seen and not told:
        return
    with db.write() as session:
        if seen:
            poll_store.note_seen(session, [_row(one) for one in seen])
        if told:
            rows = [{"device_id": one.device_id, "at": one.at, "told": dict(one.facts)} for one in told]
            poll_store.note_facts(session, rows)


def _row(seen: Sighting) -> dict[str, object]:
    return {"device_id": seen.device_id, "at": seen.at, "address": seen.address[:64]}


def touch(db: Database, uuid: str, *, now: datetime, address: str) -> None:
    """Note that a device was heard of that has not shown a key; one that is not there is nobody's."""
    with db.read() as session:
        device = store.find_device(session, uuid.lower())
    if device is not None and _is_news(device.seen_at, now):
        note_one(db, Sighting(device.id, now, address))


def looks_like_key(text: str) -> bool:
    """Return whether a text begins as a device's key does."""
    return text.startswith(_MARK)


def has_key(text: str) -> bool:
    """Return whether a device's key stands somewhere in a text."""
    return _SECRET.search(text) is not None


def put_group(
    db: Database, name: str, members: Sequence[str], *, description: str = "", now: datetime, actor: str
) -> DeviceGroup:
    """Make a group of these devices, or let it be of them; raises InputError for devices that are not there."""
    name = name.strip()
    if not (0 < len(name) <= NAME_LIMIT and name.isprintable()):
        raise InputError.of("name", f"must be 1 to {NAME_LIMIT} printable characters long", "kitchens")
    with db.write() as session:
        found = require_all(session, members, "devices")
        group = store.find_group(session, name)
        if group is None:
            group = DeviceGroup(name=name, description=description, created_by=actor, created_at=now)
            session.add(group)
        group.description = description
        session.flush()
        store.put_members(session, group.id, [device.id for device in found])
        said = {"devices": len(found)}
        audit.note(session, "device_group.change", f"device_group:{name}", now=now, actor=actor, name=name, detail=said)
        for device in found:
            joining.take_in(session, device, now=now)
        return group


def list_groups(db: Database) -> Sequence[tuple[DeviceGroup, int]]:
    """Return all groups by name, each with how many devices it has."""
    with db.read() as session:
        return store.list_groups(session)


def require(session: Session, uuid: str, *, lock: bool = False) -> Device:
    """Return a device; raises NotFound."""
    found = store.find_device(session, uuid.lower(), lock=lock)
    if found is None:
        raise NotFound("Device not found")
    return found


def require_all(session: Session, members: Sequence[str], place: str) -> list[Device]:
    """Return devices in the order of their uuids; raises InputError for one that is not there."""
    wanted = list(dict.fromkeys(uuid.lower() for uuid in members))
    found = store.find_many(session, wanted)
    missing = [uuid for uuid in wanted if uuid not in found]
    if missing:
        raise InputError(*(Problem(place, f"{uuid[:60]!r} is no device here") for uuid in missing[:10]))
    return [found[uuid] for uuid in wanted]


def hash_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """Return a key that no device has yet."""
    return _MARK + secrets.token_hex(_RANDOM_BYTES)


def shown_of(secret: str) -> str:
    """Return how a key begins, by which people recognise it."""
    return secret[:_SHOWN]


def check(fields: Mapping[str, Any]) -> None:
    """Raise InputError unless a device can have all of these."""
    _checked(fields)


def is_online(device: Device, now: datetime) -> bool:
    """Return whether a device was heard of lately."""
    return device.seen_at is not None and now - device.seen_at <= DEVICE_ONLINE


def _note(session: Session, deed: str, device: Device, *, now: datetime, actor: str, **said: Any) -> None:
    subject = f"device:{device.uuid}"
    audit.note(session, f"device.{deed}", subject, now=now, actor=actor, name=device.name, detail=said)


def _view(session: Session, device: Device, now: datetime) -> DeviceView:
    return _views(session, [device], now)[0]


def _views(session: Session, found: Sequence[Device], now: datetime) -> list[DeviceView]:
    tags = store.tags_of(session, [device.id for device in found])
    return [DeviceView(device, tags[device.id], is_online(device, now)) for device in found]


def _read_uuid(text: str) -> str:
    try:
        return str(uuids.UUID(text))
    except ValueError:
        raise InputError.of("uuid", "must be a UUID", "8479359e-dbeb-4858-813c-e8a9008dde04") from None


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given of a device, checked; raises InputError."""
    values = {name: fields[name] for name in CHANGEABLE if fields.get(name) is not None}
    problems = []
    for name, value in values.items():
        lowest = 1 if name in {"name", "type", "provisioning_state"} else 0
        if not lowest <= len(value.strip()) <= NAME_LIMIT or not value.isprintable():
            problems.append(Problem(name, f"must be {lowest} to {NAME_LIMIT} printable characters long"))
    wrong = [n for n in ("ip_address", "mac_address") if n in values and _ADDRESS.fullmatch(values[n]) is None]
    problems += [Problem(name, "must be an address") for name in wrong]
    if problems:
        raise InputError(*problems)
    return {name: value.strip() for name, value in values.items()}
