"""How devices join: a code that one device uses once, soon after it was made, in exchange for credentials of its own.

A page makes a code with ``create`` and shows its secret, which is told this once, with the line that joins a device:
``watchbell agent run --url URL --enroll CODE``. It lists codes with ``list_all``, newest first and each with its state and
the device that has joined with it, and takes one back with ``revoke``. Devices that wait until somebody lets them take
part are those of ``list_pending``; ``devices.set_active`` lets one in, and ``devices.delete`` turns it away.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
import uuid as uuids
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from watchbell.domain.fleet_targets import read_tags
from watchbell.errors import Conflict, InputError, NotAllowed, NotFound
from watchbell.services import audit, devices, joining
from watchbell.store import devices as device_store
from watchbell.store import enrolments as store
from watchbell.store.devices import Device, DeviceGroup
from watchbell.store.enrolments import EnrolmentCode
from watchbell.store.session import Database, Session

#: How long a code can be used when nothing else is said, and the shortest and longest that can be said.
DEFAULT_LIFETIME = timedelta(hours=1)
SHORTEST_LIFETIME = timedelta(minutes=1)
LONGEST_LIFETIME = timedelta(days=7)
#: So many codes can be open at a time; more than this are forgotten ones.
MOST_OPEN = 1000
#: Codes that were used, revoked or have expired stand in the list for so long.
KEPT = timedelta(days=90)
_MARK = "wbe_"
# 128 bits, of which a list shows 24: what is left cannot be guessed within the life of a code.
_RANDOM_BYTES = 16
_SHOWN = len(_MARK) + 6
_CODE = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
_SALT_BYTES = 16


class EnrolmentRefused(NotAllowed):
    """This enrolment code is not valid."""

    code = "enrolment_refused"


class CodeState(StrEnum):
    """Whether a device can join with a code."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """An enrolment code as people see it, at the time of the look."""

    id: int
    #: How the code begins; all of it is known to nobody but whoever it was shown to.
    prefix: str
    state: CodeState
    #: What the device gets on joining; an empty name is the one that the device has for itself.
    name: str
    group: str
    tags: Mapping[str, str]
    needs_approval: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_from: str
    #: The device that has joined with it; None before that, and once it was deleted.
    device_uuid: str | None
    device_name: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class NewCode:
    """A code that was just made, with its secret, which is stored nowhere and told this once."""

    secret: str
    code: Code


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """What a device gets for its code: who it is from now on, and by what it proves that."""

    uuid: str
    name: str
    #: Its key, which is told this once.
    key: str
    #: What the signatures for it are made with, besides the server's own secret.
    signing_salt: str
    #: Whether it may take part at once; otherwise it waits until somebody lets it.
    is_active: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A device that has joined and waits until somebody lets it take part."""

    device: Device
    #: The code with which it has joined; None for one that somebody has made by hand.
    code_prefix: str | None
    joined_at: datetime
    joined_from: str


def create(
    db: Database,
    *,
    name: str = "",
    group: str = "",
    tags: object = None,
    needs_approval: bool = False,
    lifetime: timedelta = DEFAULT_LIFETIME,
    now: datetime,
    actor: str,
) -> NewCode:
    """Make a code for one device, which gets this name, group and tags when it joins.

    Raises InputError for what no device can have, a group that is not there and a lifetime out of bounds, and Conflict when
    too many codes are open.
    """
    name, given = name.strip(), read_tags(tags if tags is not None else {})
    if name:
        devices.check({"name": name})
    if len(given) > devices.MOST_TAGS:
        raise InputError.of("tags", f"must be at most {devices.MOST_TAGS}")
    if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
        raise InputError.of("expires", "must be a minute to 7 days", "1h")
    secret = _MARK + secrets.token_hex(_RANDOM_BYTES)
    with db.write() as session:
        if group and device_store.find_group(session, group) is None:
            raise InputError.of("group", f"is no group here: {group[:60]!r}; make the group first")
        store.forget_ended(session, now - KEPT)
        if store.count_open(session, now) >= MOST_OPEN:
            raise Conflict(f"{MOST_OPEN} enrolment codes are open already; revoke what nobody will use")
        row = EnrolmentCode(
            code_hash=_hash_of(secret), prefix=secret[:_SHOWN], name=name, group_name=group, tags=given,
            needs_approval=needs_approval, created_by=actor, created_at=now, expires_at=now + lifetime,
        )  # fmt: skip
        session.add(row)
        session.flush()
        said: dict[str, Any] = {"prefix": row.prefix, "group": group, "tags": given, "needs_approval": needs_approval}
        _note(session, "create", row, now=now, actor=actor, expires_at=row.expires_at, **said)
        return NewCode(secret, _view(row, None, now))


def list_all(db: Database, *, now: datetime) -> list[Code]:
    """Return all codes that are kept, newest first."""
    with db.read() as session:
        return [_view(row, device, now) for row, device in store.list_codes(session)]


def find(db: Database, reference: str, *, now: datetime) -> Code:
    """Return the code of an id, or that is shown by this beginning, the newest of several; raises NotFound."""
    for one in list_all(db, now=now):
        if reference in {str(one.id), one.prefix}:
            return one
    raise NotFound(f"there is no enrolment code {reference[:60]!r}")


