"""What people see of a fleet: how it does, which orders there are, and what has become of one on each of its devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from watchbell.domain import fleet_figures, job_document
from watchbell.domain.fleet_state import DeviceJobState, ExecutionState
from watchbell.domain.fleet_steps import StepResult, results
from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.services import devices, fleet_jobs, fleet_rollouts
from watchbell.services.device_jobs import PartNotFound
from watchbell.services.fleet_rollouts import Wave
from watchbell.store import device_reports as log_store
from watchbell.store import fleet_views as store
from watchbell.store import rollouts as rollout_store
from watchbell.store.device_reports import DeviceJobEvent
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.fleet_views import Cell, DeviceCounts, WantedOrders, WantedParts
from watchbell.store.session import Database, Session

GOING = store.GOING
DAY, WEEK = timedelta(days=1), timedelta(days=7)
#: The first page shows so many of what goes on, of what needs attention, and of what its timeline has.
MOST_GOING, MOST_TROUBLES, MOST_LANES = 5, 10, 14
#: A map shows so many devices one by one; of more it shows how many are in each state.
MOST_CELLS = 600
#: So many groups are shown; the last of them is all that are left over.
MOST_GROUPS = 40
_MOST_KEYS = 50
_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Going:
    """An order that goes on, with the waves in which it goes through the fleet."""

    execution: Execution
    waves: Sequence[Wave]


@dataclasses.dataclass(frozen=True, slots=True)
class Silent:
    """A device that was not heard of lately, with a job that it has not finished."""

    part: DeviceJob
    device: Device
    execution: Execution


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How a fleet does."""

    devices: DeviceCounts
    #: How many jobs wait and are in progress.
    active: Mapping[DeviceJobState, int]
    #: What has become of those of the orders that were given within a day and within a week.
    day: Mapping[DeviceJobState, int]
    week: Mapping[DeviceJobState, int]
    going: Sequence[Going]
    #: How many orders go on altogether.
    going_total: int
    #: Those that a rule has stopped, others of the last day with failures, and devices that went silent.
    stopped: Sequence[Execution]
    failing: Sequence[Execution]
    silent: Sequence[Silent]
    #: The orders of the last day and those that go on, newest first.
    recent: Sequence[Execution]
    has_orders: bool


@dataclasses.dataclass(frozen=True, slots=True)
class OrderPage:
    """Some of the orders that were looked for, newest first."""

    rows: Sequence[Execution]
    has_older: bool
    #: The names of the templates that they were made from, by their numbers.
    templates: Mapping[int, str]


@dataclasses.dataclass(frozen=True, slots=True)
class OrderDetail:
    """An order, and what belongs to it."""

    execution: Execution
    waves: Sequence[Wave]
    #: The order that undoes this one, and the one that this undoes.
    undone_by: Execution | None
    undoes: Execution | None
    schedule: FleetSchedule | None
    template: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Some devices of an order that belong together: a wave, or those with one value of a tag."""

    #: The number of the wave, or the value; empty for devices without the tag.
    name: str
    counts: Mapping[DeviceJobState, int]
    #: The devices one by one, if they are few.
    cells: Sequence[Cell] = ()
    #: How many groups are put together in this one because there are too many; 0 for one of its own.
    joined: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class PartPage:
    """Some of the devices of an order that were looked for."""

    rows: Sequence[tuple[DeviceJob, Device]]
    total: int
    has_earlier: bool
    has_later: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a device at an order, with all that has happened to it, oldest first."""

    part: DeviceJob
    events: Sequence[DeviceJobEvent]


@dataclasses.dataclass(frozen=True, slots=True)
class PartDetail:
    """What has become of an order on one device."""

    execution: Execution
    device: Device
    is_online: bool
    #: The newest first.
    attempts: Sequence[Attempt]
    steps: Sequence[StepResult]


def counts_of(execution: Execution) -> dict[DeviceJobState, int]:
    """Return how many devices of an order are in each state."""
    return {DeviceJobState(word): int(count) for word, count in execution.counts.items()}


