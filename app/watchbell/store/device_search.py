"""Finding devices by what somebody types of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from watchbell.store.base import pattern
from watchbell.store.devices import Device, DeviceTag

_COLUMNS = (Device.name, Device.uuid, Device.type, Device.ip_address, Device.os_version)


def search(session: Session, words: Sequence[str], limit: int) -> tuple[Sequence[Device], int]:
    """Return the first active devices by name that have all words in what is known of them, and how many there are."""
    total = session.scalar(_matching(select(func.count()).select_from(Device), words)) or 0
    found = _matching(select(Device), words).order_by(func.lower(Device.name), Device.id).limit(limit)
    return session.scalars(found).all(), int(total)


def _matching(statement: Select[Any], words: Sequence[str]) -> Select[Any]:
    made = statement.where(Device.is_active.is_(True))
    for word in words:
        like = pattern(word)
        tag = exists().where(
            DeviceTag.device_id == Device.id, (DeviceTag.key + "=" + DeviceTag.value).ilike(like, escape="\\")
        )
        made = made.where(or_(*(column.ilike(like, escape="\\") for column in _COLUMNS), tag))
    return made
