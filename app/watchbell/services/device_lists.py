"""Lists of devices: a page of them with what each is at, all of them in turn, and how many stand how."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from watchbell.domain import presence
from watchbell.domain.presence import DEVICE_ONLINE, Standing
from watchbell.errors import InputError
from watchbell.services import devices
from watchbell.store import device_history as history_store
from watchbell.store import device_lists as store
from watchbell.store import devices as device_store
from watchbell.store.device_history import JobLine
from watchbell.store.device_lists import SORTS, Listed
from watchbell.store.devices import Device
from watchbell.store.session import Database, Session

#: So many are read in one transaction of a walk.
_AT_ONCE = 500
_MOST_MARKS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices a list shows; the defaults show all."""

    search: str = ""
    standing: Standing | None = None
    group: str | None = None
    #: A key, or a key with its value as ``key=value``.
    tag: str | None = None
    type: str | None = None
    ids: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device as a row of a list."""

    device: Device
    standing: Standing
    tags: Mapping[str, str]
    groups: Sequence[str]
    #: What it is at, else the newest job that it has had.
    job: JobLine | None


@dataclasses.dataclass(frozen=True, slots=True)
class DevicePage:
    """A page of a list."""

    lines: Sequence[DeviceLine]
    #: How many devices there are, by how they stand, and how many the filters let through.
    standings: Mapping[Standing, int]
    filtered: int

    @property
    def total(self) -> int:
        """Return how many devices there are."""
        return sum(self.standings.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """By what devices can be told apart, as choices for filters."""

    types: Sequence[str]
    tags: Sequence[str]
    groups: Sequence[str]


def list_page(
    db: Database,
    chosen: DeviceFilter,
    *,
    now: datetime,
    sort: str = "name",
    descending: bool = False,
    limit: int = 25,
    offset: int = 0,
) -> DevicePage:
    """Return a page of devices in an order of store.device_lists.SORTS; raises InputError for another one."""
    _require_order(sort)
    listed = _listed(chosen, now)
    with db.read() as session:
        found, filtered = store.list_page(session, listed, sort=sort, descending=descending, limit=limit, offset=offset)
        standings = store.count_standings(session, listed.online_since)
        return DevicePage(_lines(session, found, now), standings, filtered)


def walk(
    db: Database, chosen: DeviceFilter, *, now: datetime, sort: str = "name", descending: bool = False
) -> Iterator[DeviceLine]:
    """Yield all devices of a list in its order; nothing is held while they are used."""
    _require_order(sort)
    with db.read() as session:
        ids = store.list_ids(session, _listed(chosen, now), sort=sort, descending=descending)
    for start in range(0, len(ids), _AT_ONCE):
        with db.read() as session:
            lines = _lines(session, store.list_by_ids(session, ids[start : start + _AT_ONCE]), now)
        yield from lines


def list_names(db: Database, chosen: DeviceFilter, limit: int, *, now: datetime) -> dict[int, str]:
    """Return the names of the devices of a list by their ids, up to so many."""
    with db.read() as session:
        return store.list_names(session, _listed(chosen, now), limit)


def list_uuids(db: Database, chosen: DeviceFilter, limit: int, *, now: datetime) -> Sequence[str]:
    """Return the uuids of the devices of a list, up to so many."""
    with db.read() as session:
        return store.list_uuids(session, _listed(chosen, now), limit)


def list_marks(db: Database) -> Marks:
    """Return the types, tags and groups of devices, each so many that people can choose from them."""
    with db.read() as session:
        groups = [group.name for group, _count in device_store.list_groups(session)][:_MOST_MARKS]
        return Marks(store.list_types(session, _MOST_MARKS), store.list_tags(session, _MOST_MARKS), groups)


def count_standings(db: Database, *, now: datetime) -> dict[Standing, int]:
    """Return how many devices stand in each way."""
    with db.read() as session:
        return store.count_standings(session, now - DEVICE_ONLINE)


def line_of(db: Database, uuid: str, *, now: datetime) -> DeviceLine:
    """Return one device as a list shows it; raises NotFound."""
    with db.read() as session:
        return _lines(session, [devices.require(session, uuid)], now)[0]


def standing_of(device: Device, now: datetime) -> Standing:
    """Return how a device stands."""
    return presence.standing(
        is_active=device.is_active, provisioning_state=device.provisioning_state, seen_at=device.seen_at, now=now
    )


def _lines(session: Session, found: Sequence[Device], now: datetime) -> list[DeviceLine]:
    ids = [device.id for device in found]
    tags = device_store.tags_of(session, ids)
    groups = store.groups_of(session, ids)
    jobs = history_store.newest_of(session, ids)
    return [
        DeviceLine(device, standing_of(device, now), tags[device.id], groups[device.id], jobs.get(device.id))
        for device in found
    ]


def _listed(chosen: DeviceFilter, now: datetime) -> Listed:
    return Listed(
        now - DEVICE_ONLINE,
        search=chosen.search,
        standing=chosen.standing,
        group=chosen.group,
        tag=chosen.tag,
        type=chosen.type,
        ids=chosen.ids,
    )


def _require_order(sort: str) -> None:
    if sort not in SORTS:
        raise InputError.of("order", f"must be one of {', '.join(SORTS)}", "name")