def look(db: Database, *, now: datetime) -> Look:
    """Return how the fleet does."""
    with db.read() as session:
        # What is at work comes before what only waits.
        going = [
            one
            for state in (ExecutionState.IN_PROGRESS, ExecutionState.QUEUED)
            for one in store.list_orders(session, WantedOrders(states=(state,)), limit=MOST_LANES)
        ]
        recent = store.list_orders(session, WantedOrders(since=now - DAY), limit=MOST_LANES * 4)
        numbers = store.count_orders(session)
        paused = store.list_orders(session, WantedOrders(states=store.GOING, is_paused=True), limit=MOST_TROUBLES)
        stopped = [one for one in paused if fleet_rollouts.is_stopped_by_rule(one)]
        failing = [
            one for one in recent if fleet_figures.bad(counts_of(one)) and not is_undone(one) and one not in stopped
        ]
        return Look(
            devices=store.count_devices(session, now - DEVICE_ONLINE),
            active=store.count_active(session),
            day=store.count_given(session, now - DAY),
            week=store.count_given(session, now - WEEK),
            going=[Going(one, _waves(session, one)) for one in going[:MOST_GOING]],
            going_total=sum(numbers.get(state, 0) for state in store.GOING),
            stopped=stopped,
            failing=failing[:MOST_TROUBLES],
            silent=[Silent(*found) for found in store.list_silent(session, now - DEVICE_ONLINE, MOST_TROUBLES)],
            recent=_newest([*going, *recent])[:MOST_LANES],
            has_orders=bool(numbers),
        )


def is_undone(execution: Execution) -> bool:
    """Return whether a person has taken an order back, and so knows of what went wrong in it."""
    return execution.is_cancelled and not fleet_rollouts.is_stopped_by_rule(execution)


def _newest(orders: Sequence[Execution]) -> list[Execution]:
    return sorted({one.id: one for one in orders}.values(), key=lambda one: -one.id)


def _waves(session: Session, execution: Execution) -> Sequence[Wave]:
    counts = rollout_store.count_by_wave(session, execution.id)
    return [Wave(number, number <= execution.wave, counts[number]) for number in sorted(counts)]


def list_orders(db: Database, wanted: WantedOrders, *, limit: int, before_id: int | None = None) -> OrderPage:
    """Return a page of orders, newest first."""
    with db.read() as session:
        found = store.list_orders(session, wanted, limit=limit + 1, before_id=before_id)
        rows = found[:limit]
        ids = {one.template_id for one in rows if one.template_id is not None}
        return OrderPage(rows, len(found) > limit, store.names_of_templates(session, ids))


def walk_orders(db: Database, wanted: WantedOrders, *, before_id: int | None = None) -> Iterator[Execution]:
    """Yield all orders that are wanted, newest first; nothing is held while they are used."""
    while True:
        page = list_orders(db, wanted, limit=_AT_ONCE, before_id=before_id)
        yield from page.rows
        if not page.has_older:
            return
        before_id = page.rows[-1].id


def count_orders(db: Database) -> dict[ExecutionState, int]:
    """Return how many orders are in each state."""
    with db.read() as session:
        return {ExecutionState(word): count for word, count in store.count_orders(session).items()}


def get(db: Database, job_id: str) -> OrderDetail:
    """Return an order; raises ExecutionNotFound."""
    with db.read() as session:
        execution = fleet_jobs.require(session, job_id)
        names = store.names_of_templates(session, {execution.template_id} - {None})  # type: ignore[arg-type]
        return OrderDetail(
            execution=execution,
            waves=_waves(session, execution),
            undone_by=rollout_store.find_rollback(session, job_id),
            undoes=fleet_jobs.find(session, execution.rollback_of) if execution.rollback_of else None,
            schedule=store.find_schedule(session, execution.schedule_id) if execution.schedule_id else None,
            template=names.get(execution.template_id or 0),
        )


