"""What an address asks for of the devices of an order, and the page that it gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain.fleet_state import DeviceJobState, wire_word
from watchbell.errors import InputError
from watchbell.services import fleet_views
from watchbell.services.fleet_views import PartPage
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.fleet_views import WantedParts
from watchbell.web import current, query
from watchbell.web.db import database
from watchbell.web.presenters import local_text

ROWS = 50
CSV_COLUMNS = (
    *(
        "device_uuid",
        "device_name",
        "status",
        "wave",
        "attempt",
        "exit_code",
        "executed_steps",
        "failed_step",
        "reason",
    ),
    *("queued_at", "started_at", "updated_at", "completed_at", "begins_at"),
)
STATES = ("", *DeviceJobState)


@dataclasses.dataclass(frozen=True, slots=True)
class PartQuery:
    """What the address asks for."""

    state: str = ""
    wave: int | None = None
    tag: str = ""
    search: str = ""
    #: By which tag the map puts devices together; by their waves without one.
    by: str = ""
    after: int | None = None
    before: int | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether devices may be left out."""
        return any((self.state, self.wave is not None, self.tag, self.search))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept."""
        kept = {"state": self.state, "wave": self.wave, "tag": self.tag, "q": self.search, "by": self.by}
        return {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}

    @property
    def wanted(self) -> WantedParts:
        """Return the filter for the service."""
        key, _sign, value = self.tag.partition("=")
        return WantedParts(
            states=(self.state,) if self.state else (),
            wave=self.wave,
            tag=(key, value) if self.tag else None,
            words=self.search.split(),
        )


def read(args: Mapping[str, str]) -> PartQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    tag = query.text(args, "tag")
    if tag and not tag.partition("=")[0]:
        raise InputError.of("tag", "must be a key and a value", "site=north")
    return PartQuery(
        state=query.word(args, "state", STATES, ""),
        wave=query.optional_id(args, "wave"),
        tag=tag,
        search=query.text(args, "q"),
        by=query.text(args, "by"),
        after=query.optional_id(args, "after"),
        before=query.optional_id(args, "before"),
    )


def find(execution: Execution, asked: PartQuery) -> PartPage:
    """Return the page of devices that is asked for."""
    return fleet_views.list_parts(
        database(), execution, asked.wanted, limit=ROWS, after_id=asked.after, before_id=asked.before
    )


def turns(asked: PartQuery, page: PartPage) -> dict[str, dict[str, Any] | None]:
    """Return the arguments of the addresses of the pages before and behind one; None where there is no such page."""
    rows = page.rows
    return {
        "newer": asked.address(before=rows[0][0].id) if rows and page.has_earlier else None,
        "older": asked.address(after=rows[-1][0].id) if rows and page.has_later else None,
    }


def twin_rows(execution: Execution, asked: PartQuery) -> Iterator[dict[str, object]]:
    """Yield all devices that are asked for, as the twins have them."""
    zone = current.zone()
    for part, device in fleet_views.walk_parts(database(), execution, asked.wanted):
        yield as_row(part, device, zone)


def as_row(part: DeviceJob, device: Device, zone: ZoneInfo) -> dict[str, object]:
    """Return a device of an order as the twins have it."""
    return {
        "device_uuid": device.uuid,
        "device_name": device.name,
        "status": wire_word(DeviceJobState(part.state)),
        "wave": part.wave,
        "attempt": part.number,
        **{name: getattr(part, name) for name in ("exit_code", "executed_steps", "failed_step", "reason")},
        **{
            name: local_text(getattr(part, name), zone)
            for name in ("queued_at", "started_at", "updated_at", "completed_at")
        },
        "begins_at": local_text(part.not_before, zone),
    }