def revoke(db: Database, code_id: int, *, now: datetime, actor: str) -> Code:
    """Take a code back, with which nobody can join from now on; raises NotFound, and Conflict for one that was used."""
    with db.write() as session:
        row = store.find_by_id(session, code_id)
        if row is None:
            raise NotFound("there is no such enrolment code")
        if row.used_at is not None:
            raise Conflict("a device has joined with this code already; revoke the key of that device instead")
        if row.revoked_at is None:
            row.revoked_at = now
            _note(session, "revoke", row, now=now, actor=actor, prefix=row.prefix)
        return _view(row, None, now)


def list_pending(db: Database) -> list[Pending]:
    """Return the devices that wait until somebody lets them take part, in the order in which they came."""
    with db.read() as session:
        waiting = device_store.list_pending(session)
        codes = store.find_of_devices(session, [device.id for device in waiting])
        return [_pending(device, codes.get(device.id)) for device in waiting]


def join(db: Database, code: str, *, hostname: str = "", now: datetime, address: str = "") -> Joined:
    """Let a device join with a code, which is used up by that.

    ``hostname`` is what the device calls itself, and its name if the code has none. Raises EnrolmentRefused with what is
    wrong with a code that was one, and in general words for any other.
    """
    secret, salt = devices.new_secret(), secrets.token_hex(_SALT_BYTES)
    with db.write() as session:
        row = store.find_code(session, _hash_of(code)) if _CODE.fullmatch(code) else None
        _refuse_unusable(row, now)
        assert row is not None
        device = Device(
            uuid=str(uuids.uuid4()), name=row.name or _readable(hostname), is_active=not row.needs_approval,
            provisioning_state="pending" if row.needs_approval else "provisioned", key_hash=devices.hash_of(secret),
            key_prefix=devices.shown_of(secret), signing_salt=salt, seen_at=now, seen_from=address[:64],
            created_at=now, modified_at=now,
        )  # fmt: skip
        session.add(device)
        session.flush()
        device_store.put_tags(session, device.id, row.tags)
        group = device_store.find_group(session, row.group_name) if row.group_name else None
        if group is not None:
            device_store.add_member(session, group.id, device.id)
        row.used_at, row.used_from, row.device_id = now, address[:64], device.id
        _note_joined(session, row, device, group, now=now)
        session.flush()
        joining.take_in(session, device, now=now)
        return Joined(device.uuid, device.name, secret, salt, device.is_active)


def note_refused(db: Database, code: str, reason: str, *, now: datetime) -> None:
    """Write down that somebody was refused; of what was given only the beginning is kept, and that only of a code."""
    shown = code[:_SHOWN] if _CODE.fullmatch(code) else ""
    audit.note_alone(db, "enrolment.refuse", f"enrolment:{shown}", now=now, actor="", name=shown, reason=reason)


def _refuse_unusable(row: EnrolmentCode | None, now: datetime) -> None:
    if row is None:
        raise EnrolmentRefused("this enrolment code is not known here")
    state = _state(row, now)
    if state is CodeState.USED:
        raise EnrolmentRefused("a device has joined with this enrolment code already; each is for one device")
    if state is not CodeState.OPEN:
        words = "has expired" if state is CodeState.EXPIRED else "was revoked"
        raise EnrolmentRefused(f"this enrolment code {words}; have a new one made")


def _note_joined(
    session: Session, row: EnrolmentCode, device: Device, group: DeviceGroup | None, *, now: datetime
) -> None:
    _note(session, "use", row, now=now, actor=device.uuid, name=device.name, device=device.uuid, by=row.created_by)
    said = {
        "prefix": row.prefix,
        "group": group.name if group is not None else "",
        "tags": row.tags,
        "is_active": device.is_active,
    }
    subject = f"device:{device.uuid}"
    audit.note(session, "device.enrol", subject, now=now, actor=device.uuid, name=device.name, detail=said)


def _note(
    session: Session, deed: str, row: EnrolmentCode, *, now: datetime, actor: str, name: str = "", **said: Any
) -> None:
    shown = name or row.name or row.prefix
    audit.note(session, f"enrolment.{deed}", f"enrolment:{row.prefix}", now=now, actor=actor, name=shown, detail=said)


def _state(row: EnrolmentCode, now: datetime) -> CodeState:
    if row.used_at is not None:
        return CodeState.USED
    if row.revoked_at is not None:
        return CodeState.REVOKED
    return CodeState.EXPIRED if row.expires_at <= now else CodeState.OPEN


def _view(row: EnrolmentCode, device: Device | None, now: datetime) -> Code:
    return Code(
        id=row.id, prefix=row.prefix, state=_state(row, now), name=row.name, group=row.group_name, tags=row.tags,
        needs_approval=row.needs_approval, created_by=row.created_by, created_at=row.created_at,
        expires_at=row.expires_at, used_at=row.used_at, used_from=row.used_from,
        device_uuid=device.uuid if device is not None else None,
        device_name=device.name if device is not None else None,
    )  # fmt: skip


def _pending(device: Device, code: EnrolmentCode | None) -> Pending:
    joined_from = code.used_from if code is not None else ""
    return Pending(device, code.prefix if code is not None else None, device.created_at, joined_from)


def _readable(hostname: str) -> str:
    """Return a name for a device from what it calls itself, which may be anything."""
    name = "".join(char for char in hostname if char.isprintable()).strip()[: devices.NAME_LIMIT]
    return name or "device"


def _hash_of(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
