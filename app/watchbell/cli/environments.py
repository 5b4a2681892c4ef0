"""``watchbell environment``: named sets of environment variables, which tasks share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, pairs, print_json, say, table
from watchbell.errors import InputError

_NAME = click.argument("name", metavar="NAME")
_NAMED = 5


def _variable_options(function: Any) -> Any:
    for option in reversed(
        (
            click.option("--env", multiple=True, metavar="K=V",
                         help="A variable; its value may name secrets, as ${secret:NAME}. Give it again for more."),
            click.option("--file", "env_file", metavar="FILE",
                         help="Lines with NAME=value from a file, or - for standard input; lines that begin with # are left out."),
            click.option("--description", metavar="TEXT", help="What it is for."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(short_help="Sets of environment variables that tasks share.")
def environment() -> None:
    """Share sets of environment variables among tasks. A task names its sets in order: task edit --env-set."""


@environment.command("list", short_help="List environment sets.", epilog=examples("watchbell environment list"))
@json_option
@pass_program
def list_sets(program: Program, *, as_json: bool) -> None:
    """List all sets with the names of their variables, and how many tasks name each."""
    found = program.source.list_environments()
    if as_json:
        print_json(list(found))
        return
    rows = [(one["name"], " ".join(one["variables"]), one["tasks"], one["description"]) for one in found]
    table(("SET", "VARIABLES", "TASKS", "DESCRIPTION"), rows, right=(2,), flexible=1)


@environment.command(short_help="Show an environment set.", epilog=examples("watchbell environment show database"))
@_NAME
@json_option
@pass_program
def show(program: Program, *, name: str, as_json: bool) -> None:
    """Show the variables of a set, as --file takes them, and the tasks that name it."""
    found = program.source.find_environment(name)
    if as_json:
        print_json(dict(found))
        return
    pairs(
        {
            "Set": f"{found['name']} (version {found['version']})",
            "Description": found["description"] or None,
            "Named by": ", ".join(found["named_by"]) or "no task",
            "Changed": f"{moment(found['updated_at'], program.zone)} by {one_line(found['updated_by']) or 'somebody'}",
        }
    )
    say()
    for variable, value in found["variables"].items():
        say(one_line(f"{variable}={value}"))


@environment.command(
    short_help="Make an environment set.",
    epilog=examples(
        "watchbell environment add database --env PGHOST=db.example.org --env 'PGPASSWORD=${secret:database-password}'",
        "watchbell environment add proxy --file proxy.env",
    ),
)
@_NAME
@_variable_options
@json_option
@pass_program
def add(program: Program, /, *, name: str, as_json: bool, **options: Any) -> None:
    """Make a set of variables; no task can name it yet."""
    fields = {"name": name, "variables": _given(options), **_description(options)}
    _tell(program.source.add_environment(fields), as_json=as_json, verb="made")


@environment.command(
    short_help="Change an environment set.",
    epilog=examples(
        "watchbell environment edit database --env PGHOST=db2.example.org --dry-run",
        "watchbell environment edit database --unset PGOPTIONS",
    ),
)
@_NAME
@_variable_options
@click.option("--unset", multiple=True, metavar="K", help="Take a variable away; give it again for more.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say which tasks would follow.")
@json_option
@pass_program
def edit(program: Program, /, *, name: str, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Change a set: --env adds or replaces, what is not given stays. The tasks that name it follow.

    Runs that become due from now on get the new values; what is due already keeps those that it was made with.
    """
    given = _given(options)
    if not (given or options["unset"] or options["description"] is not None):
        raise click.UsageError("Say what to change.")
    found = program.source.find_environment(name)
    unknown = [one for one in options["unset"] if one not in found["variables"]]
    if unknown:
        raise InputError.of("--unset", f"the set has no variable {unknown[0][:100]!r}", None)
    fields = _description(options)
    if given or options["unset"]:
        kept = {key: value for key, value in found["variables"].items() if key not in options["unset"]}
        fields["variables"] = {**kept, **given}
    if not dry_run:
        _tell(program.source.change_environment(found, fields), as_json=as_json, verb="changed")
        return
    after = fields.get("variables", found["variables"])
    assert isinstance(after, Mapping)
    changed = sorted(key for key in {**found["variables"], **after} if found["variables"].get(key) != after.get(key))
    if as_json:
        print_json({"name": found["name"], "changed": changed, "named_by": found["named_by"], "dry_run": True})
        return
    say(f"It would change {', '.join(changed) or 'no variable'} of set {found['name']}.")
    say(f"Tasks that would follow: {', '.join(found['named_by']) or 'none'}.")


@environment.command(
    short_help="Remove an environment set that nothing names.", epilog=examples("watchbell environment remove proxy")
)
@_NAME
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool) -> None:
    """Remove a set; it is refused while a task or a template names it."""
    found = program.source.find_environment(name)
    program.source.remove_environment(found)
    if as_json:
        print_json({"name": found["name"], "removed": True})
    else:
        say(f"Environment set {found['name']} is removed.")


def _tell(found: Mapping[str, Any], *, as_json: bool, verb: str) -> None:
    if as_json:
        print_json(dict(found))
        return
    users = found["named_by"]
    more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
    follow = f"; these follow: {', '.join(users[:_NAMED])}{more}" if users else ""
    say(f"Environment set {found['name']} is {verb}: {len(found['variables'])} variable(s){follow}.")


def _description(options: Mapping[str, Any]) -> dict[str, object]:
    return {"description": options["description"]} if options["description"] is not None else {}


def _given(options: Mapping[str, Any]) -> dict[str, str]:
    from watchbell.domain.environments import pairs_of

    found: dict[str, str] = {}
    if options["env_file"] is not None:
        # Such files have lines that nobody means as variables.
        lines = [line for line in _read(options["env_file"]).split("\n") if not line.lstrip().startswith("#")]
        found |= dict(pairs_of("--file", "\n".join(lines)))
    for text in options["env"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError.of("variables", f"{text[:40]!r} has no '='", "LANG=C.UTF-8")
        found[name] = value
    return found


def _read(file: str) -> str:
    try:
        with click.open_file(file, encoding="utf-8-sig") as opened:
            return str(opened.read())
    except OSError as error:
        raise InputError.of("--file", f"{file[:200]!r} cannot be read: {error.strerror}", Path(file).name) from None
    except UnicodeDecodeError:
        raise InputError.of("--file", f"{file[:200]!r} is not a text in UTF-8") from None
