"""Orders that are given again and again: their schedules, and giving them when they are due."""

from __future__ import annotations

import dataclasses
import logging
import uuid as uuids
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import job_document
from watchbell.domain.fleet_targets import TARGET_TYPES, read_filter
from watchbell.domain.policies import CatchUp
from watchbell.domain.schedule import Schedule, build_schedule, next_occurrence, occurrences
from watchbell.errors import InputError, NotFound
from watchbell.services import audit, devices, fleet_jobs
from watchbell.services.fleet_jobs import NoDevices
from watchbell.services.fleet_orders import NAME_LIMIT, Order
from watchbell.store import fleet_schedules as store
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.session import Database, Session

SCHEDULE_TYPES = ("cron", "interval")
MOST_INTERVAL_MINUTES = 527_040
DESCRIPTION_LIMIT = 2000
#: What may be said of a schedule, under our names for it.
FIELDS = (
    *("name", "description", "document", "target_type", "target_devices", "target_filter", "schedule_type"),
    *("cron_expression", "interval_minutes", "max_executions", "timeout_seconds", "is_active"),
    *("is_carried", "catch_up"),
)
_TIMING = frozenset({"schedule_type", "cron_expression", "interval_minutes"})
#: What begins to count from the moment in which it is said.
_COUNTING = _TIMING | {"is_active", "is_carried"}
_log = logging.getLogger(__name__)


