"""Choosing devices one by one for an order: what a search finds, and who was chosen already."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.services import devices
from watchbell.services.devices import DeviceView
from watchbell.store import device_lists
from watchbell.store import devices as store
from watchbell.store.device_lists import Listed
from watchbell.store.devices import Device
from watchbell.store.session import Database, Session

#: More are chosen by a group, tags or attributes.
MOST_CHOSEN = 1000
SHOWN = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a search has found."""

    devices: Sequence[DeviceView]
    #: How many there are, of which the first are here.
    total: int


def search(db: Database, text: str, *, now: datetime, limit: int = SHOWN) -> Found:
    """Return the active devices by name that have all words of a text in their name, uuid, type, addresses or tags."""
    chosen = Listed(now - DEVICE_ONLINE, search=text, is_active=True)
    with db.read() as session:
        found, total = device_lists.list_page(session, chosen, sort="name", descending=False, limit=limit)
        return Found(_views(session, found, now), total)


def find(db: Database, uuids: Sequence[str], *, now: datetime) -> list[DeviceView]:
    """Return those of some devices that are there, in their order."""
    with db.read() as session:
        found = store.find_many(session, [uuid.lower() for uuid in uuids])
        there = [found[uuid.lower()] for uuid in uuids if uuid.lower() in found]
        return _views(session, there, now)


def _views(session: Session, found: Sequence[Device], now: datetime) -> list[DeviceView]:
    tags = store.tags_of(session, [device.id for device in found])
    return [DeviceView(device, tags[device.id], devices.is_online(device, now)) for device in found]
