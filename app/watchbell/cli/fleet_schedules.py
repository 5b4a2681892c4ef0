"""``watchbell device schedule``: orders that are given again and again, and letting devices carry them."""

from __future__ import annotations

import dataclasses

import click

from watchbell import clock
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, print_json, say, table
from watchbell.domain.fleet_state import DeviceJobState, wire_word
from watchbell.domain.policies import CatchUp
from watchbell.domain.schedule import describe
from watchbell.errors import InputError
from watchbell.services import carried, carried_moments, fleet_schedules
from watchbell.services.carried import Carrier
from watchbell.services.carried_moments import Shown
from watchbell.store.fleet_schedules import FleetSchedule

_MOST = 10_000


@click.group("schedule", short_help="List schedules of orders, and let devices carry them.")
def schedule() -> None:
    """List schedules of orders to devices, and let devices carry them: then they are due there, also without the server."""


@schedule.command(
    "list",
    short_help="List schedules.",
    epilog=examples("watchbell device schedule list", "watchbell device schedule list --carried --json"),
)
@click.option("--carried", "only_carried", is_flag=True, help="Only those that devices carry.")
@json_option
@pass_program
def list_schedules(program: Program, *, only_carried: bool, as_json: bool) -> None:
    """List schedules, newest first: when they are due, and whether devices carry them."""
    found = fleet_schedules.list_all(program.existing_db)
    found = [one for one in found if one.is_carried or not only_carried]
    if as_json:
        print_json([_told(one) for one in found])
        return
    rows = [
        (one.name, one.schedule_id, "active" if one.is_active else "paused", _when(one),
         "the devices" if one.is_carried else "the server",
         "-" if one.is_carried else moment(one.next_at, program.zone), one.execution_count)
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "ID", "STATE", "WHEN", "CARRIED BY", f"NEXT ({program.zone.key})", "EXECUTIONS")
    table(heads, rows, flexible=3, right=(6,))


@schedule.command(
    short_help="Let devices carry a schedule, or the server give it again.",
    epilog=examples(
        "watchbell device schedule carry 8479359e-dbeb-4858-813c-e8a9008dde04 --catch-up skip",
        "watchbell device schedule carry 8479359e-dbeb-4858-813c-e8a9008dde04 --off",
    ),
)
@click.argument("schedule_id", metavar="ID", callback=not_empty)
@click.option("--off", is_flag=True, help="The server gives it again, and devices drop it at their next contact.")
@click.option("--catch-up", type=click.Choice([one.value for one in CatchUp]),
              help="What becomes of moments that were missed within a day: none is run, the last one is, or all are.")  # fmt: skip
@json_option
@pass_program
def carry(program: Program, *, schedule_id: str, off: bool, catch_up: str | None, as_json: bool) -> None:
    """Let each device carry a schedule from its next contact on; it is due there by the clock of the device."""
    changes = {"is_carried": not off, **({"catch_up": catch_up} if catch_up else {})}
    found = fleet_schedules.update(program.db, schedule_id, changes, now=clock.now(), actor=program.actor)
    if as_json:
        print_json(_told(found))
    elif off:
        say(f"The server gives {one_line(found.name)} from now on; devices drop it at their next contact.")
    else:
        say(f"Each device carries {one_line(found.name)} from its next contact on, in version {found.version}.")


@schedule.command(
    short_help="List the devices that carry a schedule.",
    epilog=examples("watchbell device schedule devices 8479359e-dbeb-4858-813c-e8a9008dde04"),
)
@click.argument("schedule_id", metavar="ID", callback=not_empty)
@json_option
@pass_program
def devices(program: Program, *, schedule_id: str, as_json: bool) -> None:
    """List the devices that carry a schedule: which version, since when, and when each was last heard of."""
    found, _total = carried.list_carriers(program.existing_db, schedule_id, now=clock.now(), limit=_MOST)
    if as_json:
        print_json([_carrier(one) for one in found])
        return
    rows = [
        (one.device.name, one.device.uuid, one.version or "-", "yes" if one.is_current else "no",
         moment(one.since, program.zone), moment(one.device.seen_at, program.zone), one.device.zone or "UTC")
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "UUID", "VERSION", "UP TO DATE", f"SINCE ({program.zone.key})", "LAST HEARD OF", "ZONE")
    table(heads, rows, flexible=0, right=(2,))


@schedule.command(
    short_help="List what became of moments on the devices.",
    epilog=examples("watchbell device schedule moments 8479359e-dbeb-4858-813c-e8a9008dde04 --last 100"),
)
@click.argument("schedule_id", metavar="ID", callback=not_empty)
@click.option("--last", type=click.IntRange(1, _MOST), default=20, show_default=True, metavar="N", help="So many.")
@json_option
@pass_program
def moments(program: Program, *, schedule_id: str, last: int, as_json: bool) -> None:
    """List what became of the moments of a schedule on the devices that carry it, those that were due last first."""
    found, _total = carried_moments.list_moments(program.existing_db, schedule_id, limit=last)
    if as_json:
        print_json([_moment(one) for one in found])
        return
    rows = [
        (moment(one.moment.due_at, program.zone), one.device.name,
         _state(one) or one.moment.outcome, (one.part.reason if one.part else "") or one.moment.reason or "-")
        for one in found
    ]  # fmt: skip
    table((f"DUE ({program.zone.key})", "DEVICE", "BECAME", "WHY"), rows, flexible=3)


def _when(one: FleetSchedule) -> str:
    try:
        return describe(fleet_schedules.timing_of(one))
    except InputError:
        return one.cron_expression or "-"


def _told(one: FleetSchedule) -> dict[str, object]:
    names = ("schedule_id", "name", "is_active", "is_carried", "catch_up", "version", "next_at", "execution_count")
    return {name: getattr(one, name) for name in names}


def _carrier(one: Carrier) -> dict[str, object]:
    names = ("uuid", "name", "zone", "seen_at")
    return {
        **{name: getattr(one.device, name) for name in names},
        **{field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name != "device"},
    }


def _moment(one: Shown) -> dict[str, object]:
    names = ("key", "due_at", "version", "outcome", "reason", "stands_for", "reported_at")
    return {
        "device": one.device.uuid,
        **{name: getattr(one.moment, name) for name in names},
        "job_id": one.execution.job_id if one.execution is not None else None,
        "status": _state(one),
    }


def _state(one: Shown) -> str | None:
    return wire_word(DeviceJobState(one.part.state)) if one.part is not None else None
