"""``watchbell blackout``: windows in which moments of tasks are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchbell.cli.foresight import dry_run_option, tell
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say, table

_NAME = click.argument("name", metavar="NAME")
_FIELDS = (
    click.option("--starts", metavar="MOMENT", help="Local time at which it begins, for one that comes once."),
    click.option("--ends", metavar="MOMENT", help="Local time before which it ends."),
    click.option(
        "--from-time", metavar="TIME", help="Time of day at which it begins, for one that comes again: 22:00."
    ),
    click.option("--to-time", metavar="TIME", help="Time before which it ends; an earlier one is on the next day."),
    click.option("--weekdays", metavar="LIST", help="Days on which it begins, as sat,sun; '' for every day."),
    click.option("--zone", metavar="ZONE", help="Time zone. Default: the server's."),
    click.option("--task", "tasks", multiple=True, metavar="NAME", help="A task that it concerns; again for more."),
    click.option("--description", metavar="TEXT", help="Why."),
)


def _fields_options(function: Any) -> Any:
    for option in reversed(_FIELDS):
        function = option(function)
    return function


@click.group(short_help="Windows in which moments of tasks are left out.")
def blackout() -> None:
    """Windows in which moments of tasks are left out, once or again and again. Runs by hand are not kept from starting."""


@blackout.command("list", short_help="List blackouts.", epilog=examples("watchbell blackout list"))
@json_option
@pass_program
def list_blackouts(program: Program, *, as_json: bool) -> None:
    """List all blackouts, when each is and whom it concerns."""
    found = program.source.list_blackouts()
    if as_json:
        print_json(list(found))
        return
    rows = [
        (one["name"], _when(one), one["zone"], ", ".join(one["tasks"]) or "all", one["description"]) for one in found
    ]
    table(("BLACKOUT", "WHEN", "ZONE", "TASKS", "DESCRIPTION"), rows)


@blackout.command(
    short_help="Make a blackout.",
    epilog=examples(
        "watchbell blackout add nightly-backup --from-time 22:00 --to-time 02:00 --zone Europe/Berlin",
        "watchbell blackout add release --starts '2030-12-24 18:00' --ends '2030-12-27 06:00' --task deploy",
    ),
)
@_NAME
@_fields_options
@dry_run_option
@json_option
@pass_program
def add(program: Program, /, *, name: str, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Make a blackout: moments that lie in it become rows that are skipped, with its name. It concerns all tasks, or --task."""
    given = {"name": name, **_given(options)}
    if dry_run:
        tell(program.source.foresee_blackout(None, given), as_json=as_json, zone=program.zone)
        return
    _say(program.source.add_blackout(given), as_json)


@blackout.command(
    short_help="Change a blackout.",
    epilog=examples(
        "watchbell blackout edit release --ends '2030-12-28 06:00'",
        "watchbell blackout edit nightly-backup --all-tasks --dry-run",
    ),
)
@_NAME
@click.option("--rename", metavar="NAME", help="Another name.")
@_fields_options
@click.option("--all-tasks", is_flag=True, help="It concerns all tasks.")
@dry_run_option
@json_option
@pass_program
def edit(
    program: Program, /, *, name: str, rename: str | None, all_tasks: bool, as_json: bool, dry_run: bool, **options: Any
) -> None:
    """Change a blackout; what is not given stays, and --task replaces the tasks. One that comes once may come again, and back."""
    if all_tasks and options["tasks"]:
        raise click.UsageError("Give one of --all-tasks and --task.")
    fields = _given(options) | ({"name": rename} if rename else {}) | ({"tasks": []} if all_tasks else {})
    if not fields:
        raise click.UsageError("Say what to change.")
    if "starts" in fields or "ends" in fields:
        fields = {"from_time": "", "to_time": "", "weekdays": [], **fields}
    elif "from_time" in fields or "to_time" in fields:
        fields = {"starts": "", "ends": "", **fields}
    found = program.source.find_blackout(name)
    if dry_run:
        tell(program.source.foresee_blackout(found, fields), as_json=as_json, zone=program.zone)
        return
    _say(program.source.change_blackout(found, fields), as_json)


@blackout.command(short_help="Remove a blackout.", epilog=examples("watchbell blackout remove release"))
@_NAME
@dry_run_option
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool, dry_run: bool) -> None:
    """Remove a blackout; what it has left out stays left out."""
    found = program.source.find_blackout(name)
    if dry_run:
        tell(program.source.foresee_blackout(found, None), as_json=as_json, zone=program.zone)
        return
    program.source.remove_blackout(found)
    if as_json:
        print_json({"name": found["name"], "removed": True})
    else:
        say(f"Blackout {one_line(found['name'])} is removed.")


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {field: value for field, value in options.items() if value not in (None, ())}
    if "weekdays" in given:
        given["weekdays"] = [day for day in given["weekdays"].replace(",", " ").split() if day]
    if "tasks" in given:
        given["tasks"] = list(given["tasks"])
    return given


def _say(made: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(dict(made))
        return
    whom = ", ".join(map(one_line, made["tasks"])) or "all tasks"
    say(f"Blackout {one_line(made['name'])} leaves out moments of {whom}: {_when(made)}, {made['zone']}.")


def _when(one: Mapping[str, Any]) -> str:
    if one["starts"]:
        return f"from {one['starts']} to {one['ends']}"
    days = ", ".join(one["weekdays"]) or "every day"
    return f"{days} from {one['from_time']} to {one['to_time']}"