def list_tag_keys(db: Database) -> Sequence[str]:
    """Return the keys of tags by which devices can be put together."""
    with db.read() as session:
        return store.list_tag_keys(session, _MOST_KEYS)


def map_of(db: Database, execution: Execution, *, tag: str = "") -> list[Group]:
    """Return the devices of an order by their waves, or by a tag: one by one if they are few, else counted."""
    with db.read() as session:
        counts = (
            store.count_by_tag(session, execution.id, tag)
            if tag
            else {str(wave.number): wave.counts for wave in _waves(session, execution)}
        )
        cells = store.list_cells(session, execution.id, MOST_CELLS) if execution.total <= MOST_CELLS else ()
        values = store.values_of(session, execution.id, tag) if tag and cells else {}
    members: dict[str, list[Cell]] = {}
    for cell in cells:
        members.setdefault(values.get(cell.part_id, "") if tag else str(cell.wave), []).append(cell)
    groups = [Group(name, counts[name], members.get(name, ())) for name in (_ordered(counts) if tag else counts)]
    return groups if len(groups) <= MOST_GROUPS else [*groups[: MOST_GROUPS - 1], _rest(groups[MOST_GROUPS - 1 :])]


def _ordered(counts: Mapping[str, Mapping[DeviceJobState, int]]) -> list[str]:
    """Return the values of a tag by name; of many those of most devices come first, so that they are not left over."""
    by_size = sorted(counts, key=lambda name: -sum(counts[name].values()))
    first, left = by_size[: MOST_GROUPS - 1], by_size[MOST_GROUPS - 1 :]
    return [*sorted(first, key=lambda name: (not name, name)), *left]


def _rest(groups: Sequence[Group]) -> Group:
    total: dict[DeviceJobState, int] = {}
    for group in groups:
        for state, count in group.counts.items():
            total[state] = total.get(state, 0) + count
    return Group("", total, [cell for group in groups for cell in group.cells], joined=len(groups))


def list_parts(
    db: Database,
    execution: Execution,
    wanted: WantedParts,
    *,
    limit: int,
    after_id: int | None = None,
    before_id: int | None = None,
) -> PartPage:
    """Return a page of the devices of an order."""
    with db.read() as session:
        found = store.list_parts(session, execution.id, wanted, limit=limit + 1, after_id=after_id, before_id=before_id)
        total = store.count_parts(session, execution.id, wanted)
    is_cut = len(found) > limit
    if before_id is not None:
        return PartPage(found[-limit:], total, has_earlier=is_cut, has_later=True)
    return PartPage(found[:limit], total, has_earlier=after_id is not None, has_later=is_cut)


def walk_parts(db: Database, execution: Execution, wanted: WantedParts) -> Iterator[tuple[DeviceJob, Device]]:
    """Yield all devices of an order that are wanted; nothing is held while they are used."""
    after_id: int | None = None
    while True:
        with db.read() as session:
            found = store.list_parts(session, execution.id, wanted, limit=_AT_ONCE, after_id=after_id)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after_id = found[-1][0].id


def get_part(db: Database, job_id: str, uuid: str, *, now: datetime) -> PartDetail:
    """Return what has become of an order on a device; raises ExecutionNotFound, and NotFound for a device without a part."""
    with db.read() as session:
        execution = fleet_jobs.require(session, job_id)
        device = devices.require(session, uuid)
        parts = store.list_attempts(session, execution.id, device.id)
        if not parts:
            raise PartNotFound
        attempts = [Attempt(part, log_store.list_events(session, part.id)) for part in parts]
        newest = parts[0]
        steps = results(
            job_document.read(execution.document, is_filled=True),
            DeviceJobState(newest.state),
            has_begun=newest.started_at is not None,
            executed=newest.executed_steps,
            failed_step=newest.failed_step,
        )
        return PartDetail(execution, device, devices.is_online(device, now), attempts, steps)
