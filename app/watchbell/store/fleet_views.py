"""Every query by which people look at a fleet: lists of orders and of devices in them, and numbers of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, case, func, or_, select, text
from sqlalchemy.orm import Session, defer

from watchbell.domain.fleet_state import ACTIVE, EXECUTION_FINAL, DeviceJobState, ExecutionState
from watchbell.store.base import pattern
from watchbell.store.devices import Device, DeviceTag
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.fleet_retention import count_hours
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.job_library import JobTemplate

_JOB: Any = DeviceJob.__table__
_IN_PROGRESS = text("device_job.state = 'in_progress'")
#: The states of orders that go on.
GOING = tuple(sorted(state.value for state in ExecutionState if state not in EXECUTION_FINAL))
_LARGE = (defer(Execution.document), defer(Execution.rollback_document))
_OUTPUTS = (defer(DeviceJob.stdout), defer(DeviceJob.stderr), defer(DeviceJob.details))


@dataclasses.dataclass(frozen=True, slots=True)
class WantedOrders:
    """Which orders are looked for; what is None or empty does not matter."""

    states: Collection[str] = ()
    is_paused: bool | None = None
    #: Each of these stands somewhere in the name.
    words: Sequence[str] = ()
    template_id: int | None = None
    schedule_id: int | None = None
    #: When the order was given.
    since: datetime | None = None
    until: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class WantedParts:
    """Which devices of an order are looked for; what is None or empty does not matter."""

    states: Collection[str] = ()
    wave: int | None = None
    #: A tag and its value; an empty value is that of devices without the tag.
    tag: tuple[str, str] | None = None
    #: Each of these stands somewhere in the name or the uuid of the device.
    words: Sequence[str] = ()


class DeviceCounts(NamedTuple):
    """How many devices there are; the first three are of those that are active."""

    online: int
    offline: int
    never_seen: int
    inactive: int


class Cell(NamedTuple):
    """A device of an order, as a map shows it."""

    part_id: int
    uuid: str
    name: str
    state: str
    wave: int


def list_orders(
    session: Session, wanted: WantedOrders, *, limit: int, before_id: int | None = None
) -> Sequence[Execution]:
    """Return orders without their documents, newest first."""
    statement = _wanted_orders(select(Execution).options(*_LARGE), wanted)
    if before_id is not None:
        statement = statement.where(Execution.id < before_id)
    return session.scalars(statement.order_by(Execution.id.desc()).limit(limit)).all()


def _wanted_orders(statement: Select[Any], wanted: WantedOrders) -> Select[Any]:
    if wanted.states:
        statement = statement.where(Execution.state.in_(wanted.states))
    if wanted.is_paused is not None:
        paused = and_(Execution.paused_reason.is_not(None), Execution.completed_at.is_(None))
        statement = statement.where(paused if wanted.is_paused else ~paused)
    for word in wanted.words:
        statement = statement.where(Execution.name.ilike(pattern(word), escape="\\"))
    if wanted.template_id is not None:
        statement = statement.where(Execution.template_id == wanted.template_id)
    if wanted.schedule_id is not None:
        statement = statement.where(Execution.schedule_id == wanted.schedule_id)
    if wanted.since is not None:
        statement = statement.where(Execution.queued_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(Execution.queued_at <= wanted.until)
    return statement


def count_orders(session: Session) -> dict[str, int]:
    """Return how many orders are in each state."""
    statement = select(Execution.state, func.count()).group_by(Execution.state)
    return {state: int(count) for state, count in session.execute(statement)}


def names_of_templates(session: Session, template_ids: Collection[int]) -> dict[int, str]:
    """Return the names of templates by their ids."""
    if not template_ids:
        return {}
    statement = select(JobTemplate.id, JobTemplate.name).where(JobTemplate.id.in_(template_ids))
    return {row[0]: row[1] for row in session.execute(statement)}


def count_devices(session: Session, online_since: datetime) -> DeviceCounts:
    """Return how many devices are there, heard of since a moment, before it, or never."""
    kind = case(
        (Device.is_active.is_(False), "inactive"),
        (Device.seen_at.is_(None), "never_seen"),
        (Device.seen_at >= online_since, "online"),
        else_="offline",
    )
    # By its name: the expression would stand there twice, with parameters of its own, and so be another one.
    counted = select(kind.label("kind"), func.count()).group_by(text("kind"))
    found = {word: int(count) for word, count in session.execute(counted)}
    return DeviceCounts(**{name: found.get(name, 0) for name in DeviceCounts._fields})


def count_given(session: Session, since: datetime) -> dict[DeviceJobState, int]:
    """Return what has become of the jobs of all orders that were given since a moment, as these have counted them.

    Of those that are deleted for their age or number, the ones of whole hours count.
    """
    sums = [func.sum(Execution.counts[state.value].as_integer()) for state in DeviceJobState]
    row = session.execute(select(*sums).where(Execution.queued_at >= since)).one()
    deleted = count_hours(session, since)
    return {
        state: int(count or 0) + deleted.get(state.value, 0) for state, count in zip(DeviceJobState, row, strict=True)
    }


def list_silent(session: Session, online_since: datetime, limit: int) -> Sequence[tuple[DeviceJob, Device, Execution]]:
    """Return what is in progress on devices that were not heard of since a moment, the longest silent first."""
    statement = (
        select(DeviceJob, Device, Execution)
        .join(Device, Device.id == DeviceJob.device_id)
        .join(Execution, Execution.id == DeviceJob.execution_id)
        .where(_IN_PROGRESS, or_(Device.seen_at.is_(None), Device.seen_at < online_since))
        .options(*_LARGE, *_OUTPUTS)
        .order_by(Device.seen_at, DeviceJob.id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]


def list_parts(
    session: Session,
    execution_id: int,
    wanted: WantedParts,
    *,
    limit: int,
    after_id: int | None = None,
    before_id: int | None = None,
) -> Sequence[tuple[DeviceJob, Device]]:
    """Return the newest parts of an order without their outputs, by their ids, behind one or the last before another."""
    both: Any = select(DeviceJob, Device)
    statement = (
        both.join(Device, Device.id == DeviceJob.device_id)
        .where(DeviceJob.execution_id == execution_id, text("device_job.is_newest"))
        .options(*_OUTPUTS)
    )
    statement = _wanted_parts(statement, wanted)
    if before_id is not None:
        found = session.execute(
            statement.where(DeviceJob.id < before_id).order_by(DeviceJob.id.desc()).limit(limit)
        ).all()
        return [(row[0], row[1]) for row in reversed(found)]
    if after_id is not None:
        statement = statement.where(DeviceJob.id > after_id)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(DeviceJob.id).limit(limit))]


def count_parts(session: Session, execution_id: int, wanted: WantedParts) -> int:
    """Return how many devices of an order are wanted."""
    statement = (
        select(func.count()).select_from(DeviceJob).where(DeviceJob.execution_id == execution_id, DeviceJob.is_newest)
    )
    if wanted.words or wanted.tag is not None:
        statement = statement.join(Device, Device.id == DeviceJob.device_id)
    return int(session.scalar(_wanted_parts(statement, wanted)) or 0)


def _wanted_parts(statement: Select[Any], wanted: WantedParts) -> Select[Any]:
    if wanted.states:
        statement = statement.where(DeviceJob.state.in_(wanted.states))
    if wanted.wave is not None:
        statement = statement.where(DeviceJob.wave == wanted.wave)
    if wanted.tag is not None:
        key, value = wanted.tag
        mine = select(DeviceTag.device_id).where(DeviceTag.device_id == Device.id, DeviceTag.key == key)
        statement = statement.where(mine.where(DeviceTag.value == value).exists() if value else ~mine.exists())
    for word in wanted.words:
        like = pattern(word)
        statement = statement.where(or_(Device.name.ilike(like, escape="\\"), Device.uuid.ilike(like, escape="\\")))
    return statement


def list_cells(session: Session, execution_id: int, limit: int) -> Sequence[Cell]:
    """Return the devices of an order for a map, by their waves."""
    statement = (
        select(_JOB.c.id, Device.uuid, Device.name, _JOB.c.state, _JOB.c.wave)
        .join(Device, Device.id == _JOB.c.device_id)
        .where(_JOB.c.execution_id == execution_id, _JOB.c.is_newest)
        .order_by(_JOB.c.wave, _JOB.c.id)
        .limit(limit)
    )
    return [Cell(*row) for row in session.execute(statement)]


def values_of(session: Session, execution_id: int, key: str) -> dict[int, str]:
    """Return the value of a tag of each device of an order that has it, by the id of its part."""
    statement = (
        select(_JOB.c.id, DeviceTag.value)
        .join(DeviceTag, and_(DeviceTag.device_id == _JOB.c.device_id, DeviceTag.key == key))
        .where(_JOB.c.execution_id == execution_id, _JOB.c.is_newest)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def count_by_tag(session: Session, execution_id: int, key: str) -> dict[str, dict[DeviceJobState, int]]:
    """Return for each value of a tag how many devices of an order are in each state; those without it are under ''."""
    value = func.coalesce(DeviceTag.value, "").label("tag_value")
    statement = (
        select(value, _JOB.c.state, func.count())
        .outerjoin(DeviceTag, and_(DeviceTag.device_id == _JOB.c.device_id, DeviceTag.key == key))
        .where(_JOB.c.execution_id == execution_id, _JOB.c.is_newest)
        .group_by(text("tag_value"), _JOB.c.state)
    )
    found: dict[str, dict[DeviceJobState, int]] = {}
    for word, state, count in session.execute(statement):
        found.setdefault(str(word), {})[DeviceJobState(state)] = int(count)
    return found


def list_tag_keys(session: Session, limit: int) -> Sequence[str]:
    """Return the keys of tags that devices have."""
    return session.scalars(select(DeviceTag.key).distinct().order_by(DeviceTag.key).limit(limit)).all()


def list_attempts(session: Session, execution_id: int, device_id: int) -> Sequence[DeviceJob]:
    """Return all attempts of a device at an order, newest first."""
    statement = select(DeviceJob).where(DeviceJob.execution_id == execution_id, DeviceJob.device_id == device_id)
    return session.scalars(statement.order_by(DeviceJob.number.desc())).all()


def count_active(session: Session) -> dict[DeviceJobState, int]:
    """Return how many jobs of devices wait or are in progress, as the orders that go on have counted them."""
    going = select(Execution.counts).where(Execution.state.in_(GOING))
    found = dict.fromkeys(sorted(ACTIVE), 0)
    for counts in session.scalars(going):
        for state in found:
            found[state] += int(counts.get(state.value, 0))
    return found


def find_schedule(session: Session, number: int) -> FleetSchedule | None:
    """Return a schedule by its number, or None."""
    return session.get(FleetSchedule, number)
