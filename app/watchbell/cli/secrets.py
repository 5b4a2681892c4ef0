"""``watchbell secret``: passwords and keys that tasks name, and the key that seals them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, note, one_line, pairs, print_json, say, table
from watchbell.errors import InputError
from watchbell.services import secrets as service
from watchbell.services.secret_places import Place
from watchbell.services.secrets import SecretView

_NAME = click.argument("name", metavar="NAME")
_NAMED = 3


@click.group(short_help="Set, list and delete secrets, and change the key that seals them.")
def secret() -> None:
    """Set, list and delete secrets. A task's environment names one as ${secret:NAME}; its value is never shown again."""


@secret.command(
    "set",
    short_help="Make a secret, or give it another value.",
    epilog=examples("watchbell secret set database-password", "pass show db | watchbell secret set database-password"),
)
@_NAME
@json_option
@pass_program
def set_secret(program: Program, *, name: str, as_json: bool) -> None:
    """Make a secret, or give it another value: what is typed, or all of standard input.

    The line end behind a value of one line is not part of it. Runs that start from now on get the new value.
    """
    made = service.put(program.db, name, _value(), now=clock.now(), actor=program.actor)
    if as_json:
        print_json({"name": made.name, "version": made.version})
        return
    say(
        f"Made secret {made.name}. Name it in an environment: PASSWORD=${{secret:{made.name}}}"
        if made.version == 1
        else f"Secret {made.name} has a new value, version {made.version}."
    )


@secret.command(
    "list", short_help="List secrets.", epilog=examples("watchbell secret list", "watchbell secret list --json")
)
@json_option
@pass_program
def list_secrets(program: Program, *, as_json: bool) -> None:
    """List secrets by name: who changed each, which run or device was given it last, and what names it. Values are never shown."""
    found = service.list_all(program.existing_db)
    if as_json:
        print_json([_json(one) for one in found])
        return
    rows = [
        (
            one.secret.name, one.secret.version, moment(one.secret.changed_at, program.zone), one_line(one.secret.changed_by) or "-",
            moment(one.secret.used_at, program.zone), _last_user(one), _places(one.places),
        )
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "VERSION", f"CHANGED ({program.zone.key})", "BY", "LAST USED", "USED BY", "NAMED BY")
    table(heads, rows, right=(1,), flexible=6)


@secret.command(
    "show", short_help="Show where a secret is used.", epilog=examples("watchbell secret show database-password")
)
@_NAME
@json_option
@pass_program
def show(program: Program, *, name: str, as_json: bool) -> None:
    """Show what names a secret and which runs and devices were given which version of it; never its value."""
    found = service.get(program.existing_db, name)
    if as_json:
        print_json(_json(found, with_uses=True))
        return
    one = found.secret
    pairs(
        {
            "Name": one.name,
            "Version": one.version,
            "Made": f"{moment(one.created_at, program.zone)} by {one_line(one.created_by) or 'somebody'}",
            "Changed": f"{moment(one.changed_at, program.zone)} by {one_line(one.changed_by) or 'somebody'}",
            "Named by": _places(found.places, most=len(found.places)),
        }
    )
    if found.uses:
        say()
    rows = [
        (moment(use.at, program.zone), use.run_id or use.job_id, _user(use.task_name, use.device_name), use.version)
        for use in found.uses
    ]
    if rows:
        table((f"USED ({program.zone.key})", "RUN OR JOB", "BY", "VERSION"), rows, right=(3,), flexible=2)


@secret.command("delete", short_help="Delete a secret.", epilog=examples("watchbell secret delete old-password --yes"))
@_NAME
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also while something names it.")
@json_option
@pass_program
def delete(program: Program, *, name: str, yes: bool, as_json: bool) -> None:
    """Delete a secret. What names it fails from its next run on; runs that go on keep what they were given."""
    found = service.get(program.existing_db, name, uses=0)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here; use --yes.")
        if found.places:
            note(f"What names it fails from its next run on: {_places(found.places, most=10)}")
        click.confirm(f"Delete secret {found.secret.name}?", abort=True, err=True)
    service.delete(program.db, name, now=clock.now(), actor=program.actor, is_forced=True)
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        say(f"Secret {name} is deleted.")


@secret.command(
    "rotate-key",
    short_help="Change the key that seals secrets.",
    epilog=examples("watchbell secret rotate-key", "watchbell secret rotate-key --forget-old"),
)
@click.option(
    "--forget-old", is_flag=True, help="Also forget old keys; a backup from before cannot be read any more then."
)
@click.option(
    "--lost", is_flag=True, help="Make a key although the one of what is sealed is gone; set those secrets again."
)
@json_option
@pass_program
def rotate_key(program: Program, *, forget_old: bool, lost: bool, as_json: bool) -> None:
    """Put a new key first in the key file, and seal everything with it, a little at a time while all goes on.

    It may be killed at any moment: called again, it goes on. A key that is a setting is changed there first: the new one, a
    comma, the old one.
    """
    db, now = program.db, clock.now()
    done = service.Rotated(0, 0, more=False)
    for done in service.rotate(db, now=now, actor=program.actor, is_lost=lost):
        if done.more and not as_json:
            note(f"{done.sealed} sealed with the new key")
    forgotten = service.forget_keys(db, now=now, actor=program.actor) if forget_old else 0
    if as_json:
        told = {"sealed": done.sealed, "unknown": done.unknown, "broken": done.broken}
        print_json({**told, "forgotten": forgotten, "keys": db.box.where})
        return
    say(
        f"{done.sealed} text(s) are sealed with the new key in {db.box.where}; keep a copy of it apart from the database."
    )
    if done.unknown:
        note(f"{done.unknown} text(s) are sealed with a key that is not here, and stay as they are")
    if done.broken:
        note(
            f"{len(done.broken)} text(s) are damaged or were put in the place of others, and stay as they are; set them again: "
            f"{', '.join(one_line(purpose) for purpose in done.broken[:_NAMED])}"
        )
    if forget_old:
        say(f"{forgotten} old key(s) are forgotten.")


def _value() -> str:
    """Return the value that somebody types, or gives on standard input."""
    if sys.stdin.isatty():
        answer: str = click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True)
        return answer
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InputError.of("value", "must be text in UTF-8") from None
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line


def _last_user(view: SecretView) -> str:
    return _user(view.secret.used_task_name, view.secret.used_device_name) or "-"


def _user(task: str, device: str) -> str:
    return f"device {one_line(device)}" if device else one_line(task)


def _places(places: Sequence[Place], *, most: int = _NAMED) -> str:
    shown = ", ".join(f"{place.kind} {one_line(place.name)}" for place in places[:most])
    return f"{shown} and {len(places) - most} more" if len(places) > most else shown or "-"


def _json(found: SecretView, *, with_uses: bool = False) -> dict[str, object]:
    names = (
        "name",
        "version",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "used_at",
        "used_run_id",
        "used_task_name",
        "used_device_uuid",
        "used_device_name",
    )
    told: dict[str, object] = {name: getattr(found.secret, name) for name in names}
    told["named_by"] = [
        {"kind": one.kind, "id": one.id, "name": one.name, "variables": one.variables} for one in found.places
    ]
    if with_uses:
        told["uses"] = [
            {
                "at": use.at,
                "run_id": use.run_id or None,
                "attempt": use.attempt,
                "task": use.task_name,
                "version": use.version,
                "device_uuid": use.device_uuid,
                "device_name": use.device_name,
                "job_id": use.job_id,
            }
            for use in found.uses
        ]
    return told
