"""``watchbell task template``: what tasks say, kept so that new ones can begin from it."""

from __future__ import annotations

import click

from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, print_json, say, table

_TEMPLATE = click.argument("name", metavar="TEMPLATE")


@click.group(short_help="Keep what tasks say for new ones.")
def template() -> None:
    """Keep what tasks say, so that new ones can begin from it: task add NAME --template TEMPLATE. A template never runs."""


@template.command("list", short_help="List templates.", epilog=examples("watchbell task template list"))
@json_option
@pass_program
def list_templates(program: Program, *, as_json: bool) -> None:
    """List all templates by name."""
    found = program.source.list_templates()
    if as_json:
        print_json(list(found))
        return
    if not found:
        say("There is no template yet. Keep a task as one: watchbell task template save NAME")
        return
    rows = [
        (one["id"], one["name"], one["sentence"], moment(one["saved_at"], program.zone), one["saved_by"])
        for one in found
    ]
    table(("ID", "TEMPLATE", "SCHEDULE", f"SAVED ({program.zone.key})", "BY"), rows, flexible=2, right=(0,))


@template.command(
    short_help="Keep a task as a template.",
    epilog=examples("watchbell task template save backup", "watchbell task add backup-db --template backup"),
)
@click.argument("name", metavar="NAME", shell_complete=complete_task)
@json_option
@pass_program
def save(program: Program, *, name: str, as_json: bool) -> None:
    """Keep what a task says as a template of its name; one that is there already is replaced."""
    saved = program.source.save_template(program.source.find_task(name))
    if as_json:
        print_json(dict(saved))
    else:
        say(
            f"{one_line(saved['name'])} is a template now: watchbell task add NAME --template {one_line(saved['name'])}"
        )


@template.command(short_help="Remove a template.", epilog=examples("watchbell task template remove backup"))
@_TEMPLATE
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool) -> None:
    """Remove a template; tasks that were made from it stay."""
    found = program.source.find_template(name)
    program.source.delete_template(found)
    if as_json:
        print_json({"name": found["name"], "removed": True})
    else:
        say(f"The template {one_line(found['name'])} is removed.")
