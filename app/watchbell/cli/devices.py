"""``watchbell device``: the machines of the fleet, and the codes by which they join."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import click

from watchbell import clock
from watchbell.cli.fleet_schedules import schedule
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import examples, json_option, moment, note, one_line, pairs, print_json, say, table
from watchbell.cli.task_options import span_of
from watchbell.errors import InputError
from watchbell.services import agents, devices, enrolment
from watchbell.services.devices import DeviceView

_MOST = 10_000


@click.group(short_help="List devices, let them take part, and make codes by which they join.")
def device() -> None:
    """List devices, let them take part, and make codes by which they join. The agent on a device is "watchbell agent"."""


@device.command(
    "list",
    short_help="List devices.",
    epilog=examples("watchbell device list", "watchbell device list --pending --json"),
)
@click.option("--pending", is_flag=True, help="Only those that wait until somebody lets them take part.")
@json_option
@pass_program
def list_devices(program: Program, *, pending: bool, as_json: bool) -> None:
    """List devices by name: whether they take part, and when they were last heard of."""
    now = clock.now()
    found, _total = devices.list_page(program.existing_db, now=now, is_active=None, is_online=None, page=1, limit=_MOST)
    if pending:
        waiting = {one.device.id for one in enrolment.list_pending(program.existing_db)}
        found = [one for one in found if one.device.id in waiting]
    if as_json:
        print_json([_told(one) for one in found])
        return
    rows = [
        (one.device.name, one.device.uuid, _state(one), "yes" if one.is_online else "no",
         moment(one.device.seen_at, program.zone), one.device.seen_from or "-", one.device.agent_version or "-")
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "UUID", "STATE", "ONLINE", f"LAST HEARD OF ({program.zone.key})", "FROM", "AGENT")
    table(heads, rows, flexible=0)


@device.command(
    short_help="Let a device take part.",
    epilog=examples("watchbell device approve 8479359e-dbeb-4858-813c-e8a9008dde04"),
)
@click.argument("uuid", metavar="UUID", callback=not_empty)
@json_option
@pass_program
def approve(program: Program, *, uuid: str, as_json: bool) -> None:
    """Let a device take part that has joined and waits, or that somebody has taken out before."""
    now = clock.now()
    devices.get(program.existing_db, uuid, now=now)
    found = devices.set_active(program.db, uuid, True, now=now, actor=program.actor)
    if as_json:
        print_json(_told(found))
    else:
        say(f"{one_line(found.device.name)} takes part.")


@device.command(
    short_help="Show a device with what it tells of its machine.",
    epilog=examples("watchbell device show 8479359e-dbeb-4858-813c-e8a9008dde04 --json"),
)
@click.argument("uuid", metavar="UUID", callback=not_empty)
@json_option
@pass_program
def show(program: Program, *, uuid: str, as_json: bool) -> None:
    """Show a device, and what its agent has told of its machine."""
    found = devices.get(program.existing_db, uuid, now=clock.now())
    row = found.device
    if as_json:
        print_json({**_told(found), "facts": row.facts, "facts_at": row.facts_at, "conflict_at": row.conflict_at})
        return
    pairs({
        "Name": row.name, "UUID": row.uuid, "State": _state(found), "Online": "yes" if found.is_online else "no",
        f"Last heard of ({program.zone.key})": f"{moment(row.seen_at, program.zone)} from {row.seen_from or '-'}",
        "Tags": ", ".join(f"{key}={value}" for key, value in found.tags.items()) or "-",
    })  # fmt: skip
    if row.facts:
        say()
        pairs({name.replace("_", " "): ", ".join(map(str, value)) if isinstance(value, list) else value
               for name, value in row.facts.items()})  # fmt: skip


@device.command(
    short_help="Say that one of two agents with the same credentials is off.",
    epilog=examples("watchbell device settle 8479359e-dbeb-4858-813c-e8a9008dde04"),
)
@click.argument("uuid", metavar="UUID", callback=not_empty)
@json_option
@pass_program
def settle(program: Program, *, uuid: str, as_json: bool) -> None:
    """Say that only one agent is left that has the credentials of a device; the next one that asks gets its jobs again."""
    now = clock.now()
    agents.settle(program.existing_db, uuid, now=now, actor=program.actor)
    found = devices.get(program.db, uuid, now=now)
    if as_json:
        print_json(_told(found))
    else:
        say(f"The next agent that asks is taken to be that of {one_line(found.device.name)}.")


@device.group("enroll-code", short_help="Make, list and revoke codes by which devices join.")
def enroll_code() -> None:
    """Make, list and revoke codes by which devices join: each is for one device, once, and for a short time."""


@enroll_code.command(
    short_help="Make a code and print it.",
    epilog=examples(
        "watchbell device enroll-code create --name pi-kitchen --group kitchens --tag site=north",
        "watchbell device enroll-code create --approve --expires 1d",
        "CODE=$(watchbell device enroll-code create)",
    ),
)
@click.option("--name", metavar="NAME", callback=not_empty, help="Name of the device. Default: what it calls itself.")
@click.option("--group", metavar="NAME", callback=not_empty, help="Group that it joins, which must be there.")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="Tag that it gets; may be given several times.")
@click.option("--approve", "needs_approval", is_flag=True, help="It waits until somebody lets it take part.")
@click.option("--expires", metavar="SPAN", default="1h", show_default=True, callback=not_empty,
              help="How long it can be used, at most 7d.")  # fmt: skip
@json_option
@pass_program
def create(
    program: Program,
    *,
    name: str | None,
    group: str | None,
    tags: tuple[str, ...],
    needs_approval: bool,
    expires: str,
    as_json: bool,
) -> None:
    """Make a code by which one device joins. It is all of standard output, is stored nowhere and cannot be printed again."""
    made = enrolment.create(
        program.db,
        name=name or "",
        group=group or "",
        tags=dict(map(_tag, tags)),
        needs_approval=needs_approval,
        lifetime=_lifetime(expires),
        now=clock.now(),
        actor=program.actor,
    )
    if as_json:
        print_json({"code": made.secret, **dataclasses.asdict(made.code)})
        return
    until = f"{moment(made.code.expires_at, program.zone)}, {program.zone.key}"
    note(f"enrolment code {made.code.prefix}…, for one device until {until}. It is shown this once:")
    say(made.secret)


@enroll_code.command(
    "list",
    short_help="List codes.",
    epilog=examples("watchbell device enroll-code list", "watchbell device enroll-code list --open --json"),
)
@click.option("--open", "only_open", is_flag=True, help="Only those that can still be used.")
@json_option
@pass_program
def list_codes(program: Program, *, only_open: bool, as_json: bool) -> None:
    """List codes, newest first: how they begin, whether they can be used, and the devices that have joined with them."""
    found = enrolment.list_all(program.existing_db, now=clock.now())
    if only_open:
        found = [one for one in found if one.state is enrolment.CodeState.OPEN]
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [
        (one.id, f"{one.prefix}…", one.state, one.name or "-", one.group or "-", "yes" if one.needs_approval else "no",
         one.created_by, moment(one.expires_at, program.zone), one.device_name or "-", one.used_from or "-")
        for one in found
    ]  # fmt: skip
    heads = ("ID", "BEGINS WITH", "STATE", "NAME", "GROUP", "WAITS", "MADE BY", f"EXPIRES ({program.zone.key})",
             "DEVICE", "FROM")  # fmt: skip
    table(heads, rows, flexible=8, right=(0,))


@enroll_code.command(short_help="Take a code back.", epilog=examples("watchbell device enroll-code revoke wbe_0a1b2c"))
@click.argument("reference", metavar="CODE", callback=not_empty)
@json_option
@pass_program
def revoke(program: Program, *, reference: str, as_json: bool) -> None:
    """Take a code back, by its id or by how it begins; nobody can join with it from now on."""
    now = clock.now()
    found = enrolment.find(program.existing_db, reference.removesuffix("…"), now=now)
    ended = enrolment.revoke(program.db, found.id, now=now, actor=program.actor)
    if as_json:
        print_json(dataclasses.asdict(ended))
    else:
        say(f"Revoked the enrolment code {ended.prefix}….")


device.add_command(schedule)


def _state(one: DeviceView) -> str:
    if one.device.conflict_at is not None:
        return "two agents"
    if one.device.is_active:
        return "active"
    return "pending" if one.device.provisioning_state == "pending" else "inactive"


def _told(one: DeviceView) -> dict[str, object]:
    names = ("uuid", "name", "type", "is_active", "provisioning_state", "seen_at", "seen_from", "agent_version")
    return {**{name: getattr(one.device, name) for name in names}, "is_online": one.is_online, "tags": dict(one.tags)}


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError.of("tag", f"{one_line(text[:40])!r} has no =", "site=north")
    return key.strip(), value.strip()


def _lifetime(text: str) -> timedelta:
    try:
        span = span_of(text)
    except OverflowError:
        span = None
    if span is None:
        raise InputError.of("expires", f"{one_line(text[:40])!r} is no length of time", "1h")
    return span