class ScheduleNotFound(NotFound):
    """Schedule not found."""


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What a look at the due schedules has led to."""

    orders: int
    #: Schedules that were due and found no device.
    empty: int


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """What a schedule would lead to."""

    timing: Schedule
    #: The next moments at which it would be due.
    moments: Sequence[datetime]
    #: How many devices it would be for at this moment.
    devices: int


def create(
    db: Database, fields: Mapping[str, Any], *, now: datetime, zone: str, actor: str, created_by: str | None = None
) -> FleetSchedule:
    """Make a schedule; an interval is due for the first time after it has passed once. Raises InputError."""
    with db.write() as session:
        made = _made(fields, now=now, zone=zone, created_by=created_by or actor)
        _check(session, made)
        _refuse_both(made)
        made.next_at = _next(made, now)
        session.add(made)
        session.flush()
        _note(session, "create", made, now=now, actor=actor)
        return made


def try_out(db: Database, fields: Mapping[str, Any], *, now: datetime, zone: str, moments: int = 5) -> Tried:
    """Return what a schedule of these fields would lead to; nothing is kept. Raises InputError."""
    with db.read() as session:
        made = _made(fields, now=now, zone=zone, created_by="")
        _check(session, made)
        _refuse_both(made)
        timing = timing_of(made)
        found = fleet_jobs.find_targets(session, order_of(made), now=now)
        due = [one.due_at for one in occurrences(timing, now, moments)]
        return Tried(timing, due, len(found))


def _made(fields: Mapping[str, Any], *, now: datetime, zone: str, created_by: str) -> FleetSchedule:
    values = {
        **dict.fromkeys(FIELDS),
        "timeout_seconds": job_document.DEFAULT_TIMEOUT_SECONDS,
        "is_active": True,
        "is_carried": False,
        "catch_up": CatchUp.LAST.value,
        **{name: value for name, value in fields.items() if value is not None},
    }
    return FleetSchedule(
        schedule_id=str(uuids.uuid4()),
        zone=zone,
        anchor_at=now,
        version=1,
        counts_from=now,
        execution_count=0,
        created_by=created_by,
        created_at=now,
        updated_at=now,
        **values,
    )


def get(db: Database, schedule_id: str) -> FleetSchedule:
    """Return a schedule; raises ScheduleNotFound."""
    with db.read() as session:
        return require(session, schedule_id)


def list_all(db: Database, *, is_active: bool | None = None) -> Sequence[FleetSchedule]:
    """Return schedules, newest first."""
    with db.read() as session:
        return store.list_schedules(session, is_active=is_active)


def update(db: Database, schedule_id: str, fields: Mapping[str, Any], *, now: datetime, actor: str) -> FleetSchedule:
    """Change what is given of a schedule and return it; raises ScheduleNotFound, and InputError, also for nothing."""
    with db.write() as session:
        found = require(session, schedule_id, lock=True)
        if not fields:
            raise InputError.of("", "No fields to update")
        with session.no_autoflush:
            if fields.get("schedule_type", found.schedule_type) != found.schedule_type:
                found.cron_expression = found.interval_minutes = None
            for name, value in fields.items():
                setattr(found, name, value)
            _check(session, found)
        if _TIMING & set(fields):
            _refuse_both(found)
            found.anchor_at = now
        if _COUNTING & set(fields):
            found.next_at, found.counts_from = _next(found, now), now
        if set(fields) - {"description"}:
            found.version += 1
        found.updated_at = now
        _note(session, "change", found, now=now, actor=actor, changed=sorted(fields))
        return found


def set_active(db: Database, schedule_id: str, is_active: bool, *, now: datetime, actor: str) -> FleetSchedule:
    """Let a schedule rest, or go on: what was due meanwhile is not made up for. Raises ScheduleNotFound."""
    return update(db, schedule_id, {"is_active": is_active}, now=now, actor=actor)


def delete(db: Database, schedule_id: str, *, now: datetime, actor: str) -> None:
    """Delete a schedule; the orders that it has given stay. Raises ScheduleNotFound."""
    with db.write() as session:
        found = require(session, schedule_id, lock=True)
        _note(session, "delete", found, now=now, actor=actor)
        session.delete(found)


def next_moment(db: Database) -> datetime | None:
    """Return when the next schedule is due, None if none is."""
    with db.read() as session:
        return store.next_moment(session)


def give_due(db: Database, *, now: datetime, limit: int = 50) -> Given:
    """Give the orders of the schedules that are due, of each one however long it was due.

    One that finds no device is left out and not counted; one that has given all that it may rests from then on.
    """
    with db.read() as session:
        moment = store.next_moment(session)
    if moment is None or moment > now:
        return Given(0, 0)
    orders = empty = 0
    with db.write() as session:
        for found in store.list_due(session, now, limit):
            is_given = _give(session, found, now)
            orders, empty = orders + is_given, empty + (not is_given)
            found.next_at = _next(found, now)
            found.updated_at = now
            session.flush()
    return Given(orders, empty)


def _note(session: Session, deed: str, made: FleetSchedule, *, now: datetime, actor: str, **said: Any) -> None:
    subject = f"fleet_schedule:{made.schedule_id}"
    audit.note(session, f"fleet_schedule.{deed}", subject, now=now, actor=actor, name=made.name, detail=said)


def _give(session: Session, found: FleetSchedule, now: datetime) -> bool:
    if found.max_executions is not None and found.execution_count >= found.max_executions:
        found.is_active = False
        return False
    try:
        fleet_jobs.give(session, order_of(found), now=now, actor="watchbell")
    except NoDevices:
        _log.info("Schedule %s found no device", found.schedule_id)
        return False
    except InputError as error:
        # A device of it was deleted, say. It is tried again the next time.
        _log.warning("Schedule %s could not be executed: %s", found.schedule_id, error.message)
        return False
    found.execution_count += 1
    found.last_execution_at = now
    if found.max_executions is not None and found.execution_count >= found.max_executions:
        found.is_active = False
    return True


def order_of(found: FleetSchedule) -> Order:
    """Return the order that a schedule gives."""
    return Order(
        name=found.name,
        target_type=found.target_type,
        document=found.document,
        target_devices=tuple(found.target_devices or ()),
        target_filter=found.target_filter,
        timeout_seconds=found.timeout_seconds,
        created_by=found.created_by,
        schedule_id=found.id,
    )


def _next(found: FleetSchedule, after: datetime) -> datetime | None:
    # What devices carry is due there, by their own clocks, and gives no order here.
    if not found.is_active or found.is_carried:
        return None
    occurrence = next_occurrence(timing_of(found), after)
    return occurrence.due_at if occurrence is not None else None


def timing_of(found: FleetSchedule) -> Schedule:
    """Return when a schedule is due; raises InputError if its cron text or interval makes no sense."""
    if found.schedule_type == "cron":
        given: dict[str, object] = {"kind": "cron", "cron": found.cron_expression or ""}
    else:
        minutes = found.interval_minutes or 0
        # Days would follow the clock of the zone, and an interval does not.
        every = f"{minutes // 60} hours" if minutes and minutes % 60 == 0 else f"{minutes} minutes"
        given = {"kind": "interval", "every": every}
    return build_schedule({**given, "zone": found.zone}, now=found.anchor_at, default_zone=found.zone)


def require(session: Session, schedule_id: str, *, lock: bool = False) -> FleetSchedule:
    """Return a schedule; raises ScheduleNotFound."""
    found = store.find_schedule(session, schedule_id, lock=lock)
    if found is None:
        raise ScheduleNotFound
    return found


def _refuse_both(made: FleetSchedule) -> None:
    """Raise InputError for what the other type of schedule would say: it would be kept, and say nothing."""
    if made.schedule_type == "interval" and made.cron_expression:
        raise InputError.of("cron_expression", "belongs to a cron schedule; leave it out, or change the type")
    if made.schedule_type == "cron" and made.interval_minutes is not None:
        raise InputError.of("interval_minutes", "belongs to an interval schedule; leave it out, or change the type")


def _check(session: Session, made: FleetSchedule) -> None:
    """Raise InputError for the first thing that is wrong with a schedule."""
    if not (made.name and 0 < len(made.name.strip()) <= NAME_LIMIT and made.name.isprintable()):
        raise InputError.of("job_name", f"must be 1 to {NAME_LIMIT} printable characters long", "Hourly Health Check")
    if made.document is None:
        raise InputError.of("job_document", "is required")
    job_document.read(made.document)
    made.document = job_document.fill_in(made.document, {})
    document = job_document.read(made.document, is_filled=True)
    if made.is_carried and document.secrets:
        # They are given with a job at the moment in which it is done, and are kept on no device.
        raise InputError.of("job_document", "names secrets, which devices do not keep; let the server give this one")
    if made.target_type not in TARGET_TYPES:
        raise InputError.of("target_type", f"must be one of {', '.join(TARGET_TYPES)}", "all")
    if made.target_type == "device":
        if not made.target_devices:
            raise InputError.of("target_devices", "is needed by the target type device")
        devices.require_all(session, made.target_devices, "target_devices")
    if made.target_type == "group":
        if not made.target_filter:
            raise InputError.of("target_filter", "is needed by a group", '{"device_type": "gateway"}')
        read_filter(made.target_filter)
    if made.schedule_type not in SCHEDULE_TYPES:
        raise InputError.of("schedule_type", f"must be one of {', '.join(SCHEDULE_TYPES)}", "cron")
    if made.schedule_type == "cron" and not made.cron_expression:
        raise InputError.of("cron_expression", "is needed by a cron schedule", "0 2 * * *")
    minutes = made.interval_minutes
    if made.schedule_type == "interval" and not 1 <= (minutes or 0) <= MOST_INTERVAL_MINUTES:
        raise InputError.of("interval_minutes", f"must be from 1 to {MOST_INTERVAL_MINUTES}", "60")
    if made.catch_up not in list(CatchUp):
        raise InputError.of("catch_up", f"must be one of {', '.join(CatchUp)}", CatchUp.LAST)
    if made.is_carried and made.max_executions is not None:
        raise InputError.of("max_executions", "counts what is given here, and devices carry this one; leave it empty")
    try:
        timing_of(made)
    except InputError as error:
        raise InputError.of("cron_expression", error.problems[0].message, error.problems[0].example) from None
