"""What is looked at when a device asks and nothing is there for it, which is nearly always: one statement each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, or_, select, text, update

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.store.base import UTCDateTime, can_hold
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import ACTIVE_SQL, UNTOLD_SQL, DeviceJob
from watchbell.store.fleet_schedules import CARRIED_SQL, FleetSchedule
from watchbell.store.session import Session, is_embedded


@dataclasses.dataclass(frozen=True, slots=True)
class Asker:
    """A device that asks, and whether there is anything for it."""

    id: int
    uuid: str
    is_active: bool
    seen_at: datetime | None
    signing_salt: str | None
    incarnation: str
    poll_seq: int
    carried_mark: str
    is_in_conflict: bool
    #: Whether it may have something to do, or to stop, which it was not told yet.
    has_news: bool
    #: Whether any device is to carry schedules.
    is_any_carried: bool
    #: What orders choose it by of what it tells of itself.
    attributes: Mapping[str, str]


_ATTRIBUTES = ("os_version", "agent_version", "zone", "ip_address", "mac_address")
# Statements that are made once: what makes them anew for each request costs more than the database does.
_NEWS = or_(
    exists()
    .where(
        DeviceJob.device_id == Device.id,
        text("device_job." + ACTIVE_SQL),
        or_(DeviceJob.is_held.is_(False), DeviceJob.state == DeviceJobState.IN_PROGRESS.value),
        or_(DeviceJob.not_before.is_(None), DeviceJob.not_before <= bindparam("now", type_=UTCDateTime())),
    )
    .correlate(Device),
    exists().where(DeviceJob.device_id == Device.id, text(UNTOLD_SQL)).correlate(Device),
)
_ASKER: Any = select(
    Device.id,
    Device.uuid,
    Device.is_active,
    Device.seen_at,
    Device.signing_salt,
    Device.incarnation,
    Device.poll_seq,
    Device.carried_mark,
    Device.conflict_at.is_not(None),
    _NEWS,
    select(FleetSchedule.id).where(text(CARRIED_SQL)).exists(),
    *(getattr(Device, name) for name in _ATTRIBUTES),
)
_BY_UUID = _ASKER.where(Device.uuid == bindparam("who"))
_BY_KEY = _ASKER.where(Device.key_hash == bindparam("who"))
_DEVICE: Any = Device.__table__
_SEEN = (
    update(_DEVICE)
    .where(
        _DEVICE.c.id == bindparam("device_id"), or_(_DEVICE.c.seen_at.is_(None), _DEVICE.c.seen_at < bindparam("at"))
    )
    .values(seen_at=bindparam("at"), seen_from=bindparam("address"))
)
_FACTS = (
    update(_DEVICE)
    .where(
        _DEVICE.c.id == bindparam("device_id"), or_(_DEVICE.c.facts_at.is_(None), _DEVICE.c.facts_at < bindparam("at"))
    )
    .values(facts=bindparam("told"), facts_at=bindparam("at"))
)
_SEEN_BY_SERVER = text(
    "UPDATE device SET seen_at = one.at, seen_from = one.address "
    "FROM unnest(CAST(:device_id AS int[]), CAST(:at AS timestamptz[]), CAST(:address AS text[])) AS one (id, at, address) "
    "WHERE device.id = one.id AND (device.seen_at IS NULL OR device.seen_at < one.at)"
)
_FACTS_BY_SERVER = text(
    "UPDATE device SET facts = CAST(one.told AS json), facts_at = one.at "
    "FROM unnest(CAST(:device_id AS int[]), CAST(:at AS timestamptz[]), CAST(:told AS text[])) AS one (id, at, told) "
    "WHERE device.id = one.id AND (device.facts_at IS NULL OR device.facts_at < one.at)"
)


def find_asker(session: Session, uuid: str, now: datetime) -> Asker | None:
    """Return a device that asks, or None if there is no such device."""
    return _find(session, _BY_UUID, uuid, now) if can_hold(uuid) else None


def find_by_key(session: Session, key_hash: str, now: datetime) -> Asker | None:
    """Return the device whose key has this hash, or None."""
    return _find(session, _BY_KEY, key_hash, now)


def _find(session: Session, statement: Any, who: str, now: datetime) -> Asker | None:
    row = session.connection().execute(statement, {"who": who, "now": now}).one_or_none()
    if row is None:
        return None
    values: list[Any] = [*row[:8], *map(bool, row[8:11]), dict(zip(_ATTRIBUTES, row[11:], strict=True))]
    return Asker(*values)


def note_seen(session: Session, seen: list[dict[str, Any]]) -> None:
    """Note of devices, each ``device_id``, that they were heard of ``at`` a time, from an ``address``."""
    _write(session, _SEEN, _SEEN_BY_SERVER, seen)


def note_facts(session: Session, told: list[dict[str, Any]]) -> None:
    """Keep what devices, each ``device_id``, have ``told`` of their machines ``at`` a time, unless they told more later."""
    if not is_embedded(session):
        told = [{**one, "told": json.dumps(one["told"])} for one in told]
    _write(session, _FACTS, _FACTS_BY_SERVER, told)


def _write(session: Session, statement: Any, by_server: Any, rows: list[dict[str, Any]]) -> None:
    """Write rows: into the embedded database one by one, and to a server in one turn, so that others wait as briefly."""
    if is_embedded(session):
        session.connection().execute(statement, rows)
    else:
        session.connection().execute(by_server, {name: [row[name] for row in rows] for name in rows[0]})
