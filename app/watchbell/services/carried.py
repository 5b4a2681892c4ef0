"""Schedules that devices carry: who is to carry which, what a device is given of it, and what it says that it carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import carried, job_document
from watchbell.errors import InputError, NotFound
from watchbell.services import devices, fleet_jobs, fleet_schedules, joining
from watchbell.store import carried as store
from watchbell.store import devices as device_store
from watchbell.store import fleet_schedules as schedule_store
from watchbell.store import job_library as library_store
from watchbell.store.carried import CarriedCopy, CarriedVersion
from watchbell.store.devices import Chosen, Device
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.session import Database, Session

#: A device carries so many at most, those that were made first.
MOST_CARRIED = 50


class NotCarried(NotFound):
    """This device has no such schedule to carry."""


@dataclasses.dataclass(frozen=True, slots=True)
class Carrier:
    """A device that is to carry a schedule, or does so still."""

    device: Device
    #: The version that it says that it carries, and since when; None while it has said none.
    version: int | None
    since: datetime | None
    #: Whether it is to carry the schedule.
    is_meant: bool
    #: Whether it carries what it is to carry.
    is_current: bool


@dataclasses.dataclass(frozen=True, slots=True)
class CarriedHere:
    """A schedule that one device is to carry, or carries still."""

    schedule_id: str
    #: None of one that was deleted meanwhile.
    schedule: FleetSchedule | None
    #: The version that the device says that it carries, and since when; None while it has said none.
    version: int | None
    since: datetime | None
    #: The version that it is to carry; None for none.
    newest: int | None


def wanted(session: Session, device: Device, now: datetime) -> dict[str, int]:
    """Return the schedules that a device is to carry, by their names, with their versions."""
    found = [one for one in schedule_store.list_carried(session) if _is_meant(session, one, device, now)]
    return {one.schedule_id: one.version for one in found[:MOST_CARRIED]}


def is_news(device: Device, said: Mapping[str, int]) -> bool:
    """Return whether a device says something else of what it carries than the last time."""
    return device.carried_mark != mark(said)


def mark(said: Mapping[str, int]) -> str:
    """Return what a device says that it carries as one text."""
    return " ".join(f"{name}:{version}" for name, version in sorted(said.items()))


def note(session: Session, device: Device, said: Mapping[str, int], *, now: datetime) -> None:
    """Write down what a device says that it carries; of what it was never given it is not believed."""
    device.carried_mark = mark(said)
    for copy in store.list_copies(session, device.id):
        version = said.get(copy.schedule_uuid)
        if version != copy.version:
            copy.version, copy.since = version, now if version is not None else None


def give(session: Session, device: Device, schedule_id: str, *, now: datetime) -> dict[str, Any]:
    """Return a schedule as a device is told it, and remember which version of it that was; raises NotCarried."""
    found = schedule_store.find_schedule(session, schedule_id)
    if found is None or schedule_id not in wanted(session, device, now):
        raise NotCarried
    if store.find_version(session, schedule_id, found.version) is None:
        session.add(_snapshot(found, now))
    copy = store.find_copy(session, schedule_id, device.id)
    if copy is None:
        session.add(
            CarriedCopy(
                schedule_uuid=schedule_id, device_id=device.id, given_version=found.version, given_at=now,
                version=None, since=None,
            )
        )  # fmt: skip
    else:
        copy.given_version, copy.given_at = found.version, now
    names = job_document.read(found.document, is_filled=True).handlers
    handlers = library_store.list_handlers(session, names) if names else ()
    return {
        "schedule_id": schedule_id,
        "version": found.version,
        "name": found.name,
        "document": found.document,
        "timeout_seconds": found.timeout_seconds,
        "timing": carried.as_told(fleet_schedules.timing_of(found)),
        "catch_up": found.catch_up,
        "counts_from": (found.counts_from or found.created_at).isoformat(),
        "handlers": [{"name": one.name, "sha256": one.sha256} for one in handlers],
    }


def _snapshot(found: FleetSchedule, now: datetime) -> CarriedVersion:
    return CarriedVersion(
        schedule_uuid=found.schedule_id,
        version=found.version,
        name=found.name,
        document=found.document,
        timeout_seconds=found.timeout_seconds,
        timing=carried.as_told(fleet_schedules.timing_of(found)),
        created_by=found.created_by,
        created_at=now,
    )


def names_handler(session: Session, device: Device, name: str, now: datetime) -> bool:
    """Return whether a schedule that a device is to carry names a handler."""
    return any(
        name in job_document.read(one.document, is_filled=True).handlers and _is_meant(session, one, device, now)
        for one in schedule_store.list_carried(session)
    )


def note_handler(session: Session, name: str, *, now: datetime) -> None:
    """Let the schedules that devices carry be other versions if they name a handler, which says something else now."""
    for one in schedule_store.list_carried(session):
        if name in job_document.read(one.document, is_filled=True).handlers:
            one.version += 1
            one.updated_at = now


def list_carried_by(db: Database, uuid: str, *, now: datetime) -> list[CarriedHere]:
    """Return what a device is to carry or carries still, those that were made first first; raises NotFound."""
    with db.read() as session:
        device = devices.require(session, uuid)
        meant = wanted(session, device, now) if device.is_active else {}
        copies = {one.schedule_uuid: one for one in store.list_copies(session, device.id)}
        found = []
        for name in dict.fromkeys([*meant, *(name for name, one in copies.items() if one.version is not None)]):
            copy, schedule = copies.get(name), schedule_store.find_schedule(session, name)
            version, since = (copy.version, copy.since) if copy is not None else (None, None)
            found.append(CarriedHere(name, schedule, version, since, meant.get(name)))
        return found


def list_carriers(
    db: Database, schedule_id: str, *, now: datetime, limit: int, offset: int = 0
) -> tuple[list[Carrier], int]:
    """Return the devices that are to carry a schedule or do so still, by name, and how many those are.

    Raises ScheduleNotFound.
    """
    with db.read() as session:
        found = fleet_schedules.require(session, schedule_id)
        copies = {device.id: (copy, device) for copy, device in store.list_carriers(session, schedule_id)}
        meant = {one.id: one for one in _targets(session, found, now)}
        every = {**{number: device for number, (_copy, device) in copies.items()}, **meant}
        told = [
            _carrier(device, copies[device.id][0] if device.id in copies else None, found, device.id in meant)
            for device in every.values()
        ]
        # What one has dropped and is to carry no more is of no interest.
        shown = [one for one in told if one.is_meant or one.version is not None]
        shown.sort(key=lambda one: (one.device.name.lower(), one.device.id))
        return shown[offset : offset + limit], len(shown)


def _carrier(device: Device, copy: CarriedCopy | None, schedule: FleetSchedule, is_meant: bool) -> Carrier:
    version, since = (copy.version, copy.since) if copy is not None else (None, None)
    return Carrier(device, version, since, is_meant, version == (schedule.version if is_meant else None))


def _targets(session: Session, schedule: FleetSchedule, now: datetime) -> Sequence[Device]:
    """Return the devices that are to carry a schedule; while it rests those are none."""
    if not (schedule.is_carried and schedule.is_active):
        return ()
    try:
        found = fleet_jobs.find_targets(session, fleet_schedules.order_of(schedule), now=now)
    except InputError:
        # A device or group of it was deleted, or may not take part; each of the others is asked by itself.
        every = device_store.list_chosen(session, Chosen(is_active=True))
        return [one for one in every if _is_meant(session, schedule, one, now)]
    if not schedule.document.get("conditions"):
        return found
    return [one for one in found if _is_meant(session, schedule, one, now)]


def _is_meant(session: Session, schedule: FleetSchedule, device: Device, now: datetime) -> bool:
    if schedule.target_type == "device":
        is_target = device.uuid in (schedule.target_devices or ())
    elif schedule.target_type == "group":
        is_target = joining.matches(session, schedule.target_filter or {}, device, now)
    else:
        is_target = True
    return is_target and device.is_active and _meets(session, schedule, device)


def _meets(session: Session, schedule: FleetSchedule, device: Device) -> bool:
    """Return whether a device meets the conditions of the document: what it would reject each time it does not carry."""
    if not schedule.document.get("conditions"):
        return True
    document = job_document.read(schedule.document, is_filled=True)
    known = fleet_jobs.known_of(device, device_store.tags_of(session, [device.id])[device.id])
    return job_document.unmet(document, known) is None
